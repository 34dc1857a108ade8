import type { Logger } from 'pino';
import type { Context } from '../accounts/context.ts';
import * as identities from '../accounts/identities.ts';
import type { Town } from '../accounts/town.ts';
import { createBundId } from '../adapters/bundid.ts';
import { createEidServer } from '../adapters/eid-server.ts';
import { communityIdOf, createEidSource } from '../adapters/eid-source.ts';
import type { OidcStore } from '../adapters/oidc-store.ts';
import type { SourceSettings } from '../adapters/source-config.ts';
import { createUpstream } from '../adapters/upstream-oidc.ts';
import type { Sources } from '../interactions/identity/sources.ts';

type Parts = { town: Town; store: OidcStore; now: () => Date; log: Logger };

/** Binds the identity sources to the shared store, which remembers for all nodes what was seen before. */
export const createSources = (
  settings: SourceSettings,
  { town, store, now, log }: Parts,
): { sources: Sources; close(): void } => {
  const marks = store.adapterFor('ReplayDetection');
  const once =
    (source: string) =>
    async (mark: string, ttlSeconds: number): Promise<boolean> => {
      const id = `source ${source} ${mark}`;
      // Looking for a mark sets it (oidc-replay-marks.ts); the second call only settles how long it stays.
      if ((await marks.find(id)) !== undefined) return false;
      await marks.upsert(id, {}, ttlSeconds);
      return true;
    };
  const server = settings.eid && createEidServer(settings.eid, { now, once: once('eid'), log });
  const { client } = settings.eid ?? {};
  const communityId = communityIdOf(town.municipalityKey);
  return {
    sources: {
      ...(server && { eid: createEidSource(server, { communityId, now, ...(client && { client }) }) }),
      ...(settings.bundid && { bundid: createBundId(settings.bundid, { now, once: once('bundid'), log }) }),
      ...(settings.upstream && { upstream: createUpstream(settings.upstream, { now, once: once('upstream'), log }) }),
    },
    close: () => server?.close(),
  };
};

/** Ends the sessions of a member of staff whom the upstream provider has signed out. */
export const endStaffSessions =
  (context: () => Context, store: OidcStore) =>
  async (issuer: string, subject: string): Promise<void> => {
    const account = await identities.accountOf(context(), {
      source: 'staff',
      issuer,
      identifier: subject,
      level: 'none',
      attributes: {},
    });
    if (account !== undefined) await store.endSessions(account);
  };
