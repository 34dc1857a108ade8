/** A town with a FAPI 2.0 client of every variant. */
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { type ClientAuthority, selfSigned, startAuthority } from './client-certificates.ts';
import { FapiClient, type Variant } from './fapi-client.ts';
import { addCitizen } from './relying-party.ts';
import { type RunningTown, startTown } from './town.ts';

export const CREDENTIALS = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' };

export type FapiName = 'jwtdpop' | 'jwtmtls' | 'tlstls' | 'selftls' | 'signing';

export type FapiTown = {
  readonly town: RunningTown;
  readonly authority: ClientAuthority;
  readonly clients: Readonly<Record<FapiName, FapiClient>>;
};

export const startFapiTown = async (options: Parameters<typeof startTown>[0] = {}): Promise<FapiTown> => {
  const authority = await startAuthority();
  const byAuthority = (name: string) => authority.issue(`${name}.bank.example`);
  const variants: Record<FapiName, Omit<Variant, 'clientId'>> = {
    jwtdpop: { auth: 'private_key_jwt', bound: 'dpop' },
    jwtmtls: { auth: 'private_key_jwt', bound: 'mtls', certificate: await byAuthority('jwtmtls') },
    tlstls: { auth: 'tls_client_auth', bound: 'mtls', certificate: await byAuthority('tlstls') },
    selftls: { auth: 'self_signed_tls_client_auth', bound: 'mtls', certificate: await selfSigned('selftls') },
    signing: { auth: 'private_key_jwt', bound: 'dpop', signing: true },
  };
  const create = (name: FapiName) => FapiClient.create({ clientId: name, ...variants[name] });
  const clients = {
    jwtdpop: await create('jwtdpop'),
    jwtmtls: await create('jwtmtls'),
    tlstls: await create('tlstls'),
    selftls: await create('selftls'),
    signing: await create('signing'),
  };
  const town = await startTown({
    ...options,
    clientAuthority: authority.pem,
    registrations: await Promise.all(Object.values(clients).map((client) => client.registration())),
  });
  for (const client of Object.values(clients)) client.town = town;
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  return { town, authority, clients };
};

/** What the service got back; opened, if it was signed (JARM). */
export const opened = async (town: RunningTown, back: URLSearchParams, clientId: string): Promise<URLSearchParams> => {
  const response = back.get('response');
  if (response === null) return back;
  const keys = createRemoteJWKSet(new URL('/jwks', town.issuer));
  const { payload } = await jwtVerify(response, keys, { issuer: town.issuer, audience: clientId });
  return new URLSearchParams(Object.entries(payload).map(([name, value]) => [name, String(value)]));
};
