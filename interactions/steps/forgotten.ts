import * as accounts from '../../accounts/accounts.ts';
import * as backupCodes from '../../accounts/backup-codes.ts';
import { lengthOf, MIN_LENGTH_BESIDE_SECOND_FACTOR, MIN_PASSWORD_LENGTH } from '../../accounts/password-rules.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import * as totp from '../../accounts/totp.ts';
import type { Form } from '../form.ts';
import { sourcePosts } from '../identity/start.ts';
import { tellChange } from '../notices.ts';
import { proofNow } from '../proofs.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { busy } from './busy.ts';
import { back } from './email.ts';
import * as views from './forgotten.view.ts';
import { newPasswordFault } from './new-password.ts';

/** Spends a backup code; the same answer for every identifier that it does not belong to. */
const spendCode = async (visit: Visit, form: Form): Promise<Outcome> => {
  const identifier = form.text('identifier').trim();
  const code = form.text('backup_code').trim();
  if (identifier === '') return faulty([{ field: 'identifier', code: 'identifier-missing' }]);
  if (code === '') return faulty([{ field: 'backup_code', code: 'recovery-code-missing' }], { identifier });
  const from = { address: visit.deps.clientAddress(visit.ctx) };
  const spent = await backupCodes.spendFor(visit.domain, identifier, code, from);
  switch (spent.outcome) {
    case 'spent': {
      const recovery = { account: spent.account, proofs: [proofNow(visit, 'code')], state: spent.state };
      return { go: 'on', apply: (progress) => ({ ...progress, recovery }) };
    }
    case 'wrong':
      return faulty([{ field: 'identifier', code: 'recovery-wrong' }], { identifier });
    case 'wait':
      return faulty([{ code: 'sign-in-wait', until: spent.until.toISOString() }], { identifier });
  }
};

const checkTotp = async (visit: Visit, form: Form): Promise<Outcome> => {
  const { recovery } = visit.progress;
  if (recovery === undefined) return { go: 'on' };
  const checked = await totp.check(visit.domain, recovery.account, form.text('code').trim());
  switch (checked.outcome) {
    case 'proven': {
      const proofs = [...recovery.proofs, proofNow(visit, 'otp', checked.weak)];
      return { go: 'on', apply: (progress) => progress.recovery && { ...progress, recovery: { ...recovery, proofs } } };
    }
    case 'wrong':
      return faulty([{ field: 'code', code: 'otp-wrong' }]);
    case 'wait':
      return faulty([{ code: 'sign-in-wait', until: checked.until.toISOString() }]);
  }
};

/**
 * Sets the new password and signs in with it. The code is no factor of this sign-in: what it brought is the password
 * itself. One code alone makes a weak password; it takes a new proof of identity to carry a level again.
 */
const setPassword = async (visit: Visit, form: Form): Promise<Outcome> => {
  const { recovery } = visit.progress;
  if (recovery === undefined) return { go: 'on' };
  const account = await accounts.load(visit.domain, recovery.account);
  if (account?.status !== 'active') return { go: 'on', apply: () => ({ path: 'sign-in' }) };
  const beside = recovery.proofs.some(({ kind }) => kind === 'otp');
  const fault = await newPasswordFault(visit.deps, form, {
    minimum: beside ? MIN_LENGTH_BESIDE_SECOND_FACTOR : MIN_PASSWORD_LENGTH,
    hints: [account.email ?? '', account.kennung],
  });
  if (fault !== undefined) return faulty([fault]);
  const password = form.text('new_password');
  try {
    const hash = await passwords.hashNew(visit.domain, visit.deps.hashing, new Secret(password));
    const changed = await passwords.change(visit.domain, account.id, hash, {
      short: lengthOf(password) < MIN_PASSWORD_LENGTH,
      weak: !beside,
      way: 'forgotten',
      // A code that was spent before another change of the account proves nothing about the account as it is now.
      state: recovery.state,
    });
    if (changed.outcome !== 'changed') return { go: 'on', apply: () => ({ path: 'sign-in' }) };
  } catch (error) {
    if (error instanceof passwords.HashingBusy) return busy(visit);
    throw error;
  }
  await tellChange(visit.deps, visit.domain, account, 'password-recovered');
  await visit.deps.sessions.end(account.id);
  const proofs = [proofNow(visit, 'pwd', !beside), ...recovery.proofs.filter(({ kind }) => kind === 'otp')];
  return {
    go: 'on',
    apply: (progress) => ({ path: 'sign-in', evidence: { account: account.id, proofs }, ...keep(progress) }),
  };
};

const keep = ({ shared, otherAccount }: Visit['progress']) => ({
  ...(shared !== undefined && { shared }),
  ...(otherAccount !== undefined && { otherAccount }),
});

export const codeStep: Step = {
  view: views.code,
  posts: { ...sourcePosts, 'recovery-code': { fields: ['identifier', 'backup_code'], handle: spendCode }, back },
};

export const secondFactorStep: Step = {
  view: views.secondFactor,
  posts: { totp: { fields: ['code'], handle: checkTotp }, back },
};

export const passwordStep: Step = {
  view: views.password,
  posts: { 'reset-password': { fields: ['new_password', 'repeated_password'], handle: setPassword }, back },
};
