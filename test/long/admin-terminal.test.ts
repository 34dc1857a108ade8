import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import * as chain from '../../accounts/audit-chain.ts';
import * as staff from '../../accounts/staff.ts';
import { letterTextsIn } from '../../interactions/texts/letters.ts';
import { addAuthenticator, type Browser, type BrowserContext, type Page, startBrowser } from '../harness/browser.ts';
import { Citizen } from '../harness/citizen.ts';
import { emailOf } from '../harness/domain.ts';
import { readPaper } from '../harness/paper.ts';
import { makeMember } from '../harness/staff.ts';
import { Terminal } from '../harness/terminal.ts';
import { type RunningTown, startTown } from '../harness/town.ts';

const t_ = letterTextsIn('de');
let town: RunningTown;
let browser: Browser;
const terminals: Terminal[] = [];

test.before(async () => {
  town = await startTown();
  browser = await startBrowser(town.front.spki);
});

test.after.always(async () => {
  for (const terminal of terminals) terminal.close();
  await browser?.close();
  await town?.close();
});

type Person = { terminal: Terminal; context: BrowserContext; page: Page };

const person = async (extra: Record<string, string> = {}): Promise<Person> => {
  const terminal = new Terminal(town, extra);
  terminals.push(terminal);
  const context = await browser.newContext({ locale: 'de-DE' });
  const page = await context.newPage();
  await addAuthenticator(page);
  return { terminal, context, page };
};

/** Opens the address on the paper and makes a passkey. */
const redeem = async (page: Page, address: string): Promise<string> => {
  await page.goto(address);
  await page.getByRole('button', { name: t_.code.submit }).click();
  await page.getByRole('button', { name: 'Passkey' }).first().click();
  await page.getByRole('heading', { name: t_.done.title }).waitFor();
  return (await page.locator('main').textContent()) ?? '';
};

const login = async (t: ExecutionContext, who: Person, ...more: string[]): Promise<string> => {
  const { address, done } = await who.terminal.login(town.issuer, '--no-browser', ...more);
  await who.page.goto(address);
  await who.page.getByRole('heading', { name: t_.staff.title }).waitFor();
  await who.page.getByRole('button', { name: 'Passkey' }).click();
  const ran = await done;
  t.is(ran.code, 0, ran.stderr);
  await who.page.getByText('Sie können dieses Fenster schließen').waitFor();
  return ran.stderr;
};

const joined = async (
  t: ExecutionContext,
  chief: Person,
  email: string,
  name: string,
  roles: string,
): Promise<Person> => {
  const args = ['staff', 'invite', email, '--name', name, '--roles', roles];
  const file = path.join(chief.terminal.work, `${email}.pdf`);
  const tried = await chief.terminal.run(...args);
  t.is(tried.code, 0, tried.stderr);
  t.regex(tried.stderr, /Probelauf/);
  const invited = await chief.terminal.run(...args, '--output', file, '--commit');
  t.is(invited.code, 0, invited.stderr);
  t.is(statSync(file).mode & 0o777, 0o600);
  const { qr } = await readPaper(readFileSync(file));
  const member = await person();
  t.regex(await redeem(member.page, qr ?? ''), /Dienstkonto ist eingerichtet/);
  return member;
};

