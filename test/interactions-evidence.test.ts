import test from 'ava';
import { addCitizen, atHome, authorizationUrl, pkce } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { type Answer, forms, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { identifier: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

/** Every form that any page of an interaction has. */
const ACTIONS = [
  'sign-in',
  'passkey',
  'passkey-options',
  'register',
  'email',
  'without-email',
  'email-code',
  'another-code',
  'address',
  'without-address',
  'new-passkey-options',
  'new-passkey',
  'choose-password',
  'new-password',
  'backup-codes',
  'kennung',
  'details',
  'consent',
  'other-account',
  'back',
  'constructor',
  '__proto__',
] as const;

let town: RunningTown;

test.before(async () => {
  town = await startTown();
  await addCitizen(town, CREDENTIALS.identifier, CREDENTIALS.password);
});

test.after.always(() => town?.close());

const begin = async (visitor: Visitor, service: 'portal' | 'fahrkarte' | 'strom', scope = 'openid'): Promise<Answer> =>
  visitor.open(authorizationUrl(town, service, pkce(), { scope }), atHome(town));

const tokenOf = (page: Answer): string =>
  forms(page)
    .flatMap(({ fields }) => fields)
    .find(([name]) => name === 'token')?.[1] ?? '';

const send = (visitor: Visitor, page: Answer, action: string, fields: Record<string, string> = {}): Promise<Answer> =>
  visitor.send(new URL(`${page.url.pathname}/${action}`, page.url), {
    method: 'POST',
    body: new URLSearchParams({ token: tokenOf(page), ...fields }),
  });

const heading = (page: Answer): string => /<h1[^>]*>([^<]*)/.exec(page.text)?.[1] ?? '';

/** Where the visitor stands now. */
const look = (visitor: Visitor, page: Answer): Promise<Answer> => visitor.send(page.url);

const leadsBack = (answer: Answer, page: Answer): boolean =>
  answer.status === 303 && answer.headers['location'] === page.url.pathname;

test.serial('no form sent empty and out of order ever finishes a sign-in', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'fahrkarte');
  for (const action of [...ACTIONS, ...ACTIONS]) {
    const answer = await send(visitor, page, action);
    t.true(leadsBack(answer, page) || action.endsWith('-options'), `${action}: ${answer.status}`);
  }
  const now = await look(visitor, page);
  t.is(now.status, 200);
  t.not(heading(now), '');
  // The provider agrees: the way back to the service brings an error or another interaction, but no code.
  const resumed = await visitor.send(new URL(page.url.pathname.replace('/interaction/', '/auth/'), page.url));
  t.false(String(resumed.headers['location']).includes('code='));
});

test.serial('a consent given before the sign-in counts for nothing', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'strom', 'openid email');
  t.true(leadsBack(await send(visitor, page, 'consent', { 'claim.email': 'yes', shown: 'x' }), page));
  await send(visitor, page, 'sign-in', CREDENTIALS);
  t.is(heading(await look(visitor, page)), 'Dürfen wir diese Angaben weitergeben?');
});

test.serial('a consent counts only for what was shown', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'strom', 'openid email');
  await send(visitor, page, 'sign-in', CREDENTIALS);
  for (const shown of ['', 'x', tokenOf(page)]) {
    t.true(leadsBack(await send(visitor, page, 'consent', { shown }), page));
    t.regex((await look(visitor, page)).text, /hat gerade geändert/);
  }
  const unasked = await send(visitor, page, 'consent', { 'claim.sub': 'yes' });
  t.is(unasked.status, 400);
  const asked = await look(visitor, page);
  const shown = /name="shown" value="([^"]+)"/.exec(asked.text)?.[1] ?? '';
  // A claim of the catalogue that the service has not registered.
  const given = await send(visitor, page, 'consent', { shown, 'claim.birthdate': 'yes', 'claim.email': 'yes' });
  t.is(given.status, 303);
  t.true(String(given.headers['location']).startsWith(`${town.issuer}/auth/`));
});

test.serial('after the sign-in no form of another page changes whose it is', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'portal', 'openid profile');
  await send(visitor, page, 'sign-in', CREDENTIALS);
  for (const action of ['register', 'without-email', 'choose-password', 'new-password', 'back', 'kennung', 'passkey']) {
    t.true(leadsBack(await send(visitor, page, action), page), action);
  }
  t.is(heading(await look(visitor, page)), 'Bitte ergänzen Sie Ihre Angaben');
});

