import * as accounts from '../../accounts/accounts.ts';
import type { ProofKind } from '../../accounts/assurance.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import type { SignIn } from '../../accounts/sign-in.ts';
import * as ceremonies from '../ceremonies.ts';
import { deviceOf } from '../device.ts';
import type { Form } from '../form.ts';
import { sourcePosts } from '../identity/start.ts';
import { atStart, type Fault, type Progress } from '../progress.ts';
import { proofNow, withProof } from '../proofs.ts';
import { faulty, type Outcome, type Post, type Step, type Visit } from '../visit.ts';
import { busy } from './busy.ts';
import { otherWays, view } from './sign-in.view.ts';

/** What the form says about the browser. */
const aboutBrowser = (form: Form): Pick<Progress, 'shared' | 'capable'> => ({
  shared: form.text('shared') === 'yes',
  capable: form.text('capable') === 'yes',
});

/** Notes what was proven. Whoever was proven last in this interaction counts. */
const proven = (
  visit: Visit,
  signIn: SignIn,
  kind: ProofKind,
  faults: { wrong: Fault; wait: Fault },
  typed: string,
  form: Form,
): Outcome => {
  switch (signIn.outcome) {
    case 'proven': {
      const { account, weak } = signIn;
      // The session goes on: it must be its own citizen who shows more.
      if (visit.steppingUp && account !== visit.account?.id) return faulty([faults.wrong], { identifier: typed });
      const proof = proofNow(visit, kind, weak);
      return {
        go: 'on',
        apply: (progress) => {
          const { draft: _, welcome: __, ...rest } = progress;
          return { ...withProof(rest, account, proof), ...aboutBrowser(form) };
        },
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
  // Known already: the one who is signed in, or who has shown a first factor.
  const identifier = visit.account?.kennung ?? form.text('identifier').trim();
  const password = form.text('password');
  const missing: Fault[] = [];
  if (identifier === '') missing.push({ field: 'identifier', code: 'identifier-missing' });
  if (password === '') missing.push({ field: 'password', code: 'password-missing' });
  if (missing.length > 0) return faulty(missing, { identifier });
  const from = {
    address: visit.deps.clientAddress(visit.ctx),
    device: deviceOf(visit.ctx, visit.deps),
    patience: visit.deps.defaults?.patience,
  };
  try {
    const result = await passwords.verify(visit.domain, visit.deps.hashing, identifier, new Secret(password), from);
    const faults = { wrong: { field: 'identifier', code: 'sign-in-wrong' }, wait: { code: 'sign-in-wait' } } as const;
    return proven(visit, result, 'pwd', faults, identifier, form);
  } catch (error) {
    if (error instanceof passwords.HashingBusy) return busy(visit);
    throw error;
  }
};

const passkeyOptions = async (visit: Visit, form: Form): Promise<Outcome> => {
  const identifier = visit.account?.kennung ?? form.text('identifier').trim();
  // With an identifier the passkeys are named, for keys that keep none; always some, whoever it is.
  const allow = identifier === '' ? [] : await passkeys.allowedFor(visit.domain, identifier);
  const { options, challenge } = await passkeys.requestOptions(visit.deps.rp, allow);
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
  if (result.outcome === 'wrong' && result.unknown !== undefined)
    return { go: 'on', flash: { faults: [wrong], unknownPasskey: result.unknown } };
  return proven(visit, result, 'passkey', { wrong, wait: { code: 'sign-in-wait' } }, '', form);
};

const to = (path: Progress['path']): Post => ({
  fields: [],
  handle: async (visit) =>
    visit.registration.staff === true
      ? staffOnly
      : { go: 'on', apply: (progress) => (visit.account === undefined ? { ...progress, path } : progress) },
});

/** Starts again with nobody known: another citizen at this browser. */
const otherAccount: Post = {
  fields: [],
  handle: async () => ({ go: 'on', apply: () => ({ ...atStart, otherAccount: true }) }),
};

/** Leaves out what is only a wish of the service. */
const skip: Post = {
  fields: [],
  handle: async (visit) => ({
    go: 'on',
    apply: (progress) => (visit.optional ? { ...progress, skipped: true } : progress),
  }),
};

export const passkeyPosts: Step['posts'] = {
  'passkey-options': { fields: ['identifier'], handle: passkeyOptions },
  passkey: { fields: ['ceremony', 'response', 'shared', 'capable'], handle: passkey },
};

export const step: Step = {
  view,
  posts: {
    ...sourcePosts,
    'sign-in': { fields: ['identifier', 'password', 'shared', 'capable'], handle: signIn },
    ...passkeyPosts,
    register: to('register'),
    'other-ways': to('other-ways'),
    forgotten: to('forgotten'),
    'other-account': otherAccount,
    skip,
  },
};

export const otherWaysStep: Step = {
  view: otherWays,
  posts: { ...passkeyPosts, forgotten: to('forgotten'), back: to('sign-in') },
};

/** What second factors and levels have in common with the first page. */
export const waysOut: Step['posts'] = { 'other-account': otherAccount, skip };