test.serial('from the first chief to a redeemed recovery, at terminals, on paper and in browsers', async (t) => {
  t.timeout(240_000);
  const ring = path.join(new Terminal(town).home, 'keyring.json');
  writeFileSync(ring, town.keyRing, { mode: 0o600 });
  const onServer = await person({ ISSUER: town.issuer, DATABASE_URL: town.database.url, KEYRING_FILE: ring });
  const bootstrap = ['staff', 'bootstrap', '--name', 'Chris Chefin', '--email', 'chris@stadt.example'];
  const tried = await onServer.terminal.run(...bootstrap);
  t.is(tried.code, 0, tried.stderr);
  t.is(tried.stdout, '', 'a dry run shows no code');
  const made = await onServer.terminal.run(...bootstrap, '--commit');
  t.is(made.code, 0, made.stderr);
  const chief = await person();
  t.regex(await redeem(chief.page, `${town.issuer}/brief#${made.stdout.trim()}`), /Dienstkonto/);
  t.is((await onServer.terminal.run(...bootstrap, '--commit')).code, 1, 'there is a chief now');
  t.is((await chief.terminal.run('staff', 'list')).code, 3, 'not signed in');
  t.regex(await login(t, chief), /Chris Chefin \(chief\)/);

  const clerk = await joined(t, chief, 'anna@stadt.example', 'Anna Amt', 'clerk,approver');
  const approver = await joined(t, chief, 'ben@stadt.example', 'Ben Büro', 'approver,auditor');
  await Promise.all([login(t, clerk), login(t, approver)]);
  const kept = path.join(clerk.terminal.home, 'config', 'session.json');
  t.is(statSync(kept).mode & 0o777, 0o600);

  const { portal } = town.services;
  const device = await person();
  const citizen = new Citizen(device.page, town, {
    email: 'erika@buerger.example',
    givenName: 'Erika',
    familyName: 'Muster',
    password: 'vier nasse Wörter im Regal',
  });
  await citizen.signInTo(portal.origin, () => portal.signIns.length === 1);

  // The counter.
  const found = await clerk.terminal.run('account', 'show', 'erika@buerger.example');
  t.is(found.code, 0, found.stderr);
  t.regex(found.stdout, /Erika Muster/);
  t.notRegex(found.stdout, /erika@buerger/, 'masked');
  const subject = portal.signIns[0]?.subject ?? '';
  t.is((await clerk.terminal.run('account', 'find', subject)).code, 0, 'by the pseudonym that a service quotes');
  const open = [
    'recovery',
    'open',
    citizen.kennung,
    '--evidence',
    'eid-at-counter',
    '--reason',
    'device-lost',
    '--ticket',
    'B-1',
  ];
  t.regex((await clerk.terminal.run(...open)).stderr, /Probelauf/);
  t.regex((await clerk.terminal.run('recovery', 'list')).stderr, /nichts/, 'the dry run left nothing');
  const opened = await clerk.terminal.run(...open, '--commit');
  t.is(opened.code, 0, opened.stderr);
  const number = /R-\w{4}-\w{4}/.exec(opened.stdout)?.[0] ?? '';
  const again = await clerk.terminal.run(...open, '--commit');
  t.regex(again.stderr, /War schon so/);
  t.is((await clerk.terminal.run('recovery', 'approve', number, '--commit')).code, 1, 'not by the same person');
  t.is(
    (
      await approver.terminal.run(
        'recovery',
        'open',
        citizen.kennung,
        '--evidence',
        'passport',
        '--reason',
        'other',
        '--ticket',
        'X',
      )
    ).code,
    4,
  );
  const file = path.join(approver.terminal.work, 'brief.pdf');
  const approved = await approver.terminal.run('recovery', 'approve', number, '--output', file, '--commit');
  t.is(approved.code, 0, approved.stderr);

  const paper = await readPaper(readFileSync(file));
  t.regex(paper.qr ?? '', new RegExp(`^${town.issuer}/brief#([0-9A-Z]{5}-){3}[0-9A-Z]{5}$`));
  t.true(paper.text.includes(paper.qr?.split('#')[1] ?? '-'), 'the code stands there to be typed, too');
  t.true(paper.text.includes(citizen.kennung));
  t.is(paper.language, 'de');
  t.deepEqual([...new Set(paper.tags)].sort(), ['Document', 'Figure', 'H1', 'P', 'Root', 'Sect']);

  // The citizen, on a new phone.
  const phone = await person();
  t.regex(await redeem(phone.page, paper.qr ?? ''), /neuen Zugang/);
  const fresh = new Citizen(phone.page, town, {
    email: 'erika@buerger.example',
    givenName: 'Erika',
    familyName: 'Muster',
  });
  fresh.registered = true;
  await fresh.signInTo(portal.origin, () => portal.signIns.length === 2);
  t.is(portal.signIns[1]?.subject, subject, 'the same citizen');
  // The old session at the service ends when the logout token has reached it.
  const signInAgain = device.page.getByRole('link', { name: 'Anmelden' });
  for (let tries = 0; tries < 100; tries += 1) {
    await device.page.goto(`${portal.origin}/`);
    if (await signInAgain.isVisible()) break;
    await device.page.waitForTimeout(100);
  }
  await signInAgain.click();
  await device.page.getByLabel('E-Mail-Adresse oder Bürgerkennung').fill('erika@buerger.example');
  await device.page.getByLabel('Passwort', { exact: true }).fill('vier nasse Wörter im Regal');
  await device.page.getByRole('button', { name: 'Anmelden', exact: true }).click();
  await device.page.locator('#error-summary').waitFor();

  for (const subjectLine of [t_.mail.openedSubject, t_.mail.approvedSubject, t_.mail.redeemedSubject]) {
    t.true(
      town.mail.mails.some((mail) => mail.subject === subjectLine),
      subjectLine,
    );
  }
  const shown = await approver.terminal.run('audit', 'search', '--recovery', number);
  for (const event of ['recovery-opened', 'recovery-approved', 'recovery-redeemed'])
    t.regex(shown.stdout, new RegExp(event));
  const verified = await approver.terminal.run('audit', 'verify', '--json');
  t.is(verified.code, 0, verified.stderr + verified.stdout);
  const lines = town.logged.flatMap((line) => (line.includes('audit checkpoint') ? [JSON.parse(line).checkpoint] : []));
  t.deepEqual((await chain.verify(town.context(), lines)).faults, []);
  t.true(lines.length > 5, 'each change was checkpointed');

  // A role that is taken acts at once.
  t.is((await chief.terminal.run('staff', 'revoke', 'anna@stadt.example', '--role', 'clerk', '--commit')).code, 0);
  t.is((await clerk.terminal.run(...open, '--commit')).code, 4);
  t.is((await chief.terminal.run('staff', 'revoke', 'anna@stadt.example', '--commit')).code, 0);
  t.is((await clerk.terminal.run('recovery', 'list')).code, 3, 'her tokens have ended');
  t.is((await chief.terminal.run('staff', 'revoke', 'chris@stadt.example', '--role', 'chief', '--commit')).code, 1);
  t.is((await chief.terminal.run('logout')).code, 0);
  t.is((await chief.terminal.run('staff', 'list')).code, 3);
  const log = town.logged.join('');
  t.false(log.includes(paper.qr?.split('#')[1] ?? '-'), 'the code is in no log');
});

