import * as clients from '../../../accounts/clients.ts';
import type { Context } from '../../../accounts/context.ts';
import { parseClientId } from '../../../accounts/ids.ts';
import * as proposals from '../../../accounts/service-proposals.ts';
import * as staff from '../../../accounts/staff.ts';
import type { Registration } from '../../../accounts/town.ts';
import { formatTownFault, readServices } from '../../../adapters/town.ts';
import { proposalNumber } from '../fields.ts';
import { parsed } from '../input.ts';
import { type AdminDeps, type Answer, changes, ok, reads, refuse, type Verb } from '../verb.ts';

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
const differences = (before: Partial<Registration>, after: Registration) => {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort() as (keyof Registration)[];
  return names
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((field) => ({ field, before: before[field] ?? null, after: after[field] ?? null }));
};

type Change = {
  readonly client: string;
  readonly change: 'add' | 'change' | 'remove';
  readonly fields: readonly { field: string; before: unknown; after: unknown }[];
};

/** What would be otherwise if exactly these registrations were in force. */
const changesTo = async (ctx: Context, wanted: readonly Registration[]): Promise<Change[]> => {
  const inForce = new Map((await clients.all(ctx)).map(({ registration }) => [registration.clientId, registration]));
  const all = wanted.map((registration): Change => {
    const { clientId: client } = registration;
    const before = inForce.get(client);
    inForce.delete(client);
    if (before === undefined) return { client, change: 'add', fields: differences({}, registration) };
    return { client, change: 'change', fields: differences(before, registration) };
  });
  const removed = [...inForce.keys()].map((client): Change => ({ client, change: 'remove', fields: [] }));
  return [...all.filter(({ change, fields }) => change !== 'change' || fields.length > 0), ...removed];
};

type Planned = { registrations: Registration[]; changes: Change[] } | Extract<Answer, { ok: false }>;

const plan = async (ctx: Context, deps: AdminDeps, wanted: readonly ServiceFile[]): Promise<Planned> => {
  const read = readServices(deps.town, wanted, { localhost: deps.localhost });
  if ('faults' in read)
    return { ok: false, reason: 'files-faulty', detail: { faults: read.faults.map(formatTownFault) } };
  return { registrations: read.registrations, changes: await changesTo(ctx, read.registrations) };
};

const namesOf = (all: readonly Change[], kind: Change['change']): string[] =>
  all.flatMap(({ client, change }) => (change === kind ? [client] : []));

/** Secrets are shown this once, and not in a dry run, after which they are none. */
const shown = (secrets: readonly proposals.NewSecret[], commit: boolean) =>
  secrets.map(({ client, secret }) => ({ client, ...(commit && { secret: secret.reveal() }) }));

const waitingOf = async (ctx: Context) => {
  const proposal = await proposals.waiting(ctx);
  if (proposal === undefined) return {};
  const by = (await staff.list(ctx)).find(({ id }) => id === proposal.proposedBy)?.name;
  return { proposal: { number: proposal.number, proposedBy: by, proposedAt: proposal.proposedAt } };
};

export const clientVerbs = {
  'client list': reads({}, async ({ ctx }) =>
    ok({
      ...(await waitingOf(ctx)),
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

  'client apply': changes({ files }, async ({ ctx, by, deps, input, commit }) => {
    const planned = await plan(ctx, deps, input.files);
    if ('ok' in planned) return planned;
    const { registrations, changes: all } = planned;
    if (all.length === 0) return ok({ changes: all, secrets: [], again: true });
    if (!deps.twoForServices)
      return ok({ changes: all, secrets: shown(await proposals.putInForce(ctx, registrations), commit) });
    const { number, again } = await proposals.propose(ctx, by.id, registrations, {
      added: namesOf(all, 'add'),
      changed: namesOf(all, 'change'),
      removed: namesOf(all, 'remove'),
    });
    return ok({ changes: all, again, ...(commit && { number }) });
  }),

  'client approve': changes({ number: proposalNumber }, async ({ ctx, by, input, commit }) => {
    const proposal = await proposals.find(ctx, input.number);
    const all = proposal?.status === 'open' ? await changesTo(ctx, proposal.registrations) : [];
    const approved = await proposals.approve(ctx, by.id, input.number);
    if (approved.outcome === 'not-open') return refuse('not-open', { status: approved.status });
    if (approved.outcome !== 'applied') return refuse(approved.outcome);
    const { again, secrets } = approved;
    return ok({ number: input.number, changes: all, secrets: shown(secrets, commit), again });
  }),

  'client rotate-secret': changes({ client: clientId }, async ({ ctx, input, commit }) => {
    const added = await clients.addSecret(ctx, input.client);
    if (added.outcome !== 'added') return refuse('unknown');
    return ok(commit ? { secret: added.secret.reveal() } : {});
  }),
} as const satisfies Record<string, Verb>;
