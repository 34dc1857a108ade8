import test from 'ava';
import { de } from '../interactions/texts/de.ts';
import {
  addCitizen,
  atHome,
  authorizationUrl,
  basic,
  obtainCode,
  pkce,
  post,
  redeem,
  userinfo,
} from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { formWith, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

let town: RunningTown;

/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

const signedIn = async (): Promise<Visitor> => {
  const visitor = new Visitor();
  await obtainCode(town, visitor, 'fahrkarte', pkce(), CREDENTIALS);
  return visitor;
};

/** Where a refused authorization request leads: an error page of ours, or the service with an error. */
const refusal = async (visitor: Visitor, url: URL): Promise<string> => {
  const answer = await visitor.open(url, atHome(town));
  const { location } = answer.headers;
  if (typeof location !== 'string') return `page ${answer.status}`;
  const { origin, search, hash } = new URL(location);
  return `${origin} ${new URLSearchParams(`${search.slice(1)}&${hash.slice(1)}`).get('error')}`;
};

test.serial('a redirect URI that is not exactly registered gets an error page, never a redirect', async (t) => {
  const { origin } = town.services.fahrkarte;
  const wrong = [
    'https://angreifer.example/callback',
    `${origin}/callback/`,
    `${origin}/callback?x=1`,
    `${origin}/Callback`,
    `${origin}/callback#f`,
    `${origin}/x/../callback`,
    `${origin}/..;/callback`,
    `${origin}@angreifer.example/callback`,
    `https://angreifer.example@@${new URL(origin).host}/callback`,
    `${origin.replace('https', 'http')}/callback`,
    'JaVaScript:alert(1)',
    'data:text/html,x',
    'http://localhost/callback',
    '',
  ];
  const visitor = await signedIn();
  for (const redirect_uri of wrong) {
    t.is(
      await refusal(visitor, authorizationUrl(town, 'fahrkarte', pkce(), { redirect_uri })),
      'page 400',
      redirect_uri,
    );
  }
  t.is(await refusal(visitor, authorizationUrl(town, 'fahrkarte', pkce(), { redirect_uri: undefined })), 'page 400');
  const twice = authorizationUrl(town, 'fahrkarte', pkce());
  twice.searchParams.append('redirect_uri', 'https://angreifer.example/');
  t.is(await refusal(visitor, twice), 'page 400');
});

test.serial(
  'the error page tells the citizen what to do and the developer what is wrong, without markup from the request',
  async (t) => {
    const answer = await new Visitor().open(
      authorizationUrl(town, 'fahrkarte', pkce(), { redirect_uri: 'https://x.example/"><script>1</script>' }),
    );
    t.is(answer.status, 400);
    t.regex(answer.text, /invalid_redirect_uri/);
    t.notRegex(answer.text, /<script>1/);
    t.is(answer.headers['cache-control'], 'no-store');
  },
);

test.serial('an unknown client gets an error page', async (t) => {
  for (const client_id of ['unbekannt', '', '../fahrkarte', "fahrkarte' OR 1=1", 'fahrkarte\u0000', '%00']) {
    t.is(
      await refusal(new Visitor(), authorizationUrl(town, 'fahrkarte', pkce(), { client_id })),
      'page 400',
      client_id,
    );
  }
});

test.serial('PKCE cannot be left out, be empty or be plain', async (t) => {
  const visitor = await signedIn();
  const { origin } = town.services.fahrkarte;
  const changes: Record<string, string | undefined>[] = [
    { code_challenge: undefined, code_challenge_method: undefined },
    { code_challenge: '', code_challenge_method: 'S256' },
    { code_challenge: undefined },
    { code_challenge_method: 'plain' },
    { code_challenge_method: undefined },
    { code_challenge: 'zu-kurz' },
  ];
  for (const change of changes) {
    t.is(
      await refusal(visitor, authorizationUrl(town, 'fahrkarte', pkce(), change)),
      `${origin} invalid_request`,
      JSON.stringify(change),
    );
  }
});

test.serial('the verifier must be there and be the right one, and a wrong one spends nothing of another', async (t) => {
  const visitor = await signedIn();
  const proof = pkce();
  const code = await obtainCode(town, visitor, 'fahrkarte', proof);
  for (const verifier of [undefined, '', pkce().verifier, proof.challenge, 'zu-kurz']) {
    const { status, body } = await redeem(town, 'fahrkarte', code, verifier);
    t.is(status, 400);
    t.regex(body['error'] ?? '', /^invalid_(grant|request)$/);
  }
});

test.serial('other response types, modes and prompts are refused', async (t) => {
  const visitor = await signedIn();
  const { origin } = town.services.fahrkarte;
  for (const response_type of ['token', 'id_token', 'code id_token', 'none']) {
    t.is(
      await refusal(visitor, authorizationUrl(town, 'fahrkarte', pkce(), { response_type })),
      `${origin} unsupported_response_type`,
    );
  }
  t.is(
    await refusal(new Visitor(), authorizationUrl(town, 'fahrkarte', pkce(), { prompt: 'none' })),
    `${origin} login_required`,
  );
});

test.serial('a wrong client secret is refused, however it is presented', async (t) => {
  const proof = pkce();
  const code = await obtainCode(town, await signedIn(), 'fahrkarte', proof);
  const right = town.services.fahrkarte.secret;
  const fields = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: `${town.services.fahrkarte.origin}/callback`,
    code_verifier: proof.verifier,
  };
  for (const authorization of [
    basic(town, 'fahrkarte', `${right}x`),
    basic(town, 'fahrkarte', right.toLowerCase()),
    basic(town, 'fahrkarte', ''),
    basic(town, 'portal', right),
    'Basic !!!',
    'Bearer x',
    undefined,
  ]) {
    const { status, body } = await post(town, '/token', fields, authorization);
    t.true(status === 401 || status === 400, String(authorization));
    t.regex(body['error'] ?? '', /^invalid_(client|request)$/);
  }
  // The stored form of a secret is no secret: a dump of the database must not open the door.
  const { rows } = await town.database.pool.query('SELECT secrets FROM clients WHERE client_id = $1', ['fahrkarte']);
  for (const [hash] of JSON.stringify(rows).matchAll(/sha256:[\w-]+/g)) {
    t.is((await post(town, '/token', fields, basic(town, 'fahrkarte', hash))).status, 401);
  }
  t.is((await post(town, '/token', fields, basic(town, 'fahrkarte'))).status, 200, 'none of this spent the code');
});

