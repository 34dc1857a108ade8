/** Devices, APIs and machines: what runs without a citizen's browser, or beside it. */
import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as clients from '../accounts/clients.ts';
import { parseClientId } from '../accounts/ids.ts';
import type { Registration } from '../accounts/town.ts';
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
  userinfo,
} from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { answerPages } from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
const OPAQUE_API = 'https://api.stadt-a.example/';
const JWT_API = 'https://jwt.stadt-a.example/';
const FOREIGN_API = 'https://api.werke.example/';

const api = (clientId: string, organisation: string, identifier: string, tokens: 'opaque' | 'jwt'): Registration =>
  serviceWith(clientId, {
    organisation,
    kind: 'api',
    resource: { identifier, scopes: ['antraege:lesen', 'antraege:schreiben'], tokens },
  });

let town: RunningTown;

test.before(async () => {
  town = await startTown({
    registrations: [
      {
        ...serviceWith('anzeigetafel'),
        kind: 'device',
        authMethod: 'none',
        refreshTokens: true,
        name: { de: 'Anzeigetafel', en: 'Display' },
      },
      api('antraege', 'stadt', OPAQUE_API, 'opaque'),
      api('auskunft', 'stadt', JWT_API, 'jwt'),
      api('zaehler', 'werke', FOREIGN_API, 'jwt'),
      {
        ...serviceWith('altsystem'),
        redirectUris: ['https://alt.example/callback'],
        rs256: { reason: 'knows nothing else' },
      },
    ],
  });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(() => town?.close());

const startDevice = async () => {
  const answer = await post(town, '/device/auth', { client_id: 'anzeigetafel', scope: 'openid' });
  t200(answer.status, answer.body);
  return answer.body as unknown as {
    device_code: string;
    user_code: string;
    verification_uri: string;
    verification_uri_complete: string;
    interval: number;
  };
};

const t200 = (status: number, body: unknown): void => {
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
};

const poll = (device_code: string) =>
  post(town, '/token', { grant_type: DEVICE_GRANT, client_id: 'anzeigetafel', device_code });

test.serial(
  'a device is connected by typing its code, looking at who asks and signing in; all by plain forms',
  async (t) => {
    const device = await startDevice();
    t.regex(device.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    t.is((await poll(device.device_code)).body['error'], 'authorization_pending');
    const visitor = new Visitor();
    const home = atHome(town);
    let page = await visitor.open(device.verification_uri, home);
    t.true(page.text.includes('Gerät verbinden'));
    page = await visitor.submit(page, { user_code: 'BBBB-BBBB' }, home);
    t.regex(page.text, /Dieser Code stimmt nicht/);
    page = await visitor.submit(page, { user_code: device.user_code.toLowerCase() }, home);
    t.true(page.text.includes('Anzeigetafel'));
    t.true(page.text.includes(device.user_code));
    page = await visitor.submit(page, { confirm: 'yes' }, home);
    page = await answerPages(town, visitor, page, CREDENTIALS);
    t.is(page.status, 200);
    t.true(page.text.includes('Das Gerät ist verbunden'), page.text);
    const tokens = await poll(device.device_code);
    t200(tokens.status, tokens.body);
    t.truthy(tokens.body['refresh_token']);
    const info = await userinfo(town, tokens.body['access_token'] ?? '');
    t.is(info.status, 200);
    t.is((await poll(device.device_code)).body['error'], 'invalid_grant');
  },
);

test.serial(
  'the address with the code in it still asks before anything is granted, and a refusal reaches the device',
  async (t) => {
    const device = await startDevice();
    const visitor = new Visitor();
    const home = atHome(town);
    let page = await visitor.open(device.verification_uri_complete, home);
    page = await visitor.submit(page, {}, home);
    t.true(page.text.includes('Zeigt Ihr Gerät diesen Code?'), page.text);
    page = await visitor.submit(page, { abort: 'yes' }, home);
    t.true(page.text.includes('Es wurde nichts verbunden'));
    t.is((await poll(device.device_code)).body['error'], 'access_denied');
  },
);

test.serial(
  'who ends another session on the own pages ends the device and app that were connected in it',
  async (t) => {
    const home = atHome(town);
    const refresh = (refresh_token: string) =>
      post(town, '/token', { grant_type: 'refresh_token', client_id: 'anzeigetafel', refresh_token });
    const citizen = new Visitor();
    let own = await citizen.open(new URL('/konto', town.issuer), home);
    own = await citizen.submit(own, { identifier: CREDENTIALS.email, password: CREDENTIALS.password }, home);
    for (const action of ['end', 'end-others']) {
      const device = await startDevice();
      const thief = new Visitor();
      let page = await thief.open(device.verification_uri_complete, home);
      page = await thief.submit(page, {}, home);
      page = await thief.submit(page, { confirm: 'yes' }, home);
      await answerPages(town, thief, page, CREDENTIALS);
      const { body } = await poll(device.device_code);
      const { status, body: renewed } = await refresh(body['refresh_token'] ?? '');
      t.is(status, 200);
      own = await citizen.open(new URL('/konto/sitzungen', town.issuer), home);
      // The newest of the others is named first.
      own = await citizen.submitTo(own, action, {}, home);
      t.is(own.status, 200);
      t.is((await refresh(renewed['refresh_token'] ?? '')).body['error'], 'invalid_grant', action);
      t.is((await userinfo(town, renewed['access_token'] ?? '')).status, 401, action);
    }
    t.regex(own.text, /Geräte und Sitzungen/);
  },
);

test.serial('only devices get device codes', async (t) => {
  const answer = await post(town, '/device/auth', { scope: 'openid', client_id: 'portal' }, basic(town, 'portal'));
  t.is(answer.status, 400);
  t.is(answer.body['error'], 'invalid_request');
  t.regex(answer.body['error_description'] ?? '', /not allowed for this client/);
});

test.serial('a service gets opaque or JWT tokens for an API in its own name, and the API can check them', async (t) => {
  const opaque = await post(
    town,
    '/token',
    { grant_type: 'client_credentials', resource: OPAQUE_API, scope: 'antraege:lesen' },
    basic(town, 'auskunft'),
  );
  t200(opaque.status, opaque.body);
  const checked = await post(
    town,
    '/token/introspection',
    { token: opaque.body['access_token'] ?? '' },
    basic(town, 'antraege'),
  );
  t.like(checked.body, { active: true, client_id: 'auskunft', scope: 'antraege:lesen', aud: OPAQUE_API });
  const others = await post(
    town,
    '/token/introspection',
    { token: opaque.body['access_token'] ?? '' },
    basic(town, 'zaehler'),
  );
  t.deepEqual(others.body as unknown, { active: false });

  const jwt = await post(
    town,
    '/token',
    { grant_type: 'client_credentials', resource: FOREIGN_API, scope: 'antraege:lesen' },
    basic(town, 'auskunft'),
  );
  t200(jwt.status, jwt.body);
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const { payload, protectedHeader } = await jwtVerify(jwt.body['access_token'] ?? '', keys, {
    issuer: town.issuer,
    audience: FOREIGN_API,
  });
  t.is(protectedHeader.typ, 'at+jwt');
  t.like(payload, { client_id: 'auskunft', scope: 'antraege:lesen' });
});

test.serial(
  'for a citizen a service gets tokens for APIs of its own organisation, and for others only if registered',
  async (t) => {
    const proof = pkce();
    const visitor = new Visitor();
    const code = await obtainCode(town, visitor, 'fahrkarte', proof, CREDENTIALS, {
      resource: JWT_API,
      scope: 'openid antraege:lesen',
    });
    const tokens = await redeem(town, 'fahrkarte', code, proof.verifier, { resource: JWT_API });
    t200(tokens.status, tokens.body);
    const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
    const access = await jwtVerify(tokens.body['access_token'] ?? '', keys, { audience: JWT_API });
    const id = await jwtVerify(tokens.body['id_token'] ?? '', keys, { audience: 'fahrkarte' });
    t.is(access.payload.sub, id.payload.sub);
    t.true((access.payload.exp ?? 0) - (access.payload.iat ?? 0) <= 300, 'a JWT cannot be called back');
    t.is(access.payload['scope'], 'antraege:lesen');
    t.is(access.payload['acr'], undefined);

    const foreign = await visitor.open(
      authorizationUrl(town, 'fahrkarte', pkce(), { resource: FOREIGN_API, scope: 'openid antraege:lesen' }),
      atHome(town),
    );
    t.is(new URL(String(foreign.headers['location'])).searchParams.get('error'), 'invalid_target');
    const unknown = await visitor.open(
      authorizationUrl(town, 'fahrkarte', pkce(), { resource: 'https://unbekannt.example/' }),
      atHome(town),
    );
    t.is(new URL(String(unknown.headers['location'])).searchParams.get('error'), 'invalid_target');
  },
);

test.serial('an old secret works beside the new one, and ends with the one after', async (t) => {
  const id = parseClientId('antraege');
  if (id === undefined) throw new Error('no client id');
  const works = async (secret: string): Promise<boolean> =>
    (
      await post(
        town,
        '/token',
        { grant_type: 'client_credentials', resource: JWT_API, scope: 'antraege:lesen' },
        basic(town, 'antraege', secret),
      )
    ).status === 200;
  const until = async (secret: string, wanted: boolean): Promise<boolean> => {
    for (let tries = 0; tries < 50; tries += 1) {
      if ((await works(secret)) === wanted) return true;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return false;
  };
  const rotate = async (): Promise<string> => {
    const added = await clients.addSecret(town.context(), id);
    if (added.outcome !== 'added') throw new Error(added.outcome);
    return added.secret.reveal();
  };
  const first = town.secretOf('antraege');
  t.true(await works(first));
  const second = await rotate();
  t.true(await until(second, true));
  t.true(await works(first));
  const third = await rotate();
  t.true(await until(third, true));
  t.true(await works(second));
  t.false(await works(first));
});

test.serial('a service whose software knows RS256 only gets it', async (t) => {
  const client = await town.app.provider().Client.find('altsystem');
  t.is(client?.idTokenSignedResponseAlg, 'RS256');
});
