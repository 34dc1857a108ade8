import type Koa from 'koa';
import * as accounts from '../accounts/accounts.ts';
import { addressPrefix } from '../accounts/attempts.ts';
import type { Context } from '../accounts/context.ts';
import { type AccountId, parseAccountId } from '../accounts/ids.ts';
import * as letterCodes from '../accounts/letter-codes.ts';
import * as passkeys from '../accounts/passkeys.ts';
import { MIN_PASSWORD_LENGTH } from '../accounts/password-rules.ts';
import * as passwords from '../accounts/passwords.ts';
import * as recoveries from '../accounts/recoveries.ts';
import * as recoveryCases from '../accounts/recovery-cases.ts';
import * as redemptions from '../accounts/redemptions.ts';
import { Secret } from '../accounts/secret.ts';
import * as totp from '../accounts/totp.ts';
import { parseResponse } from './ceremonies.ts';
import { citizenLetters } from './citizen-letters.ts';
import type { PageDeps } from './deps.ts';
import type { Form } from './form.ts';
import { type createRegistrar, sendError, sendPage, shellOf } from './http.ts';
import * as views from './letter.view.ts';
import * as visits from './letter-visit.ts';
import type { Fault } from './progress.ts';
import { newPasswordFault } from './steps/new-password.ts';

type LetterVisit = visits.LetterVisit;

const citizen = (deps: PageDeps, account?: AccountId): Context => ({
  ...deps.context(),
  actor: { kind: 'citizen', ...(account !== undefined && { account }) },
});

/** Back to the page with what is wrong; what was reached stays. */
const faulty = async (visit: LetterVisit, fault: Fault, values?: Record<string, string>): Promise<void> => {
  const { flash: _, ...state } = visit.state;
  await visits.keep(visit, { ...state, flash: { faults: [fault], ...(values && { values }) } });
};

const MAX_TYPED = 40;

const checkCode = async (visit: LetterVisit, form: Form): Promise<void> => {
  const prefix = addressPrefix(visit.deps.clientAddress(visit.ctx));
  const typed = form.text('code');
  const checked = await letterCodes.check(citizen(visit.deps), typed, prefix);
  const field = 'code';
  // It opens nothing, and need not be typed again as a whole.
  const values = { code: typed.slice(0, MAX_TYPED) };
  switch (checked.outcome) {
    case 'mistyped':
      return faulty(visit, { field, code: 'letter-code-mistyped' }, values);
    case 'wrong':
      return faulty(visit, { field, code: 'letter-code-wrong' }, values);
    case 'over':
      return faulty(visit, { field, code: 'letter-code-over' });
    case 'too-early':
      return faulty(visit, { field, code: 'letter-code-early', until: checked.from.toISOString() });
    case 'wait':
      return faulty(visit, { code: 'letter-code-wait', until: checked.until.toISOString() });
    case 'valid': {
      const { id, purpose, account, staff } = checked.code;
      return visits.keep(visit, {
        code: { id, purpose, ...(account !== undefined && { account }), ...(staff !== undefined && { staff }) },
      });
    }
  }
};

/** Spends the code for a credential; the page after it shows what is shown once. */
const redeem = async (visit: LetterVisit, credential: redemptions.PaperCredential): Promise<void> => {
  const { deps } = visit;
  const { code } = visit.state;
  if (code === undefined) return faulty(visit, { code: 'letter-expired' });
  const account = parseAccountId(code.account);
  const domain = citizen(deps, account);
  const redeemed =
    code.purpose === 'invitation'
      ? credential.kind === 'passkey'
        ? await redemptions.redeemInvitation(domain, code.id, deps.town, credential)
        : ({ outcome: 'over' } as const)
      : await redemptions.redeem(
          domain,
          code.id,
          credential,
          account === undefined ? [] : await deps.servicesOf(account),
          citizenLetters(deps.town, deps.issuer),
        );
  switch (redeemed.outcome) {
    case 'over':
      return visits.keep(visit, { flash: { faults: [{ field: 'code', code: 'letter-code-over' }] } });
    case 'app-code-wrong':
      return faulty(visit, { field: 'app_code', code: 'otp-wrong' });
    case 'passkey-taken':
      return faulty(visit, { code: 'passkey-failed' });
    case 'redeemed': {
      const opened = code.purpose === 'invitation' ? undefined : await accounts.load(domain, redeemed.account);
      return visits.keep(visit, {
        done: {
          purpose: code.purpose,
          ...(opened !== undefined && { kennung: opened.kennung }),
          ...(redeemed.backupCodes !== undefined && { backupCodes: redeemed.backupCodes }),
        },
      });
    }
  }
};

