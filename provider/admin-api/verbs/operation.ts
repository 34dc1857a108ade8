import * as clients from '../../../accounts/clients.ts';
import { parseClientId } from '../../../accounts/ids.ts';
import * as noticeDesk from '../../../accounts/notice-desk.ts';
import * as signingKeys from '../../../accounts/signing-keys.ts';
import type { Registration } from '../../../accounts/town.ts';
import { formatTownFault, readServices } from '../../../adapters/town.ts';
import { examine } from '../doctor.ts';
import { integer, optional, parsed, text } from '../input.ts';
import { type AdminDeps, type Answer, changes, ok, reads, readsLong, refuse, type Verb } from '../verb.ts';

const MAX_FILES = 500;
const clientId = parsed(parseClientId);

type ServiceFile = { readonly name: string; readonly text: string };

const files = parsed((value): ServiceFile[] | undefined => {
  if (!Array.isArray(value) || value.length > MAX_FILES) return undefined;
  return value.every(
    (file) =>
      typeof file?.name === 'string' && /^[\w.-]{1,80}\.ya?ml$/.test(file.name) && typeof file.text === 'string',
  )
    ? value
    : undefined;
});

/** The fields in which two registrations differ, each with before and after. */
const differences = (before: Registration, after: Registration) => {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort() as (keyof Registration)[];
  return names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((field) => ({ field, before: before[field] ?? null, after: after[field] ?? null }));
};

const plan = async (
  ctx: Parameters<typeof clients.all>[0],
  deps: AdminDeps,
  wanted: readonly ServiceFile[],
): Promise<{ registrations: Registration[]; changes: object[] } | Extract<Answer, { ok: false }>> => {
  const read = readServices(deps.town, wanted, { localhost: deps.localhost });
  if ('faults' in read) {
    return { ok: false, reason: 'files-faulty', detail: { faults: read.faults.map(formatTownFault) } };
  }
  const inForce = new Map((await clients.all(ctx)).map(({ registration }) => [registration.clientId, registration]));
  const all = read.registrations.map((registration) => {
    const before = inForce.get(registration.clientId);
    inForce.delete(registration.clientId);
    if (before === undefined) return { client: registration.clientId, change: 'add' as const, fields: [] };
    return { client: registration.clientId, change: 'change' as const, fields: differences(before, registration) };
  });
  const removed = [...inForce.keys()].map((client) => ({ client, change: 'remove' as const, fields: [] }));
  return {
    registrations: read.registrations,
    changes: [...all.filter(({ change, fields }) => change !== 'change' || fields.length > 0), ...removed],
  };
};

const needsSecret = ({ authMethod }: Registration): boolean => authMethod.startsWith('client_secret');

export const operationVerbs = {
  'client list': reads({}, async ({ ctx }) =>
    ok({
      clients: (await clients.all(ctx)).map(({ registration, secrets }) => ({
        client: registration.clientId,
        organisation: registration.organisation,
        name: registration.name.de,
        kind: registration.kind,
        secrets: secrets.length,
      })),
    }),
  ),

  'client show': reads({ client: clientId }, async ({ ctx, input }) => {
    const found = await clients.find(ctx, input.client);
    return found === undefined
      ? refuse('unknown')
      : ok({ registration: found.registration, secrets: found.secrets.length });
  }),

  'client plan': reads({ files }, async ({ ctx, deps, input }) => {
    const planned = await plan(ctx, deps, input.files);
    return 'ok' in planned ? planned : ok({ changes: planned.changes });
  }),

  'client apply': changes({ files }, async ({ ctx, deps, input, commit }) => {
    const planned = await plan(ctx, deps, input.files);
    if ('ok' in planned) return planned;
    const known = new Map((await clients.all(ctx)).map((one) => [one.registration.clientId, one]));
    const wanted = planned.registrations.map((registration) => {
      const due = needsSecret(registration) && (known.get(registration.clientId)?.secrets.length ?? 0) === 0;
      return due ? { registration, secret: clients.newClientSecret() } : { registration };
    });
    await clients.apply(ctx, wanted);
    const secrets = wanted.flatMap(({ registration, secret }) =>
      secret === undefined ? [] : [{ client: registration.clientId, ...(commit && { secret: secret.reveal() }) }],
    );
    return ok({ changes: planned.changes, secrets });
  }),

  'client rotate-secret': changes({ client: clientId }, async ({ ctx, input, commit }) => {
    const added = await clients.addSecret(ctx, input.client);
    if (added.outcome !== 'added') return refuse('unknown');
    return ok(commit ? { secret: added.secret.reveal() } : {});
  }),

  'keys list': reads({}, async ({ ctx }) => ok({ keys: await signingKeys.list(ctx) })),

  'keys rotate': changes({}, async ({ ctx }) => {
    const rotated = await signingKeys.rotate(ctx);
    return ok({ kid: rotated.kid, again: rotated.outcome === 'next-exists' });
  }),

  'keys revoke': changes({ kid: text(64, /^[A-Za-z0-9_-]+$/) }, async ({ ctx, input }) => {
    const revoked = await signingKeys.revoke(ctx, input.kid);
    return revoked.outcome === 'unknown' ? refuse('unknown') : ok({ again: revoked.outcome === 'unchanged' });
  }),

  'notices list': reads({ limit: optional(integer(1, 500)) }, async ({ ctx, input }) =>
    ok({ notices: await noticeDesk.list(ctx, input.limit ?? 100) }),
  ),

  'notices retry': changes({}, async ({ ctx }) => ok({ count: await noticeDesk.retry(ctx) })),

  doctor: readsLong({}, async ({ ctx, deps }) => ok({ findings: await examine(ctx, deps) })),
} as const satisfies Record<string, Verb>;
