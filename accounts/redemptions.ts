import * as accounts from './accounts.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import * as correspondence from './correspondence.ts';
import type { AccountId } from './ids.ts';
import * as letterCodes from './letter-codes.ts';
import type { CitizenLetters } from './recoveries.ts';
import * as sessions from './sessions.ts';
import * as staff from './staff.ts';
import * as totp from './totp.ts';
import type { Town } from './town.ts';

export type Redeemed =
  | { outcome: 'redeemed'; account: AccountId; backupCodes?: string[] }
  | { outcome: 'over' }
  /** The code of the app that was to be set up. */
  | { outcome: 'app-code-wrong' }
  | { outcome: 'passkey-taken' };

type Kind<K> = Extract<accounts.NewAccount['credential'], { kind: K }>;
/** What a code on paper may be redeemed for; beside a password an app as second factor, proven by a code of it. */
export type PaperCredential =
  | Kind<'passkey'>
  | (Kind<'password'> & { readonly app?: { readonly secret: string; readonly code: string } });

/** Thrown and not returned, so that a code is not spent without effect. */
class NotRedeemable extends Error {}
class AppCodeWrong extends Error {}

const refusal = (error: unknown): Redeemed => {
  if (error instanceof NotRedeemable) return { outcome: 'over' };
  if (error instanceof AppCodeWrong) return { outcome: 'app-code-wrong' };
  const { constraint } = error as { constraint?: unknown };
  if (constraint === 'passkeys_credential_id_key' || constraint === 'accounts_passkey_handle_key')
    return { outcome: 'passkey-taken' };
  throw error;
};

/**
 * Redeems a code from a letter (recovery or activation): spends it, replaces every factor by the new one, ends sessions
 * and tokens, reduces the level. All of it or nothing; of parallel calls exactly one succeeds.
 * @param services with a session now; they are told that it has ended
 */
export const redeem = (
  ctx: Context,
  codeId: string,
  credential: PaperCredential,
  services: readonly sessions.ServiceSession[],
  letters: CitizenLetters,
): Promise<Redeemed> =>
  inTransaction(ctx, async (system): Promise<Redeemed> => {
    const owner = await letterCodes.ownerOf(system, codeId);
    const account = owner?.account && (await accounts.load(system, owner.account));
    if (!owner || !account) throw new NotRedeemable();
    const tx: Context = { ...system, actor: { kind: 'citizen', account: account.id } };
    // Lock order, everywhere: account, recovery, code. Not the key: codes and recoveries that refer to it go on.
    const [state] = await tx
      .db('accounts')
      .where({ id: account.id, status: 'active', kind: 'citizen' })
      .forNoKeyUpdate()
      .select('credential_state');
    if (owner.recovery !== undefined) await tx.db('recoveries').where({ id: owner.recovery }).forUpdate().select('id');
    const code = await letterCodes.spend(tx, codeId);
    if (state === undefined || code === undefined) throw new NotRedeemable();
    if (code.purpose === 'recovery') {
      const [recovery] = await tx
        .db('recoveries')
        .where({ id: code.recovery, status: 'approved', credential_state: state.credential_state })
        .update({ status: 'redeemed', ended_at: tx.now() })
        .returning('number');
      if (recovery === undefined) throw new NotRedeemable();
      await audit.record(tx, 'recovery-redeemed', {
        account: account.id,
        detail: { recovery: recovery.number, credential: credential.kind },
      });
    } else {
      await audit.record(tx, 'account-activated', { account: account.id, detail: { credential: credential.kind } });
    }
    for (const table of ['passwords', 'passkeys', 'totps', 'backup_codes', 'identities', 'known_devices'])
      await tx.db(table).where({ account_id: account.id }).delete();
    await sessions.endAll(tx, account.id, services);
    await tx
      .db('accounts')
      .where({ id: account.id })
      .update({
        credential_state: state.credential_state + 1,
        // Whatever was proofed, was proofed of somebody who held other factors: it takes a new proof, and counts as that one.
        ...(code.purpose === 'recovery' && { reduced_at: tx.now(), proofing: null, proofed_at: null }),
        ...(credential.kind === 'passkey' && { passkey_handle: credential.handle }),
      });
    const backupCodes = await accounts.insertCredential(tx, account.id, credential);
    if (credential.kind === 'password' && credential.app !== undefined) {
      const enrolled = await totp.enrol(tx, account.id, credential.app.secret, credential.app.code, false);
      if (enrolled.outcome === 'wrong') throw new AppCodeWrong();
    }
    if (code.purpose === 'recovery')
      await correspondence.tell(tx, account, letters.redeemed({ language: account.language }));
    return { outcome: 'redeemed', account: account.id, ...(backupCodes !== undefined && { backupCodes }) };
  }).catch(refusal);

/** Redeems an invitation to the staff: the new member's account, with the passkey that was just made. */
export const redeemInvitation = (
  ctx: Context,
  codeId: string,
  town: Pick<Town, 'id'>,
  credential: Extract<accounts.NewAccount['credential'], { kind: 'passkey' }>,
): Promise<Redeemed> =>
  inTransaction(ctx, async (tx): Promise<Redeemed> => {
    const code = await letterCodes.spend(tx, codeId);
    const account = code?.staff && (await staff.join(tx, code.staff, town, credential));
    if (!account) throw new NotRedeemable();
    return { outcome: 'redeemed', account };
  }).catch(refusal);
