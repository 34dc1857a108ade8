/** Clients that register themselves where citizens are real: by initial access token, or not at all. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { PRODUCTION_HOST, type Production, startProduction } from './harness/production.ts';
import { serviceWith } from './harness/registration.ts';
import { pkce } from './harness/relying-party.ts';

const TOKEN = 'a'.repeat(20) + 'B9-_'.repeat(8);
const METADATA = {
  client_name: 'Neuer Dienst',
  redirect_uris: ['https://neu.dienst.example/callback'],
  grant_types: ['authorization_code'],
};

const certified = serviceWith('zertifikat', {
  redirectUris: ['https://z.dienst.example/callback'],
  authMethod: 'self_signed_tls_client_auth',
});

type Answer = { status: number; headers: IncomingHttpHeaders; body: Record<string, unknown>; text: string };

/** As the proxy asks. */
const ask = (
  at: Production,
  method: string,
  to: string,
  { token, body, accept = 'application/json' }: { token?: string; body?: object; accept?: string } = {},
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const url = new URL(to, `https://${PRODUCTION_HOST}`);
    const sent = request(
      {
        host: '127.0.0.1',
        port: at.port,
        path: `${url.pathname}${url.search}`,
        method,
        headers: {
          host: PRODUCTION_HOST,
          accept,
          ...(body && { 'content-type': 'application/json' }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      },
      (res) => {
        let text = '';
        res.on('data', (chunk) => {
          text += String(chunk);
        });
        res.on('end', () => {
          const parsed = text.startsWith('{') ? JSON.parse(text) : {};
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: parsed, text });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });

const authorization = (clientId: string, challenge?: string): string => {
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    scope: 'openid email profile',
    redirect_uri: 'https://neu.dienst.example/callback',
    ...(challenge !== undefined && { code_challenge: challenge, code_challenge_method: 'S256' }),
  });
  return `/auth?${query}`;
};

test('with a token: registered, managed, held to production’s rules, and given nothing but a pseudonym', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'registration-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'token');
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  const production = await startProduction([certified], { REGISTRATION_TOKEN_FILE: file });
  t.teardown(() => production.stop());
  t.regex(production.output(), /zertifikat.*set MTLS_ORIGIN/, 'the operator is told at the start');

  const discovery = await ask(production, 'GET', '/.well-known/openid-configuration');
  t.is(discovery.body['registration_endpoint'], `https://${PRODUCTION_HOST}/reg`);
  for (const token of [undefined, 'falsch', `${TOKEN}x`]) {
    const refused = await ask(production, 'POST', '/reg', { body: METADATA, ...(token !== undefined && { token }) });
    t.true([400, 401].includes(refused.status), refused.text);
    t.truthy(refused.body['error_uri']);
  }
  const made = await ask(production, 'POST', '/reg', { body: METADATA, token: TOKEN });
  t.is(made.status, 201, made.text);
  t.is(made.body['id_token_signed_response_alg'], 'ES256');
  const id = String(made.body['client_id']);
  const own = { token: String(made.body['registration_access_token']) };
  t.is((await ask(production, 'GET', `/reg/${id}`, own)).body['client_name'], 'Neuer Dienst');
  t.is((await ask(production, 'GET', `/reg/${id}`, { token: TOKEN })).status, 401, 'the initial token manages nothing');

  const plain = await ask(production, 'GET', authorization(id), { accept: 'text/html' });
  t.regex(String(plain.headers.location), /error=invalid_request.*PKCE/);
  const asked = await ask(production, 'GET', authorization(id, pkce().challenge), { accept: 'text/html' });
  t.regex(String(asked.headers.location), /\/interaction\//, asked.text);
  const local = { ...METADATA, redirect_uris: ['http://localhost:3000/callback'] };
  t.is((await ask(production, 'POST', '/reg', { body: local, token: TOKEN })).body['error'], 'invalid_redirect_uri');
  const organisation = { ...METADATA, organisation: 'stadt' };
  t.is(
    (await ask(production, 'POST', '/reg', { body: organisation, token: TOKEN })).status,
    400,
    'nobody takes a sector',
  );

  t.is((await ask(production, 'DELETE', `/reg/${id}`, own)).status, 204);
  t.is((await ask(production, 'GET', authorization(id, pkce().challenge), { accept: 'text/html' })).status, 400);
});

test('without a token there is no such endpoint', async (t) => {
  const production = await startProduction([]);
  t.teardown(() => production.stop());
  const discovery = await ask(production, 'GET', '/.well-known/openid-configuration');
  t.false('registration_endpoint' in discovery.body);
  t.is((await ask(production, 'POST', '/reg', { body: METADATA, token: TOKEN })).status, 404);
  t.notRegex(production.output(), /MTLS_ORIGIN/);
});