test.serial('a code works once; its replay ends the tokens it gave', async (t) => {
  const proof = pkce();
  const code = await obtainCode(town, await signedIn(), 'fahrkarte', proof);
  const first = await redeem(town, 'fahrkarte', code, proof.verifier);
  t.is(first.status, 200);
  const token = first.body['access_token'] ?? '';
  t.is((await userinfo(town, token)).status, 200);
  const second = await redeem(town, 'fahrkarte', code, proof.verifier);
  t.is(second.status, 400);
  t.is(second.body['error'], 'invalid_grant');
  t.is((await userinfo(town, token)).status, 401);
});

test.serial('an expired code is refused', async (t) => {
  const proof = pkce();
  const code = await obtainCode(town, await signedIn(), 'fahrkarte', proof);
  aheadMs += 61_000;
  const late = await redeem(town, 'fahrkarte', code, proof.verifier);
  t.is(late.body['error'], 'invalid_grant');
});

test.serial('of parallel redemptions of one code exactly one wins', async (t) => {
  const visitor = await signedIn();
  for (let round = 0; round < 5; round += 1) {
    const proof = pkce();
    const code = await obtainCode(town, visitor, 'fahrkarte', proof);
    const all = await Promise.all(Array.from({ length: 8 }, () => redeem(town, 'fahrkarte', code, proof.verifier)));
    t.is(all.filter(({ status }) => status === 200).length, 1);
    t.is(all.filter(({ status, body }) => status === 400 && body['error'] === 'invalid_grant').length, 7);
  }
});

test.serial('a code belongs to its client, its redirect URI and its type of grant', async (t) => {
  const proof = pkce();
  const code = await obtainCode(town, await signedIn(), 'fahrkarte', proof);
  t.is((await redeem(town, 'portal', code, proof.verifier)).body['error'], 'invalid_grant');
  const redirect_uri = `${town.services.fahrkarte.origin}/anders`;
  t.is((await redeem(town, 'fahrkarte', code, proof.verifier, { redirect_uri })).body['error'], 'invalid_grant');
  for (const grant_type of ['refresh_token', 'client_credentials', 'password', 'implicit', '', 'urn:x']) {
    const { status } = await redeem(town, 'fahrkarte', code, proof.verifier, { grant_type });
    t.is(status, 400, grant_type);
  }
});

