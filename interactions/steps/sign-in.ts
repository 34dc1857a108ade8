import * as accounts from '../../accounts/accounts.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import type { SignIn } from '../../accounts/sign-in.ts';
import * as ceremonies from '../ceremonies.ts';
import type { Form } from '../form.ts';
import { sourcePosts } from '../identity/start.ts';
import type { Fault } from '../progress.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { busy } from './busy.ts';
import { view } from './sign-in.view.ts';

/** RFC 8176. A passkey with user verification: possession (`pop`), presence (`user`), and a second factor (`mfa`). */
export const PASSKEY_AMR = ['pop', 'user', 'mfa'] as const;
export const PASSWORD_AMR = ['pwd'] as const;

/** Notes what was proven. Whoever was proven last in this interaction counts; nothing is added up between people. */
const proven = (
  visit: Visit,
  signIn: SignIn,
  amr: readonly string[],
  faults: { wrong: Fault; wait: Fault },
  typed: string,
): Outcome => {
  switch (signIn.outcome) {
    case 'proven': {
      const at = Math.floor(visit.domain.now().getTime() / 1000);
      const { account } = signIn;
      return {
        go: 'on',
        apply: ({ identity }) => ({ path: 'sign-in', evidence: { account, amr, at }, ...(identity && { identity }) }),
      };
    }
    case 'wrong':
      return faulty([faults.wrong], { identifier: typed });
    case 'wait':
      return faulty([{ ...faults.wait, until: signIn.until.toISOString() }], { identifier: typed });
  }
};

const staffOnly = faulty([{ code: 'staff-only' }]);

const signIn = async (visit: Visit, form: Form): Promise<Outcome> => {
  if (visit.registration.staff === true) return staffOnly;
  const identifier = form.text('identifier').trim();
  const password = form.text('password');
  const missing: Fault[] = [];
  if (identifier === '') missing.push({ field: 'identifier', code: 'identifier-missing' });
  if (password === '') missing.push({ field: 'password', code: 'password-missing' });
  if (missing.length > 0) return faulty(missing, { identifier });
  const from = { address: visit.deps.clientAddress(visit.ctx), patience: visit.deps.defaults.patience };
  try {
    const result = await passwords.verify(visit.domain, visit.deps.hashing, identifier, new Secret(password), from);
    const faults = { wrong: { field: 'identifier', code: 'sign-in-wrong' }, wait: { code: 'sign-in-wait' } } as const;
    return proven(visit, result, PASSWORD_AMR, faults, identifier);
  } catch (error) {
    if (error instanceof passwords.HashingBusy) return busy(visit);
    throw error;
  }
};

const passkeyOptions = async (visit: Visit): Promise<Outcome> => {
  const { options, challenge } = await passkeys.requestOptions(visit.deps.rp);
  const ceremony = await ceremonies.begin(visit, { purpose: 'sign-in', challenge });
  return { go: 'json', body: { options, ceremony } };
};

const passkey = async (visit: Visit, form: Form): Promise<Outcome> => {
  const wrong: Fault = { code: 'passkey-wrong' };
  const ceremony = await ceremonies.take(visit, form.text('ceremony'), 'sign-in');
  if (ceremony === undefined) return faulty([wrong]);
  const response = ceremonies.parseResponse(form.text('response'));
  const result = await passkeys.verify(visit.domain, visit.deps.rp, ceremony.challenge, response);
  // Told here; that the other kind of account does not count is decided anew with every request (visit.ts).
  if (result.outcome === 'proven') {
    const account = await accounts.load(visit.domain, result.account);
    if (visit.registration.staff === true && account?.kind !== 'staff') return staffOnly;
    if (visit.registration.staff !== true && account?.kind === 'staff') return faulty([wrong]);
  }
  return proven(visit, result, PASSKEY_AMR, { wrong, wait: { code: 'sign-in-wait' } }, '');
};

export const step: Step = {
  view,
  posts: {
    ...sourcePosts,
    'sign-in': { fields: ['identifier', 'password'], handle: signIn },
    'passkey-options': { fields: [], handle: passkeyOptions },
    passkey: { fields: ['ceremony', 'response'], handle: passkey },
    register: {
      fields: [],
      handle: async (visit) =>
        visit.registration.staff === true
          ? staffOnly
          : { go: 'on', apply: (progress) => ({ ...progress, path: 'register' }) },
    },
  },
};