test.serial('two tabs that finish one registration make one account', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'fahrkarte');
  for (const action of ['register', 'without-email', 'without-address', 'choose-password'])
    await send(visitor, page, action);
  const count = async (): Promise<number> =>
    Number((await town.context().db('accounts').count('* as n'))[0]?.['n'] ?? 0);
  const before = await count();
  const password = 'Regenschirm tanzt um Mitternacht';
  const fields = { new_password: password, repeated_password: password };
  await Promise.all(Array.from({ length: 6 }, () => send(visitor, page, 'new-password', fields)));
  t.is(await count(), before + 1);
  t.is(heading(await look(visitor, page)), 'Ihre Ersatzcodes');
  t.true(leadsBack(await send(visitor, page, 'kennung'), page), 'the codes cannot be skipped');
  t.is(heading(await look(visitor, page)), 'Ihre Ersatzcodes');
  await send(visitor, page, 'backup-codes', { confirmed: 'yes' });
  t.is(heading(await look(visitor, page)), 'Ihr Konto ist angelegt');
  const done = await send(visitor, page, 'kennung');
  t.true(String(done.headers['location']).startsWith(`${town.issuer}/auth/`));
});

test.serial('a password that was refused is not in the page after it', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'fahrkarte');
  await send(visitor, page, 'sign-in', { identifier: 'Anna"><b>', password: 'geheim-geheim' });
  const after = await look(visitor, page);
  t.regex(after.text, /<title>Fehler: /);
  t.true(after.text.includes('value="Anna&quot;&gt;&lt;b&gt;"'));
  t.false(after.text.includes('geheim-geheim'));
});

test.serial('a passkey ceremony is no use for another interaction, another purpose, or twice', async (t) => {
  const options = async (visitor: Visitor, page: Answer, action: string): Promise<{ ceremony: string }> =>
    JSON.parse((await send(visitor, page, action)).text);
  const visitor = new Visitor();
  const page = await begin(visitor, 'fahrkarte');
  const { ceremony } = await options(visitor, page, 'passkey-options');
  const other = new Visitor();
  const elsewhere = await begin(other, 'fahrkarte');
  const response = JSON.stringify({
    id: 'x',
    rawId: 'x',
    type: 'public-key',
    response: {},
    clientExtensionResults: {},
  });
  for (const attempt of [ceremony, ceremony, '', 'x'.repeat(43)]) {
    t.true(leadsBack(await send(other, elsewhere, 'passkey', { ceremony: attempt, response }), elsewhere));
    t.regex((await look(other, elsewhere)).text, /Passkey hat nicht geklappt/);
  }
  for (const action of ['register', 'without-email', 'without-address']) await send(visitor, page, action);
  const signIn = await options(other, elsewhere, 'passkey-options');
  t.true(leadsBack(await send(visitor, page, 'new-passkey', { ceremony: signIn.ceremony, response }), page));
  t.regex((await look(visitor, page)).text, /Passkey konnte nicht angelegt werden/);
});

test.serial('cancelling leads back to the service with access_denied', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'fahrkarte');
  const answer = await visitor.submitTo(page, 'cancel', {}, atHome(town));
  const back = new URL(String(answer.headers['location']));
  t.is(back.origin, town.services.fahrkarte.origin);
  t.is(back.searchParams.get('error'), 'access_denied');
});

test.serial('a browser leaves by a page, not by a redirect that its form-action would stop', async (t) => {
  const visitor = new Visitor();
  const page = await begin(visitor, 'fahrkarte');
  const answer = await visitor.send(new URL(`${page.url.pathname}/sign-in`, page.url), {
    method: 'POST',
    body: new URLSearchParams({ token: tokenOf(page), ...CREDENTIALS }),
    headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate', origin: 'null' },
  });
  t.is(answer.status, 200);
  t.regex(answer.text, /<meta http-equiv="refresh" content="0;url=https:/);
  t.regex(String(answer.headers['content-security-policy']), /form-action 'self'/);
});

test.serial('static files are found under any version, and kept for ever only under their own', async (t) => {
  const visitor = new Visitor();
  const page = await visitor.send(`${town.issuer}/`);
  const href = /href="(\/assets\/[^"]+kern\.css)"/.exec(page.text)?.[1] ?? '';
  const current = await visitor.send(new URL(href, town.issuer), { headers: { 'accept-encoding': 'br, gzip' } });
  t.is(current.status, 200);
  t.is(current.headers['cache-control'], 'public, max-age=31536000, immutable');
  t.is(current.headers['content-encoding'], 'br');
  const older = await visitor.send(new URL('/assets/0123456789abcdef/kern.css', town.issuer));
  t.is(older.status, 200);
  t.is(older.headers['cache-control'], 'no-cache');
  t.is((await visitor.send(new URL('/assets/x/..%2fassets.ts', town.issuer))).status, 404);
});
