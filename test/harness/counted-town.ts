/** The whole provider with a signed-in visitor, and a count of how often its requests go to the store. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Redis } from 'ioredis';
import pg from 'pg';
import * as consents from '../../accounts/consents.ts';
import type { Registration } from '../../accounts/town.ts';
import { MACHINE } from './machine.ts';
import { addCitizen, obtainCode, pkce } from './relying-party.ts';
import { type RunningTown, startTown } from './town.ts';
import { Visitor } from './visitor.ts';

export const CREDENTIALS = { email: 'zaehlen@buerger.example', password: 'vier grüne Äpfel im Korb' };
const API: Registration = {
  ...MACHINE,
  clientId: 'schnittstelle',
  resource: { identifier: 'https://api.stadt.example/', scopes: ['lesen'], tokens: 'jwt' },
};
const APP: Registration = {
  ...MACHINE,
  clientId: 'app',
  kind: 'native',
  authMethod: 'none',
  redirectUris: ['https://app.stadt.example/callback'],
  refreshTokens: true,
};

/** Statements of requests only: background work runs outside of this store. */
const counting = new AsyncLocalStorage<true>();
export const seen: string[] = [];
/** The connections of this process that have asked anything. */
export const clients = new Set<pg.Client>();
const plain = pg.Client.prototype.query;
pg.Client.prototype.query = function counted(this: pg.Client, ...args: unknown[]) {
  clients.add(this);
  if (counting.getStore() === true) seen.push(String((args[0] as { text?: string }).text ?? args[0]));
  return Reflect.apply(plain, this, args);
} as typeof plain;

const plainSend = Redis.prototype.sendCommand;
Redis.prototype.sendCommand = function counted(this: Redis, ...args: Parameters<typeof plainSend>) {
  if (counting.getStore() === true) seen.push(`Redis ${args[0].name}`);
  return Reflect.apply(plainSend, this, args);
};

const around: NonNullable<Parameters<typeof startTown>[0]>['around'] = (handler) => (req, res) =>
  counting.run(true, () => handler(req, res));
const registrations = [MACHINE, API, APP];

/** A citizen has consented to the portal and has a running session. */
export const openCountedTown = async (
  options: Parameters<typeof startTown>[0] = {},
): Promise<[RunningTown, Visitor]> => {
  const opened = await startTown({ registrations, around, ...options });
  const account = await addCitizen(opened, CREDENTIALS.email, CREDENTIALS.password);
  const portal = opened.registrations.find(({ clientId }) => clientId === 'portal');
  if (portal === undefined) throw new Error('no service');
  const given = portal.claims.map(({ claim }) => claim);
  await consents.record(opened.context(), account, portal, { given, refused: [] });
  const signedIn = new Visitor();
  await obtainCode(opened, signedIn, 'fahrkarte', pkce(), CREDENTIALS);
  return [opened, signedIn];
};

/** How many statements and commands the requests of some work take; `seen` holds them. */
export const statements = async (work: () => Promise<unknown>): Promise<number> => {
  seen.length = 0;
  await work();
  return seen.length;
};