test.serial('the id of one kind of artifact works as no other kind', async (t) => {
  const visitor = await signedIn();
  const proof = pkce();
  const code = await obtainCode(town, visitor, 'fahrkarte', proof);
  const { body } = await redeem(town, 'fahrkarte', await obtainCode(town, visitor, 'fahrkarte', proof), proof.verifier);
  const pushed = await post(
    town,
    '/request',
    Object.fromEntries(authorizationUrl(town, 'fahrkarte', proof).searchParams),
    basic(town, 'fahrkarte'),
  );
  t.is(pushed.status, 201);
  const interaction = await new Visitor().open(authorizationUrl(town, 'fahrkarte', proof), () => false);
  const uid = String(interaction.headers['location']).split('/').pop() ?? '';
  const session = visitor.cookies.find(({ name }) => name === '__Host-session')?.value.split('.')[0] ?? '';
  const ids = {
    code,
    accessToken: body['access_token'] ?? '',
    pushed: pushed.body['request_uri']?.split(':').pop() ?? '',
    interaction: uid,
    session,
  };
  t.true(
    Object.values(ids).every((id) => id.length > 10),
    JSON.stringify(Object.keys(ids)),
  );
  for (const [kind, id] of Object.entries(ids)) {
    if (kind !== 'code') t.is((await redeem(town, 'fahrkarte', id, proof.verifier)).status, 400, `${kind} as code`);
    if (kind !== 'accessToken') t.is((await userinfo(town, id)).status, 401, `${kind} as access token`);
    const refreshed = await post(
      town,
      '/token',
      { grant_type: 'refresh_token', refresh_token: id },
      basic(town, 'fahrkarte'),
    );
    t.is(refreshed.status, 400, `${kind} as refresh token`);
    if (kind !== 'pushed') {
      const url = new URL('/auth', town.issuer);
      url.searchParams.set('client_id', 'fahrkarte');
      url.searchParams.set('request_uri', `urn:ietf:params:oauth:request_uri:${id}`);
      t.is((await new Visitor().send(url)).status, 400, `${kind} as pushed request`);
    }
    if (kind !== 'interaction') {
      t.true((await visitor.send(new URL(`/interaction/${id}`, town.issuer))).status >= 400, `${kind} as interaction`);
    }
    for (const name of ['__Host-session', '__Secure-interaction', '__Secure-resume']) {
      if (kind === 'session' && name === '__Host-session') continue;
      const answer = await new Visitor().send(authorizationUrl(town, 'fahrkarte', proof, { prompt: 'none' }), {
        headers: { cookie: `${name}=${id}` },
      });
      t.regex(String(answer.headers['location']), /login_required/, `${kind} in cookie ${name}`);
    }
  }
});

test.serial('an unsigned or resigned session cookie is no session', async (t) => {
  const visitor = await signedIn();
  const cookie = visitor.cookies.find(({ name }) => name === '__Host-session');
  t.truthy(cookie);
  const value = cookie?.value ?? '';
  const silent = (header: string) =>
    new Visitor().send(authorizationUrl(town, 'fahrkarte', pkce(), { prompt: 'none' }), {
      headers: { cookie: header },
    });
  const all = visitor.cookies.filter(({ path }) => path === '/').map(({ name, value: text }) => `${name}=${text}`);
  t.regex(String((await silent(all.join('; '))).headers['location']), /code=/);
  for (const header of [
    `__Host-session=${value}`,
    all.join('; ').replace(/(\.sig=)./, '$1_'),
    all.join('; ').replace(value, `${value.slice(0, -1)}${value.endsWith('a') ? 'b' : 'a'}`),
  ]) {
    t.regex(String((await silent(header)).headers['location']), /login_required/);
  }
});

/**
 * What a neighbour's host (www.town.example beside id.town.example) can put into a browser: all but `__Host-` cookies, and
 * such as begin otherwise and only look like them.
 */
const toss = (from: Visitor, to: Visitor): void => {
  for (const cookie of from.cookies) {
    const guarded = cookie.name.startsWith('__Host-');
    for (const before of guarded ? ['\u00a0', '\t'] : ['']) to.cookies.push({ ...cookie, name: before + cookie.name });
  }
};

