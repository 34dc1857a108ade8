/** What a bench run needs: a durable Postgres of its own, services, citizens, and the processes that are compared. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as accounts from '../../accounts/accounts.ts';
import * as attributes from '../../accounts/attributes.ts';
import * as clients from '../../accounts/clients.ts';
import * as consents from '../../accounts/consents.ts';
import type { Context } from '../../accounts/context.ts';
import { parseEmail } from '../../accounts/email.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import { hashNew } from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import type { ClaimUse, Registration } from '../../accounts/town.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { connect, migrate } from '../../adapters/postgres.ts';
import { loadTown } from '../../adapters/town.ts';
import { startPostgres } from '../../infra/sandbox/postgres.ts';
import { newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { SoftPasskey } from '../harness/authenticator.ts';
import { freePort } from '../harness/free-port.ts';
import { startMailSink } from '../harness/mail-sink.ts';
import type { BareSettings } from './bare.ts';
import { ALL_CORES, type Child, confine, start } from './processes.ts';
import type { ReferenceSettings } from './reference.ts';
import {
  API,
  APP_CALLBACK,
  type Citizen,
  PASSWORD,
  PORTAL_CALLBACK,
  SCOPES,
  signIn,
  type Target,
} from './scenarios.ts';
import type { ServerSettings } from './server.ts';
import { Wire } from './wire.ts';

const HOST = 'id.bench.example';
const ISSUER = `https://${HOST}`;
const CITIZENS = 32;
const TOWN_FILE = fileURLToPath(new URL('../../infra/towns/guetersloh/town.yaml', import.meta.url));
const MIGRATIONS = fileURLToPath(new URL('../../infra/migrations/', import.meta.url));

const use = (claim: string): ClaimUse => ({
  claim,
  required: false,
  purpose: { de: 'Damit wir Ihren Antrag bearbeiten' },
  legalBasis: { de: 'Art. 6 Abs. 1 Buchst. a DSGVO' },
});
const base = {
  name: { de: 'Dienst' },
  description: { de: 'Ein Dienst' },
  redirectUris: [] as string[],
  postLogoutRedirectUris: [],
  claims: [] as ClaimUse[],
  refreshTokens: false,
  needsEmail: false,
  corsOrigins: [],
  contacts: [],
};

export const services = (organisation: string): Registration[] => [
  {
    ...base,
    organisation,
    clientId: 'portal',
    kind: 'web',
    authMethod: 'client_secret_basic',
    redirectUris: [PORTAL_CALLBACK],
    claims: [use('given_name'), use('family_name'), use('email')],
  },
  {
    ...base,
    organisation,
    clientId: 'app',
    kind: 'native',
    authMethod: 'none',
    redirectUris: [APP_CALLBACK],
    refreshTokens: true,
  },
  { ...base, organisation, clientId: 'maschine', kind: 'api', authMethod: 'client_secret_basic' },
  {
    ...base,
    organisation,
    clientId: 'schnittstelle',
    kind: 'api',
    authMethod: 'client_secret_basic',
    resource: { identifier: API, scopes: ['lesen'], tokens: 'jwt' },
  },
];

export const addCitizens = async (
  ctx: Context,
  portal: Registration,
  count: number,
): Promise<(Citizen & { account: AccountId })[]> => {
  const town = { id: 'guetersloh' };
  const hashing = createHashing({ processes: 1, queue: 1 });
  const hash = await hashNew(ctx, hashing, new Secret(PASSWORD));
  await hashing.close();
  const citizens: (Citizen & { account: AccountId })[] = [];
  for (let number = 0; number < count; number += 1) {
    const email = `buerger${number}@stadt.example`;
    const address = parseEmail(email);
    if (address === undefined) throw new Error('not an address');
    const registered = await accounts.register(ctx, {
      town,
      language: 'de',
      email: address,
      credential: { kind: 'password', hash },
    });
    if (registered.outcome !== 'registered') throw new Error(registered.outcome);
    const { account } = registered;
    await attributes.record(ctx, account, { given_name: 'Änne', family_name: `Beispiel-${number}` }, 'self');
    await consents.record(ctx, account, portal, { given: ['given_name', 'family_name', 'email'], refused: [] });
    const loaded = await accounts.load(ctx, account);
    if (loaded === undefined) throw new Error('no account');
    const passkey = new SoftPasskey(loaded.passkeyHandle);
    const rp = { id: HOST, origin: ISSUER, name: 'Bench' };
    const { challenge } = await passkeys.creationOptions(ctx, rp, {
      handle: loaded.passkeyHandle,
      name: email,
      displayName: email,
      exclude: [],
    });
    const created = await passkeys.verifyCreation(
      rp,
      challenge,
      passkey.create({ challenge, origin: ISSUER, rpId: HOST }),
    );
    if (created.outcome !== 'ok') throw new Error(created.reason);
    await passkeys.add(ctx, account, created.passkey);
    citizens.push({ email, cookie: '', passkey, account });
  }
  return citizens;
};

export type Stage = {
  readonly ours: Target & { child: Child };
  readonly reference: Target & { child: Child };
  readonly bare: Target & { child: Child };
  readonly databaseUrl: string;
  /** Process id of the database. */
  readonly databasePid: number;
  close(): Promise<void>;
};

