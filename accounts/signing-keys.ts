import type { JWK } from 'jose';
import {
  needsNewSigningKey,
  newSigningKey,
  type SigningAlgorithm,
  type SigningKeyState,
  signingKeyState,
} from '../keys/signing-keys.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';

/** A signing key that is published: `privateJwk` signs, `publicJwk` goes into the JWKS. */
export type SigningKey = {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: Exclude<SigningKeyState, 'gone'>;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
};

/** What private keys are sealed for. */
export const SIGNING_KEY_PURPOSE = 'signing key';
/** The order in which keys are published: oidc-provider signs with the first that fits. */
const ORDER = { current: 0, next: 1, retired: 2 } as const;

type Row = {
  kid: string;
  alg: SigningAlgorithm;
  public_jwk: JWK;
  private_sealed: Buffer;
  createdAt: Date;
  revokedAt: Date | null;
};

const rows = async (ctx: Context): Promise<Row[]> =>
  (await ctx.db('signing_keys').select('kid', 'alg', 'public_jwk', 'private_sealed', 'created_at', 'revoked_at')).map(
    ({ created_at: createdAt, revoked_at: revokedAt, ...row }) => ({ ...row, createdAt, revokedAt }),
  );

const create = async (ctx: Context, alg: SigningAlgorithm): Promise<string> => {
  const key = await newSigningKey(alg);
  await ctx.db('signing_keys').insert({
    kid: key.kid,
    alg,
    public_jwk: JSON.stringify(key.publicJwk),
    private_sealed: ctx.keys.sealShared(SIGNING_KEY_PURPOSE, key.kid, JSON.stringify(key.privateJwk)),
    created_at: ctx.now(),
  });
  await audit.record(ctx, 'signing-key-created', { detail: { kid: key.kid, alg } });
  return key.kid;
};

/**
 * Creates the keys that time demands and destroys those that no token needs any more. May be called by every process at
 * any time: one does the work, and all are told if something changed (a trigger, infra/migrations/0061-changes.sql).
 */
export const ensure = (ctx: Context, algorithms: readonly SigningAlgorithm[] = ['ES256']): Promise<void> =>
  inTransaction(ctx, async (tx) => {
    await tx.db.raw("SELECT pg_advisory_xact_lock(hashtext('signing keys'))");
    const stored = await rows(tx);
    const now = tx.now();
    for (const alg of algorithms) {
      const all = stored.filter((row) => row.alg === alg);
      if (needsNewSigningKey(all, now)) await create(tx, alg);
      const gone = all.filter((row) => signingKeyState(row, all, now) === 'gone').map(({ kid }) => kid);
      if (gone.length > 0) await tx.db('signing_keys').whereIn('kid', gone).delete();
    }
  });

/** The keys to publish: the current one first, then the next, then those that only verify. */
export const load = async (ctx: Context): Promise<SigningKey[]> => {
  const stored = await rows(ctx);
  const now = ctx.now();
  return stored
    .flatMap((row): SigningKey[] => {
      const state = signingKeyState(
        row,
        stored.filter(({ alg }) => alg === row.alg),
        now,
      );
      if (state === 'gone') return [];
      const privateJwk: JWK = JSON.parse(ctx.keys.openShared(SIGNING_KEY_PURPOSE, row.kid, row.private_sealed));
      return [{ kid: row.kid, alg: row.alg, state, publicJwk: row.public_jwk, privateJwk }];
    })
    .sort((one, other) => ORDER[one.state] - ORDER[other.state]);
};

const locked = async <T>(ctx: Context, work: (tx: Context, stored: Row[]) => Promise<T>): Promise<T> =>
  inTransaction(ctx, async (tx) => {
    await tx.db.raw("SELECT pg_advisory_xact_lock(hashtext('signing keys'))");
    return work(tx, await rows(tx));
  });

/** Makes the next key ahead of its time; it signs once every service has had a day to fetch it. */
export const rotate = (
  ctx: Context,
  alg: SigningAlgorithm = 'ES256',
): Promise<{ outcome: 'rotated'; kid: string } | { outcome: 'next-exists'; kid: string }> =>
  locked(ctx, async (tx, stored) => {
    const all = stored.filter((row) => row.alg === alg);
    const next = all.find((row) => signingKeyState(row, all, tx.now()) === 'next');
    if (next !== undefined) return { outcome: 'next-exists', kid: next.kid } as const;
    const kid = await create(tx, alg);
    await audit.record(tx, 'signing-key-rotated', { detail: { kid } });
    return { outcome: 'rotated', kid } as const;
  });

/** Ends a key at once (it was stolen): it is published no more, its tokens fail, and the next key signs. */
export const revoke = (
  ctx: Context,
  kid: string,
): Promise<{ outcome: 'revoked' } | { outcome: 'unchanged' } | { outcome: 'unknown' }> =>
  locked(ctx, async (tx, stored) => {
    const key = stored.find((row) => row.kid === kid);
    if (key === undefined) return { outcome: 'unknown' } as const;
    if (key.revokedAt !== null) return { outcome: 'unchanged' } as const;
    await tx.db('signing_keys').where({ kid }).update({ revoked_at: tx.now() });
    const left = stored.filter((row) => row.alg === key.alg && row.kid !== kid && row.revokedAt === null);
    if (left.length === 0) await create(tx, key.alg);
    await audit.record(tx, 'signing-key-revoked', { detail: { kid } });
    return { outcome: 'revoked' } as const;
  });

/** The keys with their states, without anything secret. */
export const list = async (
  ctx: Context,
): Promise<{ kid: string; alg: SigningAlgorithm; state: SigningKeyState; createdAt: Date }[]> => {
  const stored = await rows(ctx);
  return stored
    .map((row) => ({
      kid: row.kid,
      alg: row.alg,
      state: signingKeyState(
        row,
        stored.filter(({ alg }) => alg === row.alg),
        ctx.now(),
      ),
      createdAt: row.createdAt,
    }))
    .sort((one, other) => one.createdAt.getTime() - other.createdAt.getTime());
};