test.serial('cookies tossed from a neighbouring host bring nobody into the sign-in of another browser', async (t) => {
  const [thief, citizen] = [new Visitor(), new Visitor()];
  const page = await thief.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  toss(thief, citizen);
  // Otherwise the citizen signs in here, and the thief, who has the same cookies, goes on with it.
  const lured = await citizen.open(page.url);
  t.is(lured.status, 400);
  t.regex(lured.text, /interaction_not_found/);

  // The other way round: a sign-in of the thief's own would go on in the citizen's browser.
  const proven = await thief.submit(
    page,
    { identifier: CREDENTIALS.email, password: CREDENTIALS.password },
    () => false,
  );
  const resume = new URL(String(proven.headers['location']), proven.url);
  toss(thief, citizen);
  t.is((await citizen.send(resume)).status, 400);
  const own = await citizen.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const [begun] = citizen.cookies.filter(({ name }) => name === '__Secure-resume').slice(-1);
  const [foreign, signature] = ['__Secure-resume', '__Secure-resume.sig'].map(
    (wanted) => thief.cookies.find(({ name }) => name === wanted)?.value ?? '',
  );
  const under = await citizen.send(new URL(begun?.path ?? '', town.issuer), {
    headers: { cookie: `__Secure-resume=${foreign}; __Secure-resume.sig=${signature}` },
  });
  t.is(own.status, 200);
  t.is(under.status, 400);
  t.is((await thief.open(resume, atHome(town))).status, 303, 'who began it goes on');
  t.false(thief.cookies.some(({ name }) => name.startsWith('__Host-begun-')));

  // A code from a letter, typed in there, would be the thief's.
  const letter = await thief.open(new URL('/brief', town.issuer));
  t.is(letter.status, 200);
  toss(thief, citizen);
  t.is((await citizen.open(letter.url)).status, 400);
});

test.serial("another browser's interaction is refused, with and without its cookie", async (t) => {
  const victim = new Visitor();
  const page = await victim.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const foreign = await new Visitor().open(page.url);
  t.true(foreign.status >= 400);
  t.notRegex(foreign.text, /name="password"/);

  const other = new Visitor();
  await other.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  t.true((await other.open(page.url)).status >= 400, 'a cookie of another interaction does not help');

  const form = formWith(page, ['identifier', 'password']);
  const body = new URLSearchParams([
    ...form.fields.filter(([name]) => name === 'token'),
    ['identifier', CREDENTIALS.email],
    ['password', CREDENTIALS.password],
  ]);
  const sent = await new Visitor().send(form.action, { method: 'POST', body });
  t.true(sent.status >= 400 && sent.status < 500);
  t.is(
    sent.headers['set-cookie'] === undefined ? undefined : String(sent.headers['set-cookie']).includes('session='),
    undefined,
  );
});

test.serial('fields that come twice, as arrays or as objects are refused in every form', async (t) => {
  const visitor = new Visitor();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const form = formWith(page, ['identifier', 'password']);
  const token = form.fields.find(([name]) => name === 'token')?.[1] ?? '';
  const good = `token=${encodeURIComponent(token)}&identifier=${encodeURIComponent(CREDENTIALS.email)}&password=x`;
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  for (const body of [
    `${good}&identifier=other%40buerger.example`,
    `${good}&password=y`,
    `${good}&token=${token}`,
    `${good}&identifier[]=a`,
    `${good}&identifier%5B%5D=a`,
    `${good}&identifier[a]=b`,
    `${good}&__proto__=x`,
    `${good}&constructor.prototype=x`,
    `${good}&x=%00`,
    `${good}&x=%ff%fe`,
    Array.from({ length: 2000 }, (_, index) => `f${index}=1`).join('&'),
  ]) {
    const answer = await visitor.send(form.action, { method: 'POST', body, headers: type });
    t.is(answer.status, 400, body.slice(-60));
  }
  for (const contentType of ['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'application/xml']) {
    const answer = await visitor.send(form.action, {
      method: 'POST',
      body: good,
      headers: { 'content-type': contentType },
    });
    t.is(answer.status, 415, contentType);
  }
  const mails = town.mail.mails.filter(({ subject }) => subject !== de.notices.newDeviceSubject);
  t.is(mails.length, 0, 'and no mail was sent');
});

test.serial('parameters of the protocol that come twice or are no text are refused', async (t) => {
  const visitor = await signedIn();
  for (const name of ['client_id', 'scope', 'state', 'nonce', 'response_type', 'code_challenge', 'prompt']) {
    const url = authorizationUrl(town, 'fahrkarte', pkce(), { prompt: 'login' });
    url.searchParams.append(name, 'x');
    const answer = await visitor.open(url, atHome(town));
    const { location } = answer.headers;
    if (typeof location === 'string') t.is(new URL(location).searchParams.get('error'), 'invalid_request', name);
    else t.is(answer.status, 400, name);
  }
  const proof = pkce();
  const code = await obtainCode(town, visitor, 'fahrkarte', proof);
  const fields = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: `${town.services.fahrkarte.origin}/callback`,
    code_verifier: proof.verifier,
  });
  fields.append('code', 'noch-einer');
  t.is((await post(town, '/token', fields, basic(town, 'fahrkarte'))).body['error'], 'invalid_request');
});

