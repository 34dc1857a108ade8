/** The sandbox's side of its counterparts: their keys, their processes, and what the provider must know of them. */
import { fork } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Town } from '../../../accounts/town.ts';
import type { SourceSettings } from '../../../adapters/source-config.ts';
import { Obstacle } from '../obstacle.ts';
import { createAuthority, type Pair, xmlPair } from './certificates.ts';
import type { Part } from './main.ts';

type Keys = Readonly<Record<'tlsServer' | 'tlsClient' | 'town' | 'eidServer' | 'bundid', Pair>> & {
  readonly authority: string;
};

export type CounterpartPorts = {
  readonly soap: number;
  readonly paos: number;
  readonly eidClient: number;
  readonly bundid: number;
  readonly staff: number;
};

const newKeys = async (): Promise<Keys> => {
  const authority = await createAuthority();
  const [tlsServer, tlsClient, town, eidServer, bundid] = await Promise.all([
    authority.issue('localhost', 'server'),
    authority.issue('eservice', 'client'),
    xmlPair('Stadt'),
    xmlPair('eID-Server'),
    xmlPair('BundID'),
  ]);
  return { authority: authority.certificate, tlsServer, tlsClient, town, eidServer, bundid };
};

/** Keys of the sandbox's counterparts, made at the first start. They protect nothing. */
export const counterpartKeys = async (folder: string): Promise<Keys> => {
  const file = join(folder, 'counterparts.json');
  if (existsSync(file)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Keys;
    } catch {
      // Cut off while it was written: made again.
    }
  }
  const keys = await newKeys();
  writeFileSync(file, JSON.stringify(keys), { mode: 0o600 });
  chmodSync(file, 0o600);
  return keys;
};

const BUNDID = 'https://bundid.example/idp';
const ENTITY_ID = 'https://stadtschluessel.example';
const STAFF_CLIENT = { clientId: 'stadtschluessel', clientSecret: 'sandbox-secret-of-the-staff-provider' } as const;
const MAX_SESSIONS = 10_000;

type Place = { readonly issuer: URL; readonly ports: CounterpartPorts; readonly town: Town; readonly keys: Keys };

/** How the provider reaches the counterparts. */
export const counterpartSources = ({ issuer, ports, town, keys }: Place): SourceSettings => ({
  eid: {
    url: new URL(`https://localhost:${ports.soap}/eid`),
    tls: { key: keys.tlsClient.key, certificate: keys.tlsClient.certificate, authority: keys.authority },
    signing: keys.town,
    serverCertificates: [keys.eidServer.certificate],
    client: new URL(`http://127.0.0.1:${ports.eidClient}/eID-Client`),
  },
  bundid: {
    entityId: ENTITY_ID,
    acsUrl: new URL('/bundid/acs', issuer),
    idp: {
      entityId: BUNDID,
      ssoUrl: new URL(`http://localhost:${ports.bundid}/idp/profile/SAML2/POST/SSO`),
      certificates: [keys.bundid.certificate],
    },
    signing: keys.town,
    encryption: [keys.town],
    organisation: `Stadt ${town.name.de}`,
    onlineServiceId: 'BMI-X0000',
    backUrl: issuer,
  },
  upstream: {
    ...STAFF_CLIENT,
    issuer: new URL(`http://localhost:${ports.staff}`),
    redirectUri: new URL('/upstream/callback', issuer),
    levels: { 'urn:town:mfa': 'substantial' },
    insecureLoopback: true,
  },
});

const parts = ({ issuer, ports, town, keys }: Place): Part[] => [
  {
    kind: 'eid',
    server: {
      soapPort: ports.soap,
      paosPort: ports.paos,
      tls: keys.tlsServer,
      authority: keys.authority,
      signing: keys.eidServer,
      eService: keys.town.certificate,
      terminal: { subjectName: `Stadt ${town.name.de}`, subjectUrl: issuer.origin, tlsHashes: [] },
      maxSessions: MAX_SESSIONS,
    },
    client: { port: ports.eidClient },
  },
  {
    kind: 'bundid',
    options: {
      port: ports.bundid,
      entityId: BUNDID,
      signing: keys.bundid,
      service: {
        entityId: ENTITY_ID,
        acsUrl: new URL('/bundid/acs', issuer).href,
        signing: keys.town.certificate,
        encryption: keys.town.certificate,
      },
    },
  },
  {
    kind: 'staff',
    options: {
      ...STAFF_CLIENT,
      port: ports.staff,
      redirectUri: new URL('/upstream/callback', issuer).href,
      backchannelLogoutUri: new URL('/upstream/logout', issuer).href,
    },
  },
];

const startProcess = (part: Part): Promise<{ stop(): Promise<void> }> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('main.ts', import.meta.url)), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const ended = new Promise<void>((done) => void child.once('exit', () => done()));
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Obstacle(`The counterpart ${part.kind} ended at its start (code ${code}).`)),
    );
    child.once('message', (message: { failed?: string }) => {
      if (message.failed !== undefined)
        reject(new Obstacle(`The counterpart ${part.kind} does not start: ${message.failed}.`));
      else
        resolve({
          stop: async () => {
            if (child.connected) child.disconnect();
            await ended;
          },
        });
    });
    child.send(part);
  });

/** Starts the counterparts, each in its process. */
export const startCounterparts = (place: Place): Promise<{ stop(): Promise<void> }[]> =>
  Promise.all(parts(place).map(startProcess));
