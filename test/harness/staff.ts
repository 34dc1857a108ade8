/** Members of staff for tests: invited, joined with a passkey in software, signed in with tokens of their own. */
import { randomUUID } from 'node:crypto';
import * as accounts from '../../accounts/accounts.ts';
import type { Context } from '../../accounts/context.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as letterCodes from '../../accounts/letter-codes.ts';
import * as redemptions from '../../accounts/redemptions.ts';
import * as staff from '../../accounts/staff.ts';
import type { Role } from '../../accounts/terms.ts';
import { emailOf } from './domain.ts';

const silent = () => ({ subject: 'x', text: 'x' });
let count = 0;

export type TestMember = {
  readonly id: string;
  readonly account: AccountId;
  readonly email: string;
  readonly name: string;
};

/** A passkey as it is stored; no authenticator holds its private key. */
export const somePasskey = () => ({
  kind: 'passkey' as const,
  handle: accounts.newPasskeyHandle(),
  passkey: {
    credentialId: Buffer.from(randomUUID()).toString('base64url'),
    publicKey: Buffer.from('key').toString('base64url'),
    counter: 0,
    transports: [],
    aaguid: '00000000-0000-0000-0000-000000000000',
    backedUp: false,
  },
});

/** Redeems the code of an invitation. */
export const joinWith = async (ctx: Context, code: string, town = { id: 'guetersloh' }): Promise<AccountId> => {
  const checked = await letterCodes.check(ctx, code, 'test');
  if (checked.outcome !== 'valid') throw new Error(checked.outcome);
  const redeemed = await redemptions.redeemInvitation(ctx, checked.code.id, town, somePasskey());
  if (redeemed.outcome !== 'redeemed') throw new Error(redeemed.outcome);
  return redeemed.account;
};

/** Makes a member with these roles; the first one is the chief from the server's own command. */
export const makeMember = async (
  ctx: Context,
  roles: readonly Role[],
  options: { by?: string; citizen?: AccountId; email?: string; waitHours?: number } = {},
): Promise<TestMember> => {
  count += 1;
  const wanted = {
    name: `Mitglied ${count}`,
    email: emailOf(options.email ?? `mitglied${count}@stadt.example`),
    language: 'de',
    ...(options.citizen !== undefined && { citizen: options.citizen }),
  };
  const invited =
    options.by === undefined
      ? await staff.bootstrap(ctx, wanted, () => silent())
      : await staff.invite(ctx, options.by, { ...wanted, roles }, options.waitHours ?? 0, () => silent);
  if (invited.outcome !== 'invited') throw new Error(invited.outcome);
  const account = await joinWith(ctx, invited.code.reveal());
  return { id: invited.staff, account, email: wanted.email, name: wanted.name };
};
