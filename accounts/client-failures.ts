import { createHash } from 'node:crypto';
import { startOfDay } from './coarse-time.ts';
import type { Context } from './context.ts';
import type { ClientId } from './ids.ts';

/** Why a request of a service was refused, as far as its developer can do something about it. */
export const CAUSES = [
  'redirect-uri',
  'logout-uri',
  'cors-origin',
  'pkce-missing',
  'pkce-method',
  'pkce-verifier',
  'parameter-missing',
  'parameter',
  'scope',
  'scope-missing',
  'response-type',
  'response-mode',
  'grant-type',
  'resource',
  'par-missing',
  'request-object-missing',
  'request-object',
  'request-uri',
  'auth-missing',
  'auth-method',
  'secret-wrong',
  'secret-ended',
  'assertion-time',
  'assertion-audience',
  'assertion-issuer',
  'assertion-algorithm',
  'assertion-key',
  'assertion-signature',
  'assertion-replayed',
  'assertion-malformed',
  'certificate',
  'code-unknown',
  'code-used',
  'code-expired',
  'code-redirect-uri',
  'other-client',
  'refresh-unknown',
  'refresh-expired',
  'refresh-used',
  'grant-ended',
  'dpop-missing',
  'dpop-time',
  'dpop-address',
  'dpop-key',
  'dpop-malformed',
  'token',
  'other',
] as const;
export type Cause = (typeof CAUSES)[number];

/** What was sent and what was expected. Numbers (seconds, lengths) are those of the last time. */
export type Facts = Readonly<Record<string, string | number | readonly string[]>>;

export type Failure = {
  /** `authorization`, `token` … */
  readonly endpoint: string;
  /** The code that the service got. */
  readonly code: string;
  readonly cause: Cause;
  readonly facts: Facts;
};

export type Noted = { readonly clientId: string; readonly failure: Failure; readonly count: number; readonly at: Date };
export type SeenFailure = Failure & { readonly count: number; readonly firstAt: Date; readonly lastAt: Date };

const KEPT_HOURS = 24;
const SHAPE_DAYS = 30;
/** Of each cause: whoever sends a service's client_id along with nonsense cannot push out its other failures. */
export const KEPT_PER_CAUSE = 5;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

const oldest = (ctx: Context): Date => new Date(ctx.now().getTime() - KEPT_HOURS * HOUR_MS);
const toTheMinute = (at: Date): Date => new Date(Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS);

/** The same for the same failure, whatever its numbers. */
export const fingerprint = ({ endpoint, code, cause, facts }: Failure): Buffer => {
  const words = Object.entries(facts).filter(([, value]) => typeof value !== 'number');
  return createHash('sha256')
    .update(JSON.stringify([endpoint, code, cause, words]))
    .digest()
    .subarray(0, 16);
};

/** Writes what was noted, the same failures into one row, and keeps the newest of each cause. */
export const record = async (ctx: Context, noted: readonly Noted[]): Promise<void> => {
  if (noted.length === 0) return;
  const rows = noted
    .map(({ clientId, failure, count, at }) => ({
      client_id: clientId,
      fingerprint: fingerprint(failure),
      cause: failure.cause,
      failure: JSON.stringify(failure),
      count,
      first_at: toTheMinute(at),
      last_at: toTheMinute(at),
    }))
    // In one order everywhere, so that processes which write at once do not lock each other out.
    .sort((one, other) =>
      one.client_id === other.client_id
        ? Buffer.compare(one.fingerprint, other.fingerprint)
        : one.client_id < other.client_id
          ? -1
          : 1,
    );
  const excluded = (column: string) => ctx.db.raw('excluded.??', [column]);
  await ctx
    .db('client_failures')
    .insert(rows)
    .onConflict(['client_id', 'fingerprint'])
    .merge({
      failure: excluded('failure'),
      last_at: excluded('last_at'),
      count: ctx.db.raw('client_failures.count + excluded.count'),
    });
  await ctx.db.raw(
    `DELETE FROM client_failures f USING (
       SELECT client_id, fingerprint, row_number() OVER (PARTITION BY client_id, cause ORDER BY last_at DESC, first_at DESC) AS place
       FROM client_failures WHERE client_id = ANY (?)
     ) AS ranked
     WHERE ranked.place > ? AND f.client_id = ranked.client_id AND f.fingerprint = ranked.fingerprint`,
    [[...new Set(rows.map((row) => row.client_id))], KEPT_PER_CAUSE],
  );
};

/** What went wrong with a service lately, the newest first. */
export const list = async (ctx: Context, clientId: ClientId): Promise<SeenFailure[]> => {
  const rows = await ctx
    .db('client_failures')
    .where({ client_id: clientId })
    .where('last_at', '>', oldest(ctx))
    .orderBy([
      { column: 'last_at', order: 'desc' },
      { column: 'first_at', order: 'desc' },
    ])
    .select('failure', 'count', 'first_at', 'last_at');
  return rows.map((row) => ({ ...row.failure, count: row.count, firstAt: row.first_at, lastAt: row.last_at }));
};

/** Notes how requests of services look today. */
export const recordShapes = async (
  ctx: Context,
  shapes: readonly { readonly clientId: string; readonly shape: string }[],
): Promise<void> => {
  if (shapes.length === 0) return;
  const seen_on = startOfDay(ctx.now()).toISOString().slice(0, 10);
  const rows = shapes.map(({ clientId, shape }) => ({ client_id: clientId, shape, seen_on }));
  await ctx.db('client_shapes').insert(rows).onConflict(['client_id', 'shape']).merge(['seen_on']);
};

/** How the requests of a service looked, the latest first. */
export const shapes = async (ctx: Context, clientId: ClientId): Promise<{ parts: string[]; seenOn: string }[]> => {
  const rows = await ctx
    .db('client_shapes')
    .where({ client_id: clientId })
    .orderBy('seen_on', 'desc')
    .select('shape', ctx.db.raw('seen_on::text'));
  return rows.map(({ shape, seen_on }) => ({ parts: shape.split(' ').filter(Boolean), seenOn: seen_on }));
};

/** Forgets what is over; says how many failures. */
export const purge = async (ctx: Context): Promise<number> => {
  await ctx
    .db('client_shapes')
    .where('seen_on', '<', new Date(ctx.now().getTime() - SHAPE_DAYS * 24 * HOUR_MS))
    .delete();
  return ctx.db('client_failures').where('last_at', '<=', oldest(ctx)).delete();
};