test.serial(
  'over SSH a member signs in by code at another device, with the passkey, and each token is bound to a key',
  async (t) => {
    t.timeout(120_000);
    const chief = await makeMember(town.context(), ['chief']).catch(() => undefined);
    const by =
      chief?.id ?? (await town.context().db('staff_roles').where({ role: 'chief' }).first('staff_id')).staff_id;
    const invited = await staff.invite(
      town.context(),
      by,
      { name: 'Fern Weh', email: emailOf('fern@stadt.example'), language: 'de', roles: ['auditor'] },
      0,
      () => () => ({ subject: 'x', text: 'x' }),
    );
    if (invited.outcome !== 'invited') return t.fail(invited.outcome);
    const far = await person({ SSH_CONNECTION: '192.0.2.1 50000 192.0.2.2 22' });
    await redeem(far.page, `${town.issuer}/brief#${invited.code.reveal()}`);

    const { address, said, done } = await far.terminal.login(town.issuer);
    t.regex(address, /\/device$/);
    const code = (): string | undefined => /diesen Code ein: (\S+)/.exec(said())?.[1];
    while (code() === undefined) await far.page.waitForTimeout(50);
    await far.page.goto(address);
    await far.page.locator('input[name=user_code]').fill(code() ?? '');
    await far.page.locator('main button[type=submit]').first().click();
    await far.page.locator('form:has(input[name=confirm]) button[type=submit]').first().click();
    await far.page.getByRole('heading', { name: t_.staff.title }).waitFor();
    await far.page.getByRole('button', { name: 'Passkey' }).click();
    const ran = await done;
    t.is(ran.code, 0, ran.stderr);
    t.regex(ran.stderr, /Angemeldet bei .* als Fern Weh \(auditor\)/);

    const file = path.join(far.terminal.home, 'config', 'session.json');
    t.is(statSync(file).mode & 0o777, 0o600);
    t.is(statSync(path.dirname(file)).mode & 0o777, 0o700);
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    const headers = { authorization: `Bearer ${kept.accessToken}`, 'content-type': 'application/json' };
    const stolen = await fetch(`${town.issuer}/admin/api/me/show`, { method: 'POST', headers, body: '{}' });
    t.is(stolen.status, 401, 'a stolen token without its key is of no use');
    const refreshed = await fetch(`${town.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: kept.refreshToken,
        client_id: 'verwaltung',
        resource: `${town.issuer}/admin/api`,
      }),
    });
    t.is(refreshed.status, 400, 'nor is a stolen refresh token');
    t.is((await far.terminal.run('me', 'show')).code, 0, 'its owner goes on');
    return undefined;
  },
);
