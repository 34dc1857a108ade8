import type { Context } from './context.ts';
import type { AccountId } from './ids.ts';

/**
 * What is recorded about accounts and the operation, with the details of each. Details hold no personal data and never
 * a service next to a citizen.
 */
export type AuditDetails = {
  'account-registered': { credential: 'password' | 'passkey' | 'identity'; email: boolean; address: boolean };
  'sign-in-proven': { method: SignInMethod };
  'sign-in-refused': { method: SignInMethod; reason: 'wrong' | 'not-active' | 'counter' | 'retired' };
  'signed-out': Record<string, never>;
  'passkey-added': Record<string, never>;
  'identity-linked': { source: string; replaced: boolean };
  'identity-unlinked': { source: string };
  'account-closed': { reason: 'double' };
  'backup-codes-created': { count: number };
  'backup-code-spent': { left: number };
  'attributes-recorded': { names: string[]; source: string };
  'consent-recorded': Record<string, never>;
  'registrations-applied': { added: string[]; changed: string[]; removed: string[] };
  'client-secret-added': { client: string };
  'signing-key-created': { kid: string; alg: string };
};

export type AuditEvent = keyof AuditDetails;
type SignInMethod = 'password' | 'passkey' | 'backup-code' | 'eid' | 'bundid' | 'staff';

/** Writes one audit row; call it with the context of the transaction that does what it records. */
export const record = async <E extends AuditEvent>(
  ctx: Context,
  event: E,
  about: { account?: AccountId; detail: AuditDetails[E] },
): Promise<void> => {
  await ctx.db('audit').insert({
    at: ctx.now(),
    event,
    actor: JSON.stringify(ctx.actor),
    account_id: about.account ?? null,
    detail: JSON.stringify(about.detail),
  });
};