const passkeyOptions = async (visit: LetterVisit): Promise<object> => {
  const { deps, state } = visit;
  const handle = accounts.newPasskeyHandle();
  const domain = citizen(deps);
  const account = parseAccountId(state.code?.account);
  const opened = account && (await accounts.load(domain, account));
  const staffName = `${visit.letters.choose.username} ${deps.rp.name}`;
  const name = opened?.email ?? opened?.kennung ?? staffName;
  const who = { handle, name, displayName: name, exclude: [] };
  const { options, challenge } = await passkeys.creationOptions(domain, deps.rp, who);
  return { options, ceremony: await visits.beginCeremony(visit, challenge, handle) };
};

const newPasskey = async (visit: LetterVisit, form: Form): Promise<void> => {
  const ceremony = await visits.takeCeremony(visit, form.text('ceremony'));
  if (ceremony === undefined) return faulty(visit, { code: 'passkey-failed' });
  const response = parseResponse(form.text('response'));
  const created = await passkeys.verifyCreation(visit.deps.rp, ceremony.challenge, response);
  if (created.outcome === 'wrong') return faulty(visit, { code: 'passkey-failed' });
  const handle = Buffer.from(ceremony.handle, 'base64url');
  return redeem(visit, { kind: 'passkey', passkey: created.passkey, handle });
};

const newPassword = async (visit: LetterVisit, form: Form): Promise<void> => {
  const { deps } = visit;
  const fault = await newPasswordFault(deps, form, { minimum: MIN_PASSWORD_LENGTH, hints: [] });
  if (fault !== undefined) return faulty(visit, fault);
  const password = form.text('new_password');
  const hash = await passwords.hashNew(citizen(deps), deps.hashing, new Secret(password));
  const account = parseAccountId(visit.state.code?.account);
  const opened = account && (await accounts.load(citizen(deps), account));
  const { flash: _, ...state } = visit.state;
  const app = { secret: totp.newSecret(), label: opened?.email ?? opened?.kennung ?? '' };
  return visits.keep(visit, { ...state, password: hash, app });
};

/** The app whose code was typed in is the second factor. */
const newApp = (visit: LetterVisit, form: Form): Promise<void> => {
  const { password: hash, app } = visit.state;
  if (hash === undefined || app === undefined) return faulty(visit, { code: 'letter-expired' });
  return redeem(visit, { kind: 'password', hash, app: { secret: app.secret, code: form.text('app_code') } });
};

/** The codes on paper are. */
const withoutApp = (visit: LetterVisit): Promise<void> => {
  const { password: hash } = visit.state;
  return hash === undefined ? faulty(visit, { code: 'letter-expired' }) : redeem(visit, { kind: 'password', hash });
};

const viewOf = (visit: LetterVisit): string | Promise<string> => {
  const { state } = visit;
  if (state.done !== undefined) return views.done(visit);
  if (state.code === undefined) return views.code(visit);
  if (state.password !== undefined) return views.secondFactor(visit);
  return state.method === 'password' ? views.password(visit) : views.choose(visit);
};

type Action = {
  fields: readonly string[];
  due: (state: visits.LetterState) => boolean;
  handle: (visit: LetterVisit, form: Form) => Promise<void>;
};

const withCode = (state: visits.LetterState): boolean => state.code !== undefined && state.done === undefined;
const forCitizen = (state: visits.LetterState): boolean => withCode(state) && state.code?.purpose !== 'invitation';

const withPassword = (state: visits.LetterState): boolean => forCitizen(state) && state.password !== undefined;
const withoutPassword = (state: visits.LetterState): boolean => forCitizen(state) && state.password === undefined;

