import type Koa from 'koa';
import type { Context } from '../../accounts/context.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as staff from '../../accounts/staff.ts';
import { readJsonObject } from '../../interactions/request-body.ts';
import { available } from '../availability.ts';
import { checkAccess } from './access.ts';
import { isPermitted, type VerbName } from './permissions.ts';
import type { AdminDeps, Answer, Verb } from './verb.ts';
import { accountVerbs } from './verbs/account.ts';
import { auditVerbs } from './verbs/audit.ts';
import { clientVerbs } from './verbs/client.ts';
import { letterVerbs } from './verbs/letters.ts';
import { operationVerbs } from './verbs/operation.ts';
import { recoveryVerbs } from './verbs/recovery.ts';
import { serviceVerbs } from './verbs/service.ts';
import { staffVerbs } from './verbs/staff.ts';

/** Every verb; one without a line in the table of permissions, or a line without a verb, does not compile. */
export const VERBS: Readonly<Record<VerbName, Verb>> = {
  ...staffVerbs,
  ...recoveryVerbs,
  ...accountVerbs,
  ...letterVerbs,
  ...auditVerbs,
  ...clientVerbs,
  ...operationVerbs,
  ...serviceVerbs,
};

const PREFIX = '/admin/api/';
/** Checkpoints and service files are sent along. */
const BODY_LIMIT_BYTES = 32 * 1024 * 1024;

type Handled =
  | { outcome: 'answer'; answer: Answer; committed: boolean }
  | { outcome: 'no-staff' }
  /** `from`: when a role that permits it will act. */
  | { outcome: 'not-permitted'; from?: Date };

/** Carries the answer of a dry run out of the transaction that it rolls back. */
class RolledBack {
  readonly handled: Handled;
  constructor(handled: Handled) {
    this.handled = handled;
  }
}

const verbOf = (path: string): { name: VerbName; verb: Verb } | undefined => {
  const name = path.slice(PREFIX.length).replace('/', ' ');
  return Object.hasOwn(VERBS, name) ? { name: name as VerbName, verb: VERBS[name as VerbName] } : undefined;
};

/**
 * Runs one verb in one transaction: who acts and with which roles is read in it, and locked for a change, so that a role
 * that is taken meanwhile either is still there until the end or is not there at all. A refusal and a dry run leave nothing.
 */
const handle = async (
  deps: AdminDeps,
  account: AccountId,
  { name, verb }: { name: VerbName; verb: Verb },
  request: { input: unknown; commit: boolean },
): Promise<Handled> => {
  const system = deps.context();
  const permitted = async (tx: Context): Promise<staff.Member | Handled> => {
    const by = await staff.acting(tx, account, verb.changes);
    if (by === undefined) return { outcome: 'no-staff' };
    if (isPermitted(name, by.roles)) return by;
    const waiting = by.waiting.filter(({ role }) => isPermitted(name, [role])).map(({ from }) => from.getTime());
    return { outcome: 'not-permitted', ...(waiting.length > 0 && { from: new Date(Math.min(...waiting)) }) };
  };
  const run = async (ctx: Context, by: staff.Member): Promise<Answer> => {
    const acting = { ...ctx, actor: { kind: 'staff', staff: by.id } } as const;
    const kept = { ...system, actor: acting.actor };
    return verb.run({ ctx: acting, kept, by, deps, ...request });
  };
  if (verb.long) {
    const by = await system.db.transaction((db) => permitted({ ...system, db }));
    return 'outcome' in by ? by : { outcome: 'answer', answer: await run(system, by), committed: false };
  }
  try {
    return await system.db.transaction(async (db): Promise<Handled> => {
      const by = await permitted({ ...system, db });
      if ('outcome' in by) return by;
      const answer = await run({ ...system, db }, by);
      const committed = verb.changes && request.commit && answer.ok;
      const handled: Handled = { outcome: 'answer', answer, committed };
      if (verb.changes && !committed) throw new RolledBack(handled);
      return handled;
    });
  } catch (error) {
    if (error instanceof RolledBack) return error.handled;
    throw error;
  }
};

/** Two that change the staff at once may stand in each other's way; Postgres ends one of them, which begins again. */
const DEADLOCK = '40P01';
const TRIES = 3;

const handleAgain = async (work: () => Promise<Handled>): Promise<Handled> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: unknown }).code !== DEADLOCK || tries === TRIES) throw error;
    }
  }
};

const send = (ctx: Koa.Context, status: number, body: object): void => {
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  ctx.body = body;
};

/** The admin API: `POST /admin/api/<noun>/<verb>`, a JSON object in, a JSON object out. */
export const createAdminApi =
  (deps: AdminDeps): Koa.Middleware =>
  async (ctx, next) => {
    if (!ctx.path.startsWith(PREFIX)) return next();
    const verb = verbOf(ctx.path);
    if (verb === undefined) return send(ctx, 404, { error: 'unknown_verb' });
    if (ctx.method !== 'POST') {
      ctx.set('Allow', 'POST');
      return send(ctx, 405, { error: 'method_not_allowed' });
    }
    const access = await available(() => checkAccess(ctx, deps.provider(), deps.issuer, deps.context()));
    if (access.outcome === 'refused') {
      ctx.set('WWW-Authenticate', 'DPoP error="invalid_token", algs="ES256 EdDSA"');
      return send(ctx, 401, { error: 'invalid_token', error_description: access.reason });
    }
    const body = ctx.is('application/json') ? await readJsonObject(ctx.req, BODY_LIMIT_BYTES) : undefined;
    if (body === undefined) return send(ctx, 400, { error: 'not_json' });
    const { commit = false, ...fields } = body;
    const parsed = verb.verb.parse(fields);
    if ('faults' in parsed || typeof commit !== 'boolean') {
      return send(ctx, 400, { error: 'fields', fields: 'faults' in parsed ? parsed.faults : ['commit'] });
    }
    if (verb.verb.changes && commit) await deps.keeper.ready();
    const request = { input: parsed.input, commit };
    const handled = await available(() => handleAgain(() => handle(deps, access.account, verb, request)));
    if (handled.outcome === 'no-staff') return send(ctx, 403, { error: 'no_staff' });
    if (handled.outcome === 'not-permitted') {
      const { from } = handled;
      return send(ctx, 403, { error: 'not_permitted', verb: verb.name, ...(from !== undefined && { from }) });
    }
    const { answer, committed } = handled;
    // What an administrator has changed is beyond the database's reach before they hear of it.
    if (committed) await deps.keeper.acknowledge();
    if (answer.ok) return send(ctx, 200, { committed, ...answer.result });
    return send(ctx, 409, { error: 'refused', reason: answer.reason, ...answer.detail });
  };
