import * as accounts from '../../accounts/accounts.ts';
import { parseEmail } from '../../accounts/email.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import { MIN_PASSWORD_LENGTH } from '../../accounts/password-rules.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import * as ceremonies from '../ceremonies.ts';
import type { Form } from '../form.ts';
import * as progresses from '../progress.ts';
import { proofNow } from '../proofs.ts';
import { faulty, type Outcome, type Step, secondsLeft, type Visit } from '../visit.ts';
import { busy } from './busy.ts';
import * as views from './credential.view.ts';
import { back } from './email.ts';
import { newPasswordFault } from './new-password.ts';

/** After this, a request that set out to create the account has certainly ended one way or the other. */
const CLAIM_MILLISECONDS = 20_000;

/** Makes this request the only one of the interaction that creates an account; false if another one is at it. */
const claim = (visit: Visit): Promise<boolean> => {
  const now = visit.domain.now().getTime();
  return progresses.change(visit.deps.fleeting, visit.uid, secondsLeft(visit), (progress) => {
    const { draft } = progress;
    if (draft?.address === undefined || progress.evidence !== undefined) return undefined;
    if (draft.claimedAt !== undefined && draft.claimedAt + CLAIM_MILLISECONDS > now) return undefined;
    return { ...progress, draft: { ...draft, claimedAt: now } };
  });
};

/** Creates the account; the credential just made is the evidence of this sign-in. */
const register = async (
  visit: Visit,
  credential: accounts.NewAccount['credential'],
  kind: 'pwd' | 'passkey',
): Promise<Outcome> => {
  const { draft } = visit.progress;
  if (draft === undefined || !(await claim(visit))) return { go: 'on' };
  const email = draft.contact === 'email' && draft.emailProven === true ? parseEmail(draft.email) : undefined;
  const registered = await accounts.register(visit.domain, {
    town: visit.deps.town,
    language: visit.shell.language,
    credential,
    ...(email !== undefined && { email }),
    ...(draft.address !== undefined && draft.address !== 'none' && { address: draft.address }),
  });
  switch (registered.outcome) {
    case 'registered': {
      const { account, kennung, backupCodes } = registered;
      const proof = proofNow(visit, kind);
      return {
        go: 'on',
        apply: () => ({
          path: 'sign-in',
          evidence: { account, proofs: [proof] },
          welcome: { kennung, ...(backupCodes !== undefined && { backupCodes }) },
        }),
      };
    }
    case 'email-taken':
      // Somebody was faster with the same address; it is proven to be this person's, so that nothing is given away.
      return {
        go: 'on',
        apply: (progress) => ({ ...progress, draft: { contact: 'open' } }),
        flash: { step: 'email', faults: [{ field: 'email', code: 'email-taken' }] },
      };
    case 'passkey-taken':
    case 'identity-taken':
      return unclaimed({ faults: [{ code: 'passkey-failed' }] });
  }
};

const unclaimed = (flash: progresses.Flash): Outcome => ({
  go: 'on',
  apply: ({ draft, ...progress }) => {
    if (draft === undefined) return progress;
    const { claimedAt: _, ...rest } = draft;
    return { ...progress, draft: rest };
  },
  flash,
});

const creationOptions = async (visit: Visit): Promise<Outcome> => {
  const { rp } = visit.deps;
  const handle = accounts.newPasskeyHandle();
  const name = visit.progress.draft?.email ?? `${visit.t.common.product} ${rp.name}`;
  const who = { handle, name, displayName: name, exclude: [] };
  const { options, challenge } = await passkeys.creationOptions(visit.domain, rp, who);
  const ceremony = await ceremonies.begin(visit, {
    purpose: 'creation',
    challenge,
    handle: handle.toString('base64url'),
  });
  return { go: 'json', body: { options, ceremony } };
};

const createPasskey = async (visit: Visit, form: Form): Promise<Outcome> => {
  const failed = faulty([{ code: 'passkey-failed' }]);
  const ceremony = await ceremonies.take(visit, form.text('ceremony'), 'creation');
  if (ceremony?.handle === undefined) return failed;
  const response = ceremonies.parseResponse(form.text('response'));
  const created = await passkeys.verifyCreation(visit.deps.rp, ceremony.challenge, response);
  if (created.outcome === 'wrong') {
    visit.deps.log.warn({ reason: created.reason }, 'a passkey could not be created');
    return failed;
  }
  const handle = Buffer.from(ceremony.handle, 'base64url');
  return register(visit, { kind: 'passkey', passkey: created.passkey, handle }, 'passkey');
};

const setPassword = async (visit: Visit, form: Form): Promise<Outcome> => {
  const password = form.text('new_password');
  const fault = await newPasswordFault(visit.deps, form, {
    minimum: MIN_PASSWORD_LENGTH,
    hints: [visit.progress.draft?.email ?? '', visit.service],
  });
  if (fault !== undefined) return faulty([fault]);
  try {
    const hash = await passwords.hashNew(visit.domain, visit.deps.hashing, new Secret(password));
    return await register(visit, { kind: 'password', hash }, 'pwd');
  } catch (error) {
    if (error instanceof passwords.HashingBusy) return busy(visit);
    throw error;
  }
};

export const credentialStep: Step = {
  view: views.credential,
  posts: {
    'new-passkey-options': { fields: [], handle: creationOptions },
    'new-passkey': { fields: ['ceremony', 'response'], handle: createPasskey },
    'choose-password': {
      fields: [],
      handle: async () => ({
        go: 'on',
        apply: (progress) => progress.draft && { ...progress, draft: { ...progress.draft, method: 'password' } },
      }),
    },
    'find-factor': {
      fields: [],
      handle: async () => ({
        go: 'on',
        apply: (progress) => progress.draft && { ...progress, draft: { ...progress.draft, answers: {} } },
      }),
    },
    back,
  },
};

export const passwordStep: Step = {
  view: views.password,
  posts: { 'new-password': { fields: ['new_password', 'repeated_password'], handle: setPassword }, back },
};