test.serial('a form without its token, with the token of another page, or from another site is refused', async (t) => {
  const visitor = new Visitor();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const form = formWith(page, ['identifier', 'password']);
  const other = new Visitor();
  const otherPage = await other.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const tokenOf = (answer: typeof page) =>
    formWith(answer, ['identifier']).fields.find(([name]) => name === 'token')?.[1] ?? '';
  const send = (token: string | undefined, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams({ identifier: CREDENTIALS.email, password: CREDENTIALS.password });
    if (token !== undefined) body.set('token', token);
    return visitor.send(form.action, { method: 'POST', body, headers });
  };
  t.is((await send(undefined)).status, 403);
  t.is((await send('')).status, 403);
  t.is((await send(tokenOf(otherPage))).status, 403);
  t.is((await send(tokenOf(page), { origin: 'https://angreifer.example' })).status, 403);
  t.is((await send(tokenOf(page), { 'sec-fetch-site': 'cross-site' })).status, 403);
  t.is((await send(tokenOf(page), { 'sec-fetch-site': 'same-site' })).status, 403);
  t.is((await send(tokenOf(page))).status, 303);
});

test.serial('a body of 1 MB is refused everywhere and does not stop the next request', async (t) => {
  const visitor = new Visitor();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const form = formWith(page, ['identifier', 'password']);
  const big = `identifier=${'a'.repeat(1024 * 1024)}`;
  const type = { 'content-type': 'application/x-www-form-urlencoded' };
  t.is((await visitor.send(form.action, { method: 'POST', body: big, headers: type })).status, 413);
  for (const path of ['/token', '/request', '/token/revocation', '/token/introspection']) {
    const answer = await new Visitor().send(new URL(path, town.issuer), {
      method: 'POST',
      body: `client_id=fahrkarte&${big}`,
      headers: { ...type, accept: 'application/json' },
    });
    t.is(answer.status, 413, path);
  }
  t.is((await visitor.send(new URL('/', town.issuer))).status, 200);
});

test.serial('a long header, cookie or address gets an answer of 4xx', async (t) => {
  const long = 'a'.repeat(60_000);
  for (const send of [
    new Visitor().send(new URL('/', town.issuer), { headers: { cookie: `x=${long}` } }),
    new Visitor().send(new URL(`/auth?state=${long}`, town.issuer)),
  ]) {
    const answer = await send.catch((error: NodeJS.ErrnoException) => error);
    t.true(answer instanceof Error || (answer.status >= 400 && answer.status < 500));
  }
});

test.serial('an unknown Host gets no page of ours, and links follow the configured issuer', async (t) => {
  for (const host of [
    'angreifer.example',
    `${new URL(town.issuer).host}.angreifer.example`,
    'localhost',
    '127.0.0.1',
  ]) {
    const answer = await new Visitor().send(new URL('/.well-known/openid-configuration', town.issuer), {
      headers: { host },
    });
    t.true(answer.status >= 400 && answer.status < 500, `"${host}": ${answer.status}`);
    t.notRegex(answer.text, /authorization_endpoint/);
  }
});

test.serial('forged forwarding headers change neither links nor cookies', async (t) => {
  const headers = {
    'x-forwarded-host': 'angreifer.example',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': '666',
    'x-forwarded-prefix': '/boese',
    'x-original-url': '/boese',
    'x-rewrite-url': '/boese',
    forwarded: 'host=angreifer.example;proto=http',
  };
  const discovery = await new Visitor().send(new URL('/.well-known/openid-configuration', town.issuer), { headers });
  t.is(JSON.parse(discovery.text).issuer, town.issuer);
  t.notRegex(discovery.text.replaceAll('http://eidas.europa.eu/', ''), /angreifer|boese|http:/);
  const answer = await new Visitor().send(authorizationUrl(town, 'fahrkarte', pkce()), { headers });
  t.is(new URL(String(answer.headers['location']), town.issuer).origin, town.issuer);
  t.notRegex(JSON.stringify(answer.headers), /angreifer|boese/);
  for (const cookie of answer.headers['set-cookie'] ?? []) t.regex(cookie, /; ?secure/i);
});

