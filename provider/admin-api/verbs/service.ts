import * as clientFailures from '../../../accounts/client-failures.ts';
import * as clients from '../../../accounts/clients.ts';
import * as dynamicClients from '../../../accounts/dynamic-clients.ts';
import { type ClientId, parseClientId } from '../../../accounts/ids.ts';
import type { Registration } from '../../../accounts/town.ts';
import { trialRegistration } from '../../dynamic-registration.ts';
import { check } from '../checker.ts';
import { optional, parsed, text } from '../input.ts';
import { endLiveSessions } from '../live-session.ts';
import { type Call, ok, readsLong, refuse, type Verb } from '../verb.ts';

const clientId = parsed((value): ClientId | undefined =>
  typeof value === 'string' ? parseClientId(value) : undefined,
);

/** Whether a member of staff may look at a service: operators at all, its own people (`contacts`) at theirs. */
const mayLook = ({ by }: Pick<Call<unknown>, 'by'>, registration: Registration): boolean =>
  by.roles.includes('operator') ||
  registration.contacts.some((contact) => contact.toLowerCase() === by.email.toLowerCase());

const registrationOf = async (
  call: Call<{ readonly client: ClientId }>,
): Promise<{ registration: Registration; secrets: number } | undefined> => {
  const { ctx, input } = call;
  const found = await clients.find(ctx, input.client);
  if (found !== undefined) return { registration: found.registration, secrets: found.secrets.length };
  const trial = await dynamicClients.find(ctx, input.client);
  return trial && { registration: trialRegistration(trial), secrets: 1 };
};

/** What the people of a service need to get it running. */
export const serviceVerbs = {
  'client diagnose': readsLong({ client: clientId }, async (call) => {
    const found = await registrationOf(call);
    // A service that is not theirs is no more there for them than one that does not exist.
    if (found === undefined || !mayLook(call, found.registration)) return refuse('unknown');
    await call.deps.noteFailures();
    return ok({
      client: call.input.client,
      now: call.ctx.now(),
      failures: await clientFailures.list(call.ctx, call.input.client),
      requests: await clientFailures.shapes(call.ctx, call.input.client),
    });
  }),

  'client check': readsLong({ client: clientId, citizen: optional(text(254)) }, async (call) => {
    const found = await registrationOf(call);
    if (found === undefined || !mayLook(call, found.registration)) return refuse('unknown');
    const { ctx, deps } = call;
    const { client, citizen } = call.input;
    if (citizen !== undefined && deps.operation.real) return refuse('sandbox-only');
    const live = citizen === undefined ? [] : await endLiveSessions(call, client, citizen);
    if (live === undefined) return refuse('unknown');
    await deps.noteFailures();
    const parts = { issuer: deps.issuer, allowPrivate: deps.localhost, mutualTls: deps.mutualTls };
    return ok({ client, findings: [...(await check({ ...found, ctx, parts })), ...live] });
  }),
} as const satisfies Record<string, Verb>;