/** Reached by its socket; memory and log as Postgres itself has them, and not as the sandbox spares a laptop. */
const POSTGRES = ['unix_socket_directories=.', 'shared_buffers=128MB', 'min_wal_size=80MB', 'max_wal_size=1GB'];

/** As a provider reaches a Postgres on its own machine (docs/handbuch). */
const bySocket = ({ url, folder }: { url: string; folder: string }): string => {
  const { username, password, port, pathname } = new URL(url);
  return `postgres://${username}:${password}@${pathname}?host=${encodeURIComponent(folder)}&port=${port}`;
};

/** Starts everything and signs the citizens in. */
export const openStage = async (redisUrl?: string): Promise<Stage> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-bench-'));
  const undo: (() => Promise<unknown> | unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const database = await startPostgres(folder, 'bench', { settings: POSTGRES });
    undo.push(() => database.stop());
    const databaseUrl = bySocket(database);
    await migrate(databaseUrl, MIGRATIONS);
    const postgres = connect(databaseUrl, { applicationName: 'bench-load', max: 4 });
    undo.push(() => postgres.close());
    const ringText = newKeyRing();
    const ring = parseKeyRing(ringText);
    const loaded = loadTown(TOWN_FILE);
    if ('faults' in ring || 'faults' in loaded) throw new Error('no ring or town');
    const keys = createKeys(ring);
    const ctx: Context = { db: postgres.knex, now: () => new Date(), keys, actor: { kind: 'system', part: 'bench' } };

    const registrations = services(loaded.town.organisations[0]?.id ?? '');
    const secrets = new Map(registrations.map(({ clientId }) => [clientId, clients.newClientSecret()]));
    await clients.apply(
      ctx,
      registrations.map((registration) => ({ registration, secret: secrets.get(registration.clientId) })),
    );
    const portal = registrations.find(({ clientId }) => clientId === 'portal');
    if (portal === undefined) throw new Error('no portal');
    const citizens = await addCitizens(ctx, portal, CITIZENS);
    const secretOf = (clientId: string): string => secrets.get(clientId)?.reveal() ?? '';
    const shared = { host: HOST, origin: ISSUER, secretOf };

    // Citizens are told of sign-ins from a browser that is new to them; a mail that cannot leave would be tried again.
    const mail = await startMailSink();
    undo.push(() => mail.close());
    const port = await freePort();
    const settings: ServerSettings = {
      issuer: ISSUER,
      port,
      databaseUrl,
      redisUrl,
      smtpUrl: mail.url,
      ring: ringText,
      townFile: TOWN_FILE,
    };
    const server = await start<{ hashing: number[] }>('server.ts', settings);
    undo.push(() => server.stop());
    // Hashing is bound to no core: in production the kernel puts it wherever nothing else runs.
    for (const pid of server.ready.hashing) confine(pid, ALL_CORES);
    const ours = { ...shared, port, citizens, child: server };
    const wire = new Wire(HOST, port);
    for (const citizen of citizens) citizen.cookie = (await signIn(ours, wire, citizen, 'password')).session();

    const referencePort = await freePort();
    const referenceSettings: ReferenceSettings = {
      issuer: ISSUER,
      port: referencePort,
      ring: ringText,
      town: loaded.town,
      registrations: (await clients.all(ctx)).map(({ registration, secrets: hashes }) => ({
        registration,
        secrets: [...hashes],
      })),
      accounts: citizens.map(({ account }) => account),
      scopes: SCOPES,
    };
    const referenceChild = await start<{ cookies: string[] }>('reference.ts', referenceSettings);
    undo.push(() => referenceChild.stop());
    const { cookies } = referenceChild.ready;
    const reference = {
      ...shared,
      port: referencePort,
      citizens: citizens.map((citizen, index) => ({ ...citizen, cookie: cookies[index] ?? '' })),
      child: referenceChild,
    };

    const barePort = await freePort();
    const documents: BareSettings['documents'] = {};
    for (const path of ['/.well-known/openid-configuration', '/jwks']) {
      const { body, headers } = await wire.send(path);
      documents[path] = { body, type: headers.get('content-type')?.[0] ?? '' };
    }
    wire.close();
    const bareChild = await start('bare.ts', { port: barePort, documents } satisfies BareSettings);
    undo.push(() => bareChild.stop());
    const bare = { ...shared, port: barePort, citizens, child: bareChild };

    const databasePid = Number(readFileSync(path.join(database.folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
    return { ours, reference, bare, databaseUrl, databasePid, close };
  } catch (error) {
    await close();
    throw error;
  }
};