test.serial('a forged X-Forwarded-For does not open a new allowance of attempts', async (t) => {
  const visitor = new Visitor();
  const page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
  const form = formWith(page, ['identifier', 'password']);
  const token = form.fields.find(([name]) => name === 'token')?.[1] ?? '';
  await addCitizen(town, 'opfer@buerger.example', 'ein sehr gutes Passwort hier');
  let waits = 0;
  for (let attempt = 0; attempt < 13; attempt += 1) {
    const body = new URLSearchParams({
      token,
      identifier: 'opfer@buerger.example',
      password: `falsch und lang ${attempt}`,
    });
    const headers = { 'x-forwarded-for': `203.0.113.${attempt}` };
    const answer = await visitor.follow(
      await visitor.send(form.action, { method: 'POST', body, headers }),
      atHome(town),
    );
    if (/zu viele Versuche|Zu viele Versuche/.test(answer.text)) waits += 1;
  }
  t.is(waits, 3, 'ten guesses are evaluated, whatever address they claim');
});

test.serial('nor can anybody type codes of devices without end', async (t) => {
  const visitor = new Visitor();
  const page = await visitor.open(new URL('/device', town.issuer), atHome(town));
  const knock = () => visitor.submit(page, { user_code: 'BBBB-BBBB' }, atHome(town));
  t.not((await knock()).status, 429);
  // Whatever the limit of an address is, it is reached.
  await town.database.pool.query('UPDATE attempts SET count = 1000000');
  t.is((await knock()).status, 429);
  await town.database.pool.query('DELETE FROM attempts');
});

test.serial('unknown addresses and methods get a page that helps', async (t) => {
  for (const path of [
    '/gibtsnicht',
    '/interaction/unbekannt',
    '/.env',
    '/..%2f..%2fetc/passwd',
    '/%',
    '/interaction/%00',
  ]) {
    const answer = await new Visitor().send(`${town.issuer}${path}`);
    t.true(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
    t.notRegex(answer.text, /root:|\bat .*\.[tj]s:\d/);
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'TRACE']) {
    const answer = await new Visitor().send(new URL('/auth', town.issuer), { method });
    t.true(answer.status >= 400 && answer.status < 500, `${method}: ${answer.status}`);
  }
});

test.serial('a post-logout redirect must be registered exactly', async (t) => {
  for (const uri of ['https://angreifer.example/', `${town.services.fahrkarte.origin}/x`, 'javascript:alert(1)']) {
    const url = new URL('/session/end', town.issuer);
    url.searchParams.set('client_id', 'fahrkarte');
    url.searchParams.set('post_logout_redirect_uri', uri);
    const answer = await (await signedIn()).send(url);
    t.is(answer.status, 400, uri);
  }
});

test.serial(
  'a method that an endpoint does not take gets 405 and those that it takes (RFC 9110 §15.5.6)',
  async (t) => {
    const ask = (path: string, method: string) => new Visitor().send(`${town.issuer}${path}`, { method });
    for (const [path, taken] of [
      ['/token', 'POST, OPTIONS'],
      ['/device/auth', 'POST, OPTIONS'],
      ['/request', 'POST, OPTIONS'],
      ['/userinfo', 'GET, HEAD, OPTIONS, POST'],
      ['/jwks', 'GET, HEAD, OPTIONS'],
    ] as const) {
      const refused = await ask(path, taken.startsWith('POST') ? 'GET' : 'DELETE');
      t.is(refused.status, 405, path);
      t.is(refused.headers['allow'], taken);
      t.is(JSON.parse(refused.text).error, 'invalid_request');
      const asked = await ask(path, 'OPTIONS');
      t.is(asked.status, 204, path);
      t.is(asked.headers['allow'], taken);
    }
    t.is((await ask('/nirgends', 'DELETE')).status, 404);
  },
);

test.serial('an address of an earlier visit with a device leads to where the code is entered', async (t) => {
  const answer = await new Visitor().send(`${town.issuer}/device/abgelaufen`, { headers: { accept: 'text/html' } });
  t.is(answer.status, 303);
  t.is(new URL(String(answer.headers['location']), town.issuer).pathname, '/device');
});
