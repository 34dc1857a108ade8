/**
 * Every secret that there is goes through the whole product, while our log is at its most talkative and Postgres writes
 * down every statement with its parameters, errors too: none of them is found in either.
 */
import { readFileSync } from 'node:fs';
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import * as backupCodes from '../../accounts/backup-codes.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as letterCodes from '../../accounts/letter-codes.ts';
import * as recoveries from '../../accounts/recoveries.ts';
import * as redemptions from '../../accounts/redemptions.ts';
import * as signingKeys from '../../accounts/signing-keys.ts';
import * as totp from '../../accounts/totp.ts';
import { citizenLetters } from '../../interactions/citizen-letters.ts';
import { codeIn } from '../harness/citizen.ts';
import { type Cluster, startCluster } from '../harness/cluster.ts';
import { type IdentityTown, startIdentityTown } from '../harness/identity-town.ts';
import { atHome, authorizationUrl, basic, pkce, post, redeem, userinfo } from '../harness/relying-party.ts';
import { searchIn } from '../harness/search.ts';
import { makeMember, somePasskey } from '../harness/staff.ts';
import { TEST_TOWN } from '../harness/town.ts';
import { Visitor } from '../harness/visitor.ts';
import { registerAt } from '../harness/walk-in.ts';

const CITIZEN = {
  email: 'Balthasar.Kanarienvogel@buerger.example',
  givenName: 'Balthasar',
  familyName: 'Kanarienvogel-Löwenzahn',
  password: 'sieben Kanarienvögel singen',
  address: ['Pfefferminzgasse 17', '33330', 'Teststadt'],
} as const;
const WRONG_PASSWORD = 'acht falsche Papageien schweigen';

let cluster: Cluster;
let place: IdentityTown;
/** What must not be found, by what it is. */
const canaries = new Map<string, string>();
const plant = (what: string, value: string | undefined | null): void => {
  if (value === undefined || value === null || value.length < 6) throw new Error(`no canary: ${what}`);
  canaries.set(what, value);
};
const plantCookies = (whose: string, visitor: Visitor): void => {
  for (const { name, value } of visitor.cookies) if (value.length > 12) plant(`${whose}: cookie ${name}`, value);
};

test.before(async () => {
  cluster = await startCluster([
    'log_statement=all',
    'log_min_messages=debug1',
    'log_min_error_statement=error',
    'log_parameter_max_length=-1',
    'log_parameter_max_length_on_error=-1',
    'log_error_verbosity=verbose',
  ]);
  place = await startIdentityTown({ server: cluster.url });
});

test.after.always(async () => {
  await place?.close();
  await cluster?.end();
});

const logs = (): [string, Buffer][] => [
  ['our log', Buffer.from(place.town.logged.join('\n'))],
  ["Postgres's log", readFileSync(cluster.logFile)],
];

test.serial('registration, passwords, codes by mail, tokens, cookies, secrets of services', async (t) => {
  const { town } = place;
  const { code, proof, visitor, pages } = await registerAt(town, 'portal', CITIZEN, { scope: 'openid email profile' });
  plant('e-mail address', CITIZEN.email);
  plant('password', CITIZEN.password);
  plant('family name', CITIZEN.familyName);
  plant('street', CITIZEN.address[0]);
  plant('authorization code', code);
  plant('code verifier', proof.verifier);
  plant('client secret', town.secretOf('portal'));
  plant('code by mail', codeIn(town.mail.mails.map(({ text }) => text).join('\n')));
  plantCookies('registration', visitor);
  const shown = pages.map(({ text }) => text).join('\n');
  plant('Kennung', /\b[A-Z]{2}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]\b/.exec(shown)?.[0]);
  for (const [index, [, value]] of [...shown.matchAll(/name="token" value="([^"]+)"/g)].slice(0, 3).entries())
    plant(`form token ${index}`, value);
  const { body } = await redeem(town, 'portal', code, proof.verifier);
  plant('access token', body['access_token']);
  plant('ID token', body['id_token']);
  const info = await userinfo(town, body['access_token'] ?? '');
  t.is(info.body['family_name'], CITIZEN.familyName);
  plant('pseudonym', info.body['sub']);
  t.is(
    (await post(town, '/token/introspection', { token: body['access_token'] ?? '' }, basic(town, 'portal'))).status,
    200,
  );
  t.is((await redeem(town, 'portal', code, proof.verifier)).status, 400, 'the code again');
  t.is((await post(town, '/token', { grant_type: 'x' }, basic(town, 'portal', WRONG_PASSWORD))).status, 401);

  plant('wrong password', WRONG_PASSWORD);
  const signing = new Visitor();
  const form = await signing.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  await signing.submit(form, { identifier: CITIZEN.email, password: WRONG_PASSWORD }, atHome(town));
  plantCookies('sign-in', signing);
});

