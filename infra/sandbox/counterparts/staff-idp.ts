/** The staff's identity provider of the sandbox: another oidc-provider, with people who work at a town hall. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { escapeHtml, page } from './page.ts';

export type StaffIdpOptions = {
  readonly port: number;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUri: string;
  readonly backchannelLogoutUri?: string;
};

const PEOPLE = [
  { id: 'k.weber', name: 'Karin Weber, Bürgerbüro', amr: ['pwd', 'otp', 'mfa'], acr: 'urn:town:mfa' },
  { id: 's.yilmaz', name: 'Selim Yılmaz, Einwohnerwesen', amr: ['pwd'], acr: 'urn:town:password' },
] as const;

const SIMULATES = 'Anmeldung der Beschäftigten';

const choice = (uid: string): string =>
  page(
    SIMULATES,
    'Wer meldet sich an?',
    PEOPLE.map(
      ({ id, name }) =>
        `<form method="post" action="/interaction/${escapeHtml(uid)}"><button name="person" value="${id}">${escapeHtml(name)}</button></form>`,
    ).join('') +
      `<form method="post" action="/interaction/${escapeHtml(uid)}"><button name="person" value="">Abbrechen</button></form>`,
  );

export const startStaffIdp = async (
  options: StaffIdpOptions,
): Promise<{ issuer: string; port: number; close(): Promise<void> }> => {
  const server = createServer();
  await new Promise<void>(
    (resolve, reject) => void server.once('error', reject).listen(options.port, '127.0.0.1', resolve),
  );
  const { port } = server.address() as AddressInfo;
  const issuer = `http://localhost:${port}`;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: options.clientId,
        client_secret: options.clientSecret,
        redirect_uris: [options.redirectUri],
        id_token_signed_response_alg: 'ES256',
        ...(options.backchannelLogoutUri !== undefined && {
          backchannel_logout_uri: options.backchannelLogoutUri,
          backchannel_logout_session_required: true,
        }),
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'staff', alg: 'ES256', use: 'sig' }] },
    acrValues: PEOPLE.map(({ acr }) => acr),
    claims: { openid: ['sub'], acr: null, amr: null, auth_time: null, sid: null },
    cookies: {
      keys: ['sandbox'],
      names: { session: 'staff_session', interaction: 'staff_interaction', resume: 'staff_resume' },
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      claimsParameter: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    // Without its dispatcher, which refuses addresses of this machine: in the sandbox everybody is here.
    fetch: (url, init) => {
      const { dispatcher: _, ...rest } = { dispatcher: undefined, ...init };
      return fetch(url, rest as RequestInit);
    },
    pkce: { required: () => true },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({
        accountId: ctx.oidc.session?.accountId as string,
        clientId: options.clientId,
      });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    const [, uid] = /^\/interaction\/([\w-]+)$/.exec(ctx.path) ?? [];
    if (uid === undefined) return next();
    if (ctx.method === 'GET') {
      ctx.type = 'html';
      ctx.body = choice(uid);
      return;
    }
    let body = '';
    for await (const chunk of ctx.req) body += String(chunk);
    const person = PEOPLE.find(({ id }) => id === new URLSearchParams(body).get('person'));
    const result =
      person === undefined
        ? { error: 'access_denied', error_description: 'the person went back' }
        : { login: { accountId: person.id, amr: [...person.amr], acr: person.acr } };
    ctx.respond = false;
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
  });
  server.on('request', provider.callback());
  return {
    issuer,
    port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
