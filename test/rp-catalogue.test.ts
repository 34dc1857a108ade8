/** Every code of the error catalogue is produced, and leads to its entry wherever it appears. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import test from 'ava';
import { errors } from 'oidc-provider';
import { ERROR_CATALOGUE } from '../interactions/entwickler/catalogue.ts';
import { ServiceUnavailable } from '../provider/availability.ts';
import { serviceWith } from './harness/registration.ts';
import {
  addCitizen,
  atHome,
  authorizationUrl,
  basic,
  obtainCode,
  pkce,
  post,
  redeem,
} from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { sendJson } from './harness/trial-client.ts';
import { type Answer, forms, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

const METADATA = { redirect_uris: ['https://suite.example/callback'], token_endpoint_auth_method: 'gibtesnicht' };

let town: RunningTown;

test.before(async () => {
  town = await startTown({
    registrations: [
      serviceWith('tafel', { kind: 'device', authMethod: 'none' }),
      serviceWith('app', { kind: 'native', authMethod: 'none', redirectUris: ['example.stadt.app:/callback'] }),
    ],
  });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

const linked = (code: string): string => `/entwickler/fehler#${code}`;

/** The code of a page; it must be a link to the entry. */
const ofPage = (page: Answer): string =>
  /href="\/entwickler\/fehler#([a-z_]+)"/.exec(page.text)?.[1] ?? `${page.status} ${page.text.slice(0, 300)}`;

/** The code of a JSON answer; it must bring the link along. */
const ofJson = (body: Record<string, unknown>): string => {
  const code = String(body['error']);
  return body['error_uri'] === `${town.issuer}${linked(code)}` ? code : JSON.stringify(body);
};

/** The code that a redirect takes back to the service. */
const ofRedirect = ({ headers, text }: Answer): string => {
  const { location } = headers;
  if (typeof location !== 'string') return text;
  const { search, hash } = new URL(location);
  return new URLSearchParams(`${search.slice(1)}&${hash.slice(1)}`).get('error') ?? location;
};

const ask = (
  changes: Record<string, string | undefined>,
  visitor = new Visitor(),
  name: 'portal' | 'fahrkarte' = 'fahrkarte',
): Promise<Answer> => visitor.open(authorizationUrl(town, name, pkce(), changes), atHome(town));

const signedIn = async (): Promise<Visitor> => {
  const visitor = new Visitor();
  await obtainCode(town, visitor, 'fahrkarte', pkce(), CREDENTIALS);
  return visitor;
};

/** The first page of a sign-in, and its form filled in with something wrong. */
const tamper = async (
  change: (body: URLSearchParams) => void,
  headers: Record<string, string> = {},
): Promise<string> => {
  const visitor = new Visitor();
  const page = await ask({}, visitor);
  const form = forms(page).find(({ action }) => action.pathname.endsWith('/sign-in'));
  if (form === undefined) throw new Error(page.text);
  const body = new URLSearchParams(form.fields);
  body.set('identifier', 'x@example.org');
  body.set('password', 'y');
  change(body);
  return ofPage(
    await visitor.send(form.action, { method: 'POST', body, headers: { origin: town.issuer, ...headers } }),
  );
};

const token = async (fields: Record<string, string>, authorization?: string): Promise<string> =>
  ofJson((await post(town, '/token', fields, authorization)).body);

const userinfo = async (accessToken: string, query = ''): Promise<string> => {
  const answer = await new Visitor().send(new URL(`/userinfo${query}`, town.issuer), {
    headers: { authorization: `Bearer ${accessToken}`, accept: 'application/json' },
  });
  return ofJson(JSON.parse(answer.text));
};

