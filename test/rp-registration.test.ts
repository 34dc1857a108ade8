import test from 'ava';
import { addCitizen } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { askUserinfo, authorize, readIdToken, redeemTrial, registerTrial, sendJson } from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

let town: RunningTown;

test.before(async () => {
  town = await startTown();
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

test('discovery names the registration endpoint, and RS256 for clients that need it', async (t) => {
  const { body } = await sendJson(new URL('/.well-known/openid-configuration', town.issuer), 'GET');
  t.is(body['registration_endpoint'], `${town.issuer}/reg`);
  t.true((body['id_token_signing_alg_values_supported'] as string[]).includes('RS256'));
  t.deepEqual(body['subject_types_supported'], ['pairwise']);
});

test('a client registers itself and signs a citizen in by plain forms, without PKCE, with RS256', async (t) => {
  const client = await registerTrial(town, { client_name: 'Prüfstand' });
  t.regex(client.clientId, /^[A-Za-z0-9]{24}$/);
  t.regex(String(client.metadata['client_secret']), /^[A-Za-z0-9]{43}$/);
  t.is(client.metadata['client_secret_expires_at'] as unknown, 0);
  const back = await authorize(town, new Visitor(), client, CREDENTIALS, { scope: 'openid email' });
  t.is(back.get('iss'), town.issuer);
  t.is(back.get('state'), 'zustand');
  const tokens = await redeemTrial(town, client, back.get('code'));
  t.is(tokens.status, 200, JSON.stringify(tokens.body));
  const { header, payload } = await readIdToken(town, client, tokens.body['id_token'] ?? '');
  t.is(header.alg, 'RS256');
  t.is(payload['nonce'], 'einmal');
  const info = await askUserinfo(town, tokens.body['access_token'] ?? '');
  t.is(info.body['sub'], payload.sub);
  t.is(info.body['email'], CREDENTIALS.email);
});

test('several redirect hosts need no sector_identifier_uri, and all trial clients are one sector', async (t) => {
  const one = await registerTrial(town, {
    redirect_uris: ['https://suite.example/callback', 'https://other.example/callback'],
  });
  const two = await registerTrial(town, { redirect_uris: ['https://third.example/callback'] });
  const visitor = new Visitor();
  const subjects: unknown[] = [];
  for (const client of [one, { ...one, redirectUri: 'https://other.example/callback' }, two]) {
    const back = await authorize(town, visitor, client, CREDENTIALS);
    const tokens = await redeemTrial(town, client, back.get('code'));
    subjects.push((await readIdToken(town, client, tokens.body['id_token'] ?? '')).payload.sub);
  }
  t.is(new Set(subjects).size, 1);
});

test('a sector_identifier_uri that cannot be read, or does not name the redirect URIs, is refused', async (t) => {
  const answer = await sendJson(new URL('/reg', town.issuer), 'POST', {
    redirect_uris: ['https://suite.example/callback'],
    sector_identifier_uri: `${town.issuer}/jwks`,
  });
  t.is(answer.status, 400);
  t.is(answer.body['error'], 'invalid_client_metadata');
});

test('a registration is read, changed and deleted by its own token, which changes with it', async (t) => {
  const client = await registerTrial(town);
  const address = String(client.metadata['registration_client_uri']);
  const token = String(client.metadata['registration_access_token']);
  t.is((await sendJson(address, 'GET')).status, 401);
  t.is((await sendJson(address, 'GET', undefined, 'falsch')).status, 401);
  const read = await sendJson(address, 'GET', undefined, token);
  t.is(read.status, 200);
  t.is(read.body['client_id'], client.clientId);

  const unwanted = new Set(['registration_access_token', 'registration_client_uri', 'client_secret_expires_at']);
  const kept = Object.fromEntries(
    Object.entries(read.body).filter(([name]) => !unwanted.has(name) && name !== 'client_id_issued_at'),
  );
  const changed = await sendJson(
    address,
    'PUT',
    { ...kept, redirect_uris: ['https://suite.example/neu'], client_name: 'Neu' },
    token,
  );
  t.is(changed.status, 200, JSON.stringify(changed.body));
  t.is(changed.body['client_name'], 'Neu');
  const next = String(changed.body['registration_access_token']);
  t.not(next, token);
  t.is((await sendJson(address, 'GET', undefined, token)).status, 401);
  const back = await authorize(
    town,
    new Visitor(),
    { ...client, redirectUri: 'https://suite.example/neu' },
    CREDENTIALS,
  );
  t.truthy(back.get('code'));

  t.is((await sendJson(address, 'DELETE', undefined, next)).status, 204);
  t.is((await sendJson(address, 'GET', undefined, next)).status, 401);
  const gone = await authorize(town, new Visitor(), client, CREDENTIALS).catch(() => undefined);
  t.falsy(gone?.get('code'));
});

test('what a registration cannot have is refused with the reason', async (t) => {
  const wrong: [Record<string, unknown>, string][] = [
    [{ redirect_uris: [] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['https://suite.example/callback#teil'] }, 'invalid_redirect_uri'],
    [{ redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
    [{ response_types: ['id_token'], grant_types: ['implicit'] }, 'invalid_client_metadata'],
    [{ id_token_signed_response_alg: 'none' }, 'invalid_client_metadata'],
    [{ id_token_signed_response_alg: 'HS256' }, 'invalid_client_metadata'],
    [{ subject_type: 'public' }, 'invalid_client_metadata'],
    [{ token_endpoint_auth_method: 'client_secret_jwt' }, 'invalid_client_metadata'],
    [{ token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
    [{ organisation: 'stadt' }, 'invalid_client_metadata'],
    [{ secret_hashes: ['sha256:x'] }, 'invalid_client_metadata'],
  ];
  for (const [metadata, error] of wrong) {
    const answer = await sendJson(new URL('/reg', town.issuer), 'POST', {
      redirect_uris: ['https://suite.example/callback'],
      ...metadata,
    });
    t.is(answer.status, 400, JSON.stringify(metadata));
    t.is(answer.body['error'], error, JSON.stringify(metadata));
    t.truthy(answer.body['error_description']);
  }
});

test('a registration that hides what it is finds no way into the city’s own organisations', async (t) => {
  const client = await registerTrial(town);
  const { body } = await sendJson(
    String(client.metadata['registration_client_uri']),
    'GET',
    undefined,
    String(client.metadata['registration_access_token']),
  );
  for (const shown of [client.metadata, body]) {
    t.is(shown['organisation'], undefined);
    t.is(shown['secret_hashes'], undefined);
  }
});