const ACTIONS: Readonly<Record<string, Action>> = {
  code: { fields: ['code'], due: ({ code, done }) => code === undefined && done === undefined, handle: checkCode },
  'new-passkey': { fields: ['ceremony', 'response'], due: withCode, handle: newPasskey },
  'choose-password': {
    fields: [],
    due: forCitizen,
    handle: (visit) => visits.keep(visit, { ...visit.state, method: 'password' }),
  },
  'new-password': { fields: ['new_password', 'repeated_password'], due: withoutPassword, handle: newPassword },
  'new-app': { fields: ['app_code'], due: withPassword, handle: newApp },
  'without-app': { fields: [], due: withPassword, handle: withoutApp },
};

/** The pages for codes on paper: recovery, activation, invitation; and the page that stops a recovery. */
export const registerLetterPages = (pages: ReturnType<typeof createRegistrar>, deps: PageDeps): void => {
  const lost = (ctx: Koa.Context): void =>
    sendError(
      ctx,
      { ...shellOf(ctx, deps), path: undefined },
      {
        kind: 'expired',
        status: 400,
        code: 'letter_visit_not_found',
        again: '/brief',
      },
    );

  pages.get('/brief', async (ctx) => {
    const uid = await visits.begin(deps, ctx);
    ctx.status = 303;
    ctx.redirect(`/brief/${uid}`);
  });

  pages.get('/brief/:uid', async (ctx, { uid = '' }) => {
    const visit = await visits.open(deps, ctx, uid);
    if (visit === undefined) return lost(ctx);
    sendPage(ctx, 200, await viewOf(visit));
    const { flash, done, ...state } = visit.state;
    // Told once; what was shown once is kept nowhere.
    if (flash !== undefined) await visits.keep(visit, state);
    if (done?.backupCodes !== undefined) await visits.keep(visit, { done: { purpose: done.purpose } });
  });

  pages.get('/brief/:uid/:action', async (ctx, { uid = '' }) => {
    ctx.status = 303;
    ctx.redirect(`/brief/${uid}`);
  });

  pages.post('/brief/:uid/:action', async (ctx, { uid = '', action = '' }, form) => {
    const visit = await visits.open(deps, ctx, uid);
    if (visit === undefined) return lost(ctx);
    if (action === 'new-passkey-options' && withCode(visit.state)) {
      ctx.type = 'application/json';
      ctx.body = await passkeyOptions(visit);
      return;
    }
    const wanted = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (wanted?.due(visit.state) && form.unknown(wanted.fields).length === 0) {
      try {
        await wanted.handle(visit, form);
      } catch (error) {
        if (!(error instanceof passwords.HashingBusy)) throw error;
        return sendError(ctx, visit.shell, {
          kind: 'unavailable',
          status: 503,
          code: 'temporarily_unavailable',
          retryAfterSeconds: 5,
        });
      }
    }
    ctx.status = 303;
    ctx.redirect(`/brief/${uid}`);
  });

  const recoveryOf = (token: string) =>
    recoveryCases.STOP_TOKEN.test(token) ? recoveryCases.findByStopToken(citizen(deps), token) : undefined;

  pages.get('/stopp/:uid', async (ctx, { uid = '' }) => {
    const recovery = await recoveryOf(uid);
    const shell = shellOf(ctx, deps);
    const running = recovery?.status === 'open' || recovery?.status === 'approved';
    if (recovery === undefined || !running) return sendPage(ctx, 200, views.stopped(shell, false));
    sendPage(ctx, 200, views.stop(shell, uid, deps.context().keys.formToken(uid), recovery));
  });

  pages.post('/stopp/:uid/:action', async (ctx, { uid = '' }) => {
    const recovery = await recoveryOf(uid);
    const letters = citizenLetters(deps.town, deps.issuer);
    const ended = recovery && (await recoveries.stop(citizen(deps, recovery.account), recovery.id, letters));
    sendPage(ctx, 200, views.stopped({ ...shellOf(ctx, deps), path: undefined }, ended?.outcome === 'ended'));
  });
};