/** What the node itself answers to a request that is no browser's: plain text, the code first, the link last. */
const raw = async (request: string): Promise<string> => {
  const server = createServer(town.app.handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(request);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  server.close();
  const code = /^([a-z_]+): /m.exec(text)?.[1] ?? text;
  return text.includes(`${town.issuer}${linked(code)}`) ? code : text;
};

/** The provider fails at the look-up of a client, as it would with any fault behind it. */
const failing = async <T>(error: Error, work: () => Promise<T>): Promise<T> => {
  const model = town.app.provider().Client as unknown as { find: (id: string) => Promise<unknown> };
  const { find } = model;
  model.find = (id) => (id === 'fehler' ? Promise.reject(error) : find.call(model, id));
  try {
    return await work();
  } finally {
    model.find = find;
  }
};

const device = async (): Promise<string> => {
  const begun = await post(town, '/device/auth', { client_id: 'tafel' });
  return token({ grant_type: DEVICE_GRANT, client_id: 'tafel', device_code: String(begun.body['device_code']) });
};

/** Codes that requests bring about, each by the request that does. */
const REQUESTS: Readonly<Record<string, () => Promise<string>>> = {
  access_denied: async () => {
    const visitor = new Visitor();
    const page = await visitor.submit(
      await ask({ scope: 'openid email' }, visitor, 'portal'),
      { identifier: CREDENTIALS.email, password: CREDENTIALS.password },
      atHome(town),
    );
    return ofRedirect(await visitor.submitTo(page, 'deny', {}, atHome(town)));
  },
  authorization_pending: device,
  bad_request_target: () => raw(`GET http://x.example/ HTTP/1.1\r\nhost: ${new URL(town.issuer).host}\r\n\r\n`),
  body_too_large: async () =>
    tamper((body) => {
      body.set('password', 'x'.repeat(20_000));
    }),
  consent_required: async () =>
    ofRedirect(await ask({ prompt: 'none', scope: 'openid email' }, await signedIn(), 'portal')),
  foreign_origin: () => tamper(() => {}, { origin: 'https://x.example', 'sec-fetch-site': 'cross-site' }),
  hashing_busy: async () => {
    const tries = await Promise.all(
      Array.from({ length: 45 }, (_, index) =>
        tamper((body) => {
          body.set('identifier', `niemand${index}@example.org`);
        }),
      ),
    );
    return tries.find((code) => code === 'hashing_busy') ?? 'nobody had to wait';
  },
  insufficient_scope: async () => {
    const proof = pkce();
    const code = await obtainCode(town, await signedIn(), 'fahrkarte', proof);
    const { access_token: accessToken } = (await redeem(town, 'fahrkarte', code, proof.verifier)).body;
    return userinfo(String(accessToken), '?scope=profile');
  },
  interaction_not_found: async () => ofPage(await new Visitor().open(new URL('/interaction/gibtesnicht', town.issuer))),
  interaction_required: async () => {
    const url = authorizationUrl(town, 'fahrkarte', pkce(), {
      client_id: 'app',
      redirect_uri: 'example.stadt.app:/callback',
      prompt: 'none',
    });
    return ofRedirect(await (await signedIn()).open(url, atHome(town)));
  },
  invalid_client: () => token({ grant_type: 'authorization_code' }, basic(town, 'fahrkarte', 'falsch')),
  invalid_client_metadata: async () => ofJson((await sendJson(new URL('/reg', town.issuer), 'POST', METADATA)).body),
  invalid_dpop_proof: async () => {
    const answer = await new Visitor().send(new URL('/token', town.issuer), {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        code: 'x',
        redirect_uri: `${town.services.fahrkarte.origin}/callback`,
      }),
      headers: { authorization: basic(town, 'fahrkarte'), accept: 'application/json', dpop: 'keiner' },
    });
    return ofJson(JSON.parse(answer.text));
  },
  invalid_grant: async () => ofJson((await redeem(town, 'fahrkarte', 'gibtesnicht', pkce().verifier)).body),
  invalid_redirect_uri: async () => ofPage(await ask({ redirect_uri: 'https://x.example/' })),
  invalid_request: async () => ofRedirect(await ask({ code_challenge: undefined, code_challenge_method: undefined })),
  invalid_request_object: async () => ofRedirect(await ask({ request: 'x.y.z' })),
  invalid_request_uri: async () =>
    ofRedirect(await ask({ request_uri: 'urn:ietf:params:oauth:request_uri:gibtesnicht' })),
  invalid_scope: async () => ofRedirect(await ask({ scope: 'openid "' })),
  invalid_target: async () => ofRedirect(await ask({ resource: 'https://x.example/api' })),
  invalid_token: () => userinfo('gibtesnicht'),
  letter_visit_not_found: async () => ofPage(await new Visitor().open(new URL('/brief/gibtesnicht', town.issuer))),
  login_required: async () => ofRedirect(await ask({ prompt: 'none' })),
  malformed_form: () =>
    tamper((body) => {
      body.append('identifier', 'noch einer');
    }),
  not_found: async () => ofPage(await new Visitor().open(new URL('/gibtesnicht', town.issuer))),
  registration_not_supported: async () => ofRedirect(await ask({ registration: '{}' })),
  request_uri_not_supported: async () => ofRedirect(await ask({ request_uri: 'https://x.example/anfrage' })),
  server_error: () =>
    failing(new Error('ein Fehler im Programm'), () =>
      token({ grant_type: 'authorization_code', client_id: 'fehler' }),
    ),
  temporarily_unavailable: () =>
    failing(new ServiceUnavailable(new Error('no database')), () =>
      token({ grant_type: 'authorization_code', client_id: 'fehler' }),
    ),
  too_many_requests: async () => {
    const { knex } = town.database;
    const before = await knex('attempts').select('bucket', 'count');
    await knex('attempts').update({ count: 1_000_000 });
    const code = await tamper(() => {});
    for (const { bucket, count } of before) await knex('attempts').where({ bucket }).update({ count });
    return code;
  },
  unknown_field: () =>
    tamper((body) => {
      body.set('fremd', '1');
    }),
  unknown_host: () => raw('GET / HTTP/1.1\r\nhost: x.example\r\n\r\n'),
  unmet_authentication_requirements: async () => {
    const visitor = new Visitor();
    const acr = { essential: true, value: 'http://eidas.europa.eu/LoA/high' };
    const page = await visitor.submit(
      await ask({ claims: JSON.stringify({ id_token: { acr } }) }, visitor),
      { identifier: CREDENTIALS.email, password: CREDENTIALS.password },
      atHome(town),
    );
    return ofRedirect(await visitor.submitTo(page, 'back-to-service', {}, atHome(town)));
  },
  unsupported_grant_type: () => token({ grant_type: 'password' }, basic(town, 'fahrkarte')),
  unsupported_media_type: () => tamper(() => {}, { 'content-type': 'text/plain' }),
  unsupported_response_mode: async () => ofRedirect(await ask({ response_mode: 'rohrpost' })),
  unsupported_response_type: async () => ofRedirect(await ask({ response_type: 'token' })),
  unsupported_token_type: async () => {
    const jwt = `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.e30.x`;
    return ofJson((await post(town, '/token/revocation', { token: jwt }, basic(town, 'fahrkarte'))).body);
  },
  wrong_form_token: () =>
    tamper((body) => {
      body.set('token', 'falsch');
    }),
};