test.serial('second factors, backup codes, a recovery on paper', async (t) => {
  const { town } = place;
  const ctx = town.context();
  const account = (await accounts.findByIdentifier(ctx, CITIZEN.email)) as AccountId;
  const secret = totp.newSecret();
  plant('TOTP secret', secret);
  const { generate } = await import('otplib');
  const epoch = Math.floor(Date.now() / 1000);
  const codes = [await generate({ secret, epoch: epoch - 30 }), await generate({ secret, epoch })];
  t.is((await totp.enrol(ctx, account, secret, codes[0] ?? '', false)).outcome, 'enrolled');
  t.is((await totp.check(ctx, account, codes[1] ?? '')).outcome, 'proven');
  for (const [index, code] of (await backupCodes.generate(ctx, account)).entries()) {
    plant(`backup code ${index}`, code);
    if (index === 0) t.is((await backupCodes.spend(ctx, account, code)).outcome, 'spent');
  }
  const chief = await makeMember(ctx, ['chief'], { email: 'leiterin.kanarie@stadt.example' });
  const clerk = await makeMember(ctx, ['clerk'], { by: chief.id });
  const approver = await makeMember(ctx, ['approver'], { by: chief.id });
  plant('address of staff', chief.email);
  const letters = citizenLetters(TEST_TOWN, new URL(town.issuer));
  const wanted = { account, reason: 'device-lost', ticket: 'T-1', evidence: 'identity-card' } as const;
  const opened = await recoveries.open(ctx, clerk.id, wanted, recoveries.WAIT_HOURS, letters);
  if (opened.outcome !== 'opened') return t.fail(opened.outcome);
  const approved = await recoveries.approve(ctx, approver.id, opened.recovery.number, 'post', letters);
  if (approved.outcome !== 'approved') return t.fail(approved.outcome);
  plant('code on paper', approved.code.reveal());
  const later = { ...ctx, now: () => new Date(approved.validFrom.getTime() + 1000) };
  const checked = await letterCodes.check(later, approved.code.reveal(), '192.0.2.1');
  if (checked.outcome !== 'valid') return t.fail(checked.outcome);
  const redeemed = await redemptions.redeem(later, checked.code.id, somePasskey(), [], letters);
  t.is(redeemed.outcome, 'redeemed');
});

test.serial('data of the identity card and of BundID', async (t) => {
  const { town } = place;
  const visitor = new Visitor();
  const back = await place.byCard(visitor, await place.begin(visitor, 'antrag'), { card: 'erika' });
  await visitor.submitTo(back, 'open-account', {}, atHome(town));
  plant('family name on the card', 'MUSTERMANN');
  plant('street on the card', 'BERLINER STRASSE 70');
  plantCookies('card', visitor);
  const other = new Visitor();
  const fields = await place.atBundId(other, await place.begin(other, 'fahrkarte'), { person: 'max' });
  plant('SAML response', fields.get('SAMLResponse')?.slice(200, 260));
  await place.fromBundId(other, fields);
  t.true(town.logged.length > 0);
});

test.serial('errors of the database quote statements, never what went into them', async (t) => {
  const { town } = place;
  const { pool } = town.database;
  const logged = town.logged.length;
  // What a bug or a migration that failed would do: half of the tables refuse, each in its own way.
  for (const [change, undo] of [
    ['ALTER TABLE attributes RENAME TO verlegt', 'ALTER TABLE verlegt RENAME TO attributes'],
    ['ALTER TABLE email_codes ADD CONSTRAINT zu CHECK (false) NOT VALID', 'ALTER TABLE email_codes DROP CONSTRAINT zu'],
    ['ALTER TABLE passwords ADD CONSTRAINT zu CHECK (false) NOT VALID', 'ALTER TABLE passwords DROP CONSTRAINT zu'],
    [
      'ALTER TABLE oidc_sessions ADD CONSTRAINT zu CHECK (false) NOT VALID',
      'ALTER TABLE oidc_sessions DROP CONSTRAINT zu',
    ],
  ] as const) {
    await pool.query(change);
    const person = { ...CITIZEN, email: `fehler.${change.length}.kanarie@buerger.example` };
    plant(`address ${change.length}`, person.email);
    await registerAt(town, 'portal', person, { scope: 'openid email profile' }).catch(() => {});
    await pool.query(undo);
  }
  t.true(
    town.logged.slice(logged).some((line) => line.includes('request failed')),
    'there were errors',
  );
  t.true(
    logs().some(([name, text]) => name !== 'our log' && text.includes('ERROR:') && text.includes('STATEMENT:')),
    'Postgres has written the statements of errors',
  );
});

test.serial('none of it is in either log, nor a key', async (t) => {
  const { town } = place;
  const ring = JSON.parse(town.keyRing) as object;
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'string' && value.length > 20) plant(`key ring ${path}`, value);
    else if (typeof value === 'object' && value !== null)
      for (const [name, inner] of Object.entries(value)) walk(inner, `${path}.${name}`);
  };
  walk(ring, '');
  for (const key of await signingKeys.load(town.context()))
    plant(`signing key ${key.kid}`, (key.privateJwk as { d?: string }).d);
  t.true(canaries.size > 35, String(canaries.size));
  const content = logs();
  const size = content.reduce((sum, [, text]) => sum + text.length, 0);
  t.true(size > 100_000, `${content.length} logs, ${size} bytes`);
  t.true(content.some(([name, text]) => name !== 'our log' && /parameters|Parameters/.test(text.toString())));
  const hits = [...canaries].flatMap(([what, value]) => searchIn(content, [value]).map((hit) => `${what}: ${hit}`));
  t.deepEqual(hits, []);
  t.log(`${canaries.size} secrets, ${(size / 1e6).toFixed(1)} MB of logs, 0 found`);
});

test.serial('the search would find a secret that escapes', async (t) => {
  await place.town.database.pool.query('SELECT $1::text AS entflogen', [WRONG_PASSWORD]);
  await new Promise((resolve) => setTimeout(resolve, 500));
  t.true(searchIn(logs(), [WRONG_PASSWORD]).length > 0);
});
