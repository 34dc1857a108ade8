/**
 * The reference: oidc-provider with the same settings on a plain Map that lives in the process. It keeps nothing through
 * a crash, seals nothing, spends nothing exactly once, and has no guard, pages or headers around it: what is left is
 * what the library itself costs.
 */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { type Adapter, type AdapterPayload, type Configuration, Provider } from 'oidc-provider';
import type { Registration, Town } from '../../accounts/town.ts';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { newSigningKey } from '../../keys/signing-keys.ts';
import { clientMetadata } from '../../provider/client-metadata.ts';
import { compareHashedSecret, createConfiguration } from '../../provider/configuration.ts';
import type { Registrations } from '../../provider/registrations.ts';

export type ReferenceSettings = {
  issuer: string;
  port: number;
  ring: string;
  town: Town;
  registrations: { registration: Registration; secrets: string[] }[];
  accounts: string[];
  /** The services that the citizens use, with the scopes that they ask for. */
  scopes: Record<string, string>;
};

const started = Promise.withResolvers<ReferenceSettings>();
process.once('message', (message) => started.resolve(message as ReferenceSettings));
const settings = await started.promise;
const ring = parseKeyRing(settings.ring);
if ('faults' in ring) throw new Error('the bench has made a faulty key ring');
const keys = createKeys(ring);
const issuer = new URL(settings.issuer);

const clients = new Map(
  settings.registrations.map(({ registration, secrets }) => [
    registration.clientId,
    { registration, metadata: clientMetadata(registration, secrets, issuer) },
  ]),
);
const registrations = {
  find: (id: string) => clients.get(id)?.registration,
  resource: (identifier: string) =>
    [...clients.values()].find(({ registration }) => registration.resource?.identifier === identifier)?.registration
      .resource,
} as unknown as Registrations;

/** Nothing of it is ever removed but by oidc-provider itself. */
const mapAdapter = (model: string): Adapter => {
  if (model === 'Client') {
    return { find: async (id: string) => clients.get(id)?.metadata } as unknown as Adapter;
  }
  const stored = new Map<string, AdapterPayload>();
  const byUid = new Map<string, string>();
  const byGrant = new Map<string, string[]>();
  return {
    async upsert(id, payload) {
      stored.set(id, payload);
      if (payload.uid !== undefined) byUid.set(payload.uid, id);
      if (payload.grantId !== undefined) {
        const known = byGrant.get(payload.grantId);
        if (known === undefined) byGrant.set(payload.grantId, [id]);
        else known.push(id);
      }
    },
    find: async (id) => stored.get(id),
    findByUid: async (uid) => stored.get(byUid.get(uid) ?? ''),
    findByUserCode: async () => undefined,
    async consume(id) {
      const payload = stored.get(id);
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      stored.delete(id);
    },
    async revokeByGrantId(grantId) {
      for (const id of byGrant.get(grantId) ?? []) stored.delete(id);
      byGrant.delete(grantId);
    },
  };
};

const { privateJwk, kid, alg } = await newSigningKey('ES256');
const configuration = createConfiguration({
  issuer,
  town: settings.town,
  keys,
  context: () => ({ now: () => new Date() }) as never,
  registrations,
  adapter: mapAdapter,
  readAccount: { whole: async () => null, status: async () => null },
  flush: async () => {},
  noteProof: () => {},
  jwks: { keys: [{ ...privateJwk, kid, alg, use: 'sig' }] },
  logoutPages: { logoutSource: () => {}, postLogoutSuccessSource: () => {} },
  renderError: (ctx, out) => {
    ctx.body = out;
  },
  allowPrivateAddresses: false,
  deviceFlow: { enabled: false },
  registration: 'off',
  testSuites: false,
});
const seconds = 12 * 3600;
const cookieKeys = keys.cookieKeys.map((key) => key.toString('hex'));
const plain: Configuration = {
  ...configuration,
  // As the library signs them when it is given keys.
  cookies: { ...configuration.cookies, keys: cookieKeys },
  ttl: { ...configuration.ttl, Grant: seconds },
  findAccount: async (_ctx, id) => ({
    accountId: id,
    claims: async (use) =>
      use === 'id_token'
        ? { sub: id }
        : { sub: id, given_name: 'Änne', family_name: 'Beispiel', email: 'aenne@buerger.example' },
  }),
  loadExistingGrant: async (ctx) => {
    const grantId = ctx.oidc.session?.grantIdFor(ctx.oidc.client?.clientId ?? '');
    return grantId === undefined ? undefined : ctx.oidc.provider.Grant.find(grantId);
  },
};
const provider = new Provider(issuer.origin, plain);
provider.proxy = true;
provider.Client.prototype.compareClientSecret = compareHashedSecret;
provider.on('server_error', (_ctx, error) => console.error(error));

const cookies: string[] = [];
for (const accountId of settings.accounts) {
  const session = new provider.Session();
  session.loginAccount({ accountId, loginTs: Math.floor(Date.now() / 1000), amr: ['pwd'] });
  session.authorizations = {};
  for (const [clientId, scope] of Object.entries(settings.scopes)) {
    const grant = new provider.Grant({ accountId, clientId });
    grant.addOIDCScope(scope);
    session.authorizations[clientId] = { sid: `${clientId}-sid`, grantId: await grant.save() };
  }
  await session.save(seconds);
  const name = '__Host-session';
  // As Keygrip signs.
  const signature = createHmac('sha1', cookieKeys[0] ?? '')
    .update(`${name}=${session.jti}`)
    .digest('base64url');
  cookies.push(`${name}=${session.jti}; ${name}.sig=${signature}`);
}

createServer(provider.callback()).listen(settings.port, '127.0.0.1', () => process.send?.({ cookies }));
process.on('disconnect', () => process.exit(0));