for (const [code, produce] of Object.entries(REQUESTS)) {
  test.serial(`${code} is what its request gets`, async (t) => {
    t.is(await produce(), code);
    t.true(Object.hasOwn(ERROR_CATALOGUE, code));
  });
}

/** Where the identity sources are: test/eid-flow.test.ts and test/bundid-flow.test.ts. */
const IDENTITY = ['exchange_not_found', 'exchange_of_another_browser'];

type ErrorClass = new (...args: unknown[]) => InstanceType<typeof errors.OIDCProviderError>;

/** Each of oidc-provider's exported error classes with its code. The first two are what the others are made of. */
const CLASSES = Object.entries(errors)
  .filter(([name]) => !['OIDCProviderError', 'CustomOIDCProviderError'].includes(name))
  .map(([name, One]) => ({ name, make: () => new (One as unknown as ErrorClass)('was falsch ist') }));

test.serial('every error class of oidc-provider has an entry, and leads there as JSON and as a page', async (t) => {
  t.true(CLASSES.length > 40);
  for (const { name, make } of CLASSES) {
    const { error: code } = make();
    t.true(Object.hasOwn(ERROR_CATALOGUE, code), `${name}: ${code}`);
    await failing(make(), async () => {
      t.is(await token({ grant_type: 'authorization_code', client_id: 'fehler' }), code, name);
      const page = await new Visitor().open(
        new URL('/auth?client_id=fehler&response_type=code&redirect_uri=https://x.example/', town.issuer),
      );
      t.is(ofPage(page), code, name);
    });
  }
});

test('nothing in the catalogue is left that no test produces', (t) => {
  const produced = new Set([...Object.keys(REQUESTS), ...IDENTITY, ...CLASSES.map(({ make }) => make().error)]);
  t.deepEqual(
    Object.keys(ERROR_CATALOGUE).filter((code) => !produced.has(code)),
    [],
  );
});

test.serial('a page says what to do without naming what is registered, outside of the sandbox', async (t) => {
  const page = await ask({ redirect_uri: 'https://x.example/' });
  t.true(page.text.includes(`${town.services.fahrkarte.origin}/callback`), 'this is a sandbox');
  // The same view for a town that is none.
  const { errorPage } = await import('../interactions/errors.view.ts');
  const { TEST_TOWN } = await import('./harness/town.ts');
  const error = {
    kind: 'client' as const,
    status: 400,
    code: 'invalid_redirect_uri',
    detail: 'redirect_uri did not match',
    cause: {
      what: 'Nicht registriert.',
      todo: 'Eintragen.',
      facts: [['registriert', 'https://geheim.example']] as const,
    },
  };
  const plain = errorPage({ town: TEST_TOWN, language: 'de', path: undefined } as never, error);
  t.false(plain.includes('geheim.example'));
  t.false(plain.includes('did not match'));
  t.true(plain.includes('schluessel client diagnose'));
});
