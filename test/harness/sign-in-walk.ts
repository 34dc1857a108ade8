/**
 * A walk of random commands through sign-in, step-up, recovery and credential change, held against a reference model:
 * what each browser has really shown. The model predicts nothing that could be wrong in the same way as the code; it
 * says what must never be.
 */
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';
import { generate } from 'otplib';
import * as assurance from '../../accounts/assurance.ts';
import * as backupCodes from '../../accounts/backup-codes.ts';
import { recordProofing } from '../../accounts/factors.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as totp from '../../accounts/totp.ts';
import { addCitizen, redeem } from './relying-party.ts';
import { ACTS, EMPTY, submit, WAYS } from './sign-in-acts.ts';
import {
  type BrowserState,
  FIRST_PASSWORD,
  freshBrowser,
  type Person,
  SECRET,
  type Shown,
  shownOf,
  snapshot,
  type WalkState,
} from './sign-in-people.ts';
import { CHEAP_HASHING, type RunningTown, startTown } from './town.ts';

const { ACR, LEVELS } = assurance;

/** Who is told what must never be. */
export type Verdict = Pick<ExecutionContext, 'true' | 'is' | 'fail'>;

/** A town with three citizens: with an app and proofed, proofed only, neither. */
const beginWalk = async (town: RunningTown, nextStep: () => number): Promise<WalkState> => {
  const people: Person[] = [];
  for (const [name, app, proofing] of [
    ['app', true, 'substantial'],
    ['nur', false, 'substantial'],
    ['ohne', false, 'basis'],
  ] as const) {
    const email = `${name}-${randomUUID()}@buerger.example`;
    // Another one for each: what is right for one citizen must be wrong for the next.
    const password = `${FIRST_PASSWORD} ${name}`;
    const account = await addCitizen(town, email, password);
    const ctx = town.context();
    if (app) {
      const code = await generate({ secret: SECRET, epoch: nextStep() });
      const enrolled = await totp.enrol(ctx, account, SECRET, code, false);
      if (enrolled.outcome !== 'enrolled') throw new Error(enrolled.outcome);
    }
    const codes = await backupCodes.generate(ctx, account);
    if (proofing !== 'basis') await recordProofing(ctx, account, proofing);
    people.push({
      email,
      account,
      subject: ctx.keys.subject('stadt', account),
      proofing,
      passwords: new Set([password]),
      codes,
      keys: new Map(),
      paper: undefined,
      app,
      // Of their own also where there is no app: a code of another's app would count for its owner.
      secret: app ? SECRET : totp.newSecret(),
      state: await snapshot(town, account),
    });
  }
  return {
    town,
    people,
    browsers: [freshBrowser(), freshBrowser()],
    nextStep,
    passwordsSet: 0,
    commands: 0,
    signIns: 0,
    changes: 0,
    trail: [],
  };
};

/** What a message ends with: how it came to that. */
const after = ({ trail }: WalkState): string => `; ${trail.join(' ')}`;

const levelOf = (shown: Shown): assurance.Level => {
  if (shown.has('passkey')) return 'substantial';
  if (!shown.has('pwd')) return shown.has('weak-passkey') ? 'low' : 'basis';
  return shown.has('otp') || shown.has('code') ? 'substantial' : 'low';
};
const rank = (level: assurance.Level): number => LEVELS.indexOf(level);

/** What a browser may have at its service: whose account, what level, which amr. */
const checkCallback = async (t: Verdict, state: WalkState, browser: BrowserState): Promise<void> => {
  const { location } = browser.page?.headers ?? {};
  if (typeof location !== 'string' || location.startsWith(state.town.issuer)) return;
  const code = new URL(location).searchParams.get('code');
  if (code === null) return;
  const { body } = await redeem(state.town, 'fahrkarte', code, browser.verifier);
  if (body['id_token'] === undefined) return;
  const claims = JSON.parse(Buffer.from(body['id_token'].split('.')[1] ?? '', 'base64url').toString());
  state.signIns += 1;
  const person = state.people.find(({ subject }) => subject === claims.sub);
  if (person === undefined) return t.fail(`a subject that is nobody’s${after(state)}`);
  const shown = shownOf(browser, person);
  const byKey = shown.has('passkey') || shown.has('weak-passkey');
  t.true(shown.has('pwd') || byKey, `an account without its password or passkey${after(state)}`);
  if (person.app && !byKey && !shown.has('no-app'))
    t.true(shown.has('otp') || shown.has('code'), `an account with an app without its second factor${after(state)}`);
  const level = LEVELS.find((one) => ACR[one] === claims.acr);
  if (level === undefined) return t.fail(`acr ${claims.acr}${after(state)}`);
  t.true(rank(level) <= rank(levelOf(shown)), `${level} by ${[...shown].join('+')}${after(state)}`);
  t.true(rank(level) <= rank(person.proofing), `${level} for one proofed ${person.proofing}${after(state)}`);
  for (const method of claims.amr ?? []) {
    if (method === 'pwd') t.true(shown.has('pwd'), `amr pwd${after(state)}`);
    else if (method === 'otp') t.true(shown.has('otp') || shown.has('code'), `amr otp${after(state)}`);
    else if (method === 'pop' || method === 'user') t.true(byKey, `amr ${method}${after(state)}`);
    else t.is(method, 'mfa', `amr ${method}${after(state)}`);
  }
};

/** What there is now: an app that is gone is asked for no more, a passkey that is gone signs in no more. */
const meetReality = async ({ town }: WalkState, person: Person): Promise<void> => {
  const { db } = town.context();
  const [app] = await db('totps').where({ account_id: person.account }).select('account_id');
  person.app = app !== undefined;
  const rows = await db('passkeys').where({ account_id: person.account }).select('credential_id');
  const left = new Set(rows.map(({ credential_id }) => (credential_id as Buffer).toString('base64url')));
  for (const id of person.keys.keys()) if (!left.has(id)) person.keys.delete(id);
};

/** No credential has changed unless this browser had shown, before the act, what such a change takes. */
const checkCredentials = async (
  t: Verdict,
  state: WalkState,
  shownBefore: ReadonlyMap<AccountId, Shown>,
): Promise<void> => {
  for (const person of state.people) {
    const now = await snapshot(state.town, person.account);
    if (now === person.state) continue;
    state.changes += 1;
    const [, apps = [], , keys = []] = JSON.parse(person.state) as unknown[][];
    const had = { app: apps.length > 0, keys: keys.length > 0 };
    const shown = shownBefore.get(person.account) ?? new Set();
    const byRecovery = shown.has('code') && (!had.app || shown.has('otp'));
    const byKey = shown.has('passkey') || shown.has('weak-passkey');
    const byPassword = shown.has('pwd') && (!(had.app || had.keys) || shown.has('otp') || shown.has('code'));
    // The strongest factor: an app's code does not stand in for a passkey, a code from paper does.
    const enough = had.keys ? byKey || (shown.has('pwd') && shown.has('code')) : byKey || byPassword;
    const proofs = [...shown].join('+') || 'nothing';
    t.true(byRecovery || enough || shown.has('paper'), `a credential changed after ${proofs}${after(state)}`);
    person.state = now;
    await meetReality(state, person);
  }
};

class Command implements fc.AsyncCommand<object, { state: WalkState; t: Verdict }> {
  readonly name: string;
  readonly browser: number;
  readonly person: number;

  constructor(name: string, browser: number, person: number) {
    this.name = name;
    this.browser = browser;
    this.person = person;
  }

  check(): boolean {
    return true;
  }

  async run(_model: object, { state, t }: { state: WalkState; t: Verdict }): Promise<void> {
    const browser = state.browsers[this.browser];
    const person = state.people[this.person];
    if (browser === undefined || person === undefined) return;
    state.trail.push(String(this));
    for (const name of WAYS[this.name] ?? [this.name]) {
      state.commands += 1;
      // A password that is being set shows nothing for itself.
      const shownBefore = new Map([...browser.shown].map(([account, shown]) => [account, new Set(shown)]));
      const act = ACTS[name];
      if (act !== undefined) await act(state, browser, person);
      else await submit(state, browser, name, {});
      await checkCredentials(t, state, shownBefore);
      await checkCallback(t, state, browser);
    }
    const status = browser.page?.status ?? 200;
    t.true(status < 500, `${status}${after(state)}`);
  }

  toString(): string {
    return `${this.name}(${this.browser},${this.person})`;
  }
}

/** Random commands; the usual ways are likelier than the odd ones, so that walks get far. */
const anyCommands = (length: number) =>
  fc.commands(
    [
      fc
        .tuple(
          fc.oneof(
            { weight: 3, arbitrary: fc.constantFrom('open', 'openHigher', 'password', 'app', 'codeAsFactor', 'konto') },
            { weight: 2, arbitrary: fc.constantFrom(...Object.keys(ACTS)) },
            { weight: 2, arbitrary: fc.constantFrom(...Object.keys(WAYS)) },
            { weight: 1, arbitrary: fc.constantFrom(...EMPTY) },
          ),
          fc.nat(1),
          fc.nat(2),
        )
        .map(([name, browser, person]) => new Command(name, browser, person)),
    ],
    { maxCommands: length, size: 'max' },
  );

/** A town with a clock of its own that the walk moves. */
const openTown = async () => {
  let aheadMs = 0;
  const now = (): number => Date.now() + aheadMs;
  const town = await startTown({ now: () => new Date(now()), hashing: CHEAP_HASHING });
  return {
    town,
    nextStep: (): number => {
      aheadMs += 31_000;
      return Math.floor(now() / 1000);
    },
    /** Interactions end by the real clock: the town must not run far ahead of it. */
    resetClock: (): void => {
      aheadMs = 0;
    },
  };
};
type WalkTown = Awaited<ReturnType<typeof openTown>>;

type Sums = { commands: number; signIns: number; changes: number };

/** In one town, one walk after the other until all lanes together have run `wanted` commands. */
const walkInTown = async (
  t: Verdict,
  { town, nextStep, resetClock }: WalkTown,
  wanted: number,
  sums: Sums,
): Promise<void> => {
  try {
    while (sums.commands < wanted) {
      await fc.assert(
        fc.asyncProperty(anyCommands(60), async (walk) => {
          resetClock();
          // All come from one address: after a hundred sign-ins there would be none any more.
          await town.context().db('attempts').delete();
          town.logged.length = 0;
          const state = await beginWalk(town, nextStep);
          await fc.asyncModelRun(() => ({ model: {}, real: { state, t } }), walk);
          for (const name of ['commands', 'signIns', 'changes'] as const) sums[name] += state[name];
        }),
        { numRuns: 1, endOnFailure: true },
      );
    }
  } catch (error) {
    sums.commands = Number.POSITIVE_INFINITY; // the other lanes need not go on
    throw error;
  }
};

/** Walks until `wanted` commands were run, in as many towns at a time as there are lanes. */
export const walkOn = async (t: Verdict & Pick<ExecutionContext, 'log'>, wanted: number, lanes = 1): Promise<void> => {
  const sums: Sums = { commands: 0, signIns: 0, changes: 0 };
  await using closing = new AsyncDisposableStack();
  const towns: WalkTown[] = [];
  while (towns.length < lanes) {
    const opened = await openTown();
    closing.defer(() => opened.town.close());
    towns.push(opened);
  }
  await Promise.all(towns.map((one) => walkInTown(t, one, wanted, sums)));
  t.log(`${sums.commands} commands, ${sums.signIns} sign-ins, ${sums.changes} changes of credentials`);
  t.true(sums.signIns > 0 && sums.changes > 0);
};

/** One walk along given commands, each in the given browser (0, 1) for the given person (0 app, 1 password only, 2 unproofed). */
export const walkAlong = async (
  t: Verdict,
  commands: readonly (readonly [name: string, browser: number, person: number])[],
): Promise<void> => {
  await using closing = new AsyncDisposableStack();
  const { town, nextStep } = await openTown();
  closing.defer(() => town.close());
  const state = await beginWalk(town, nextStep);
  for (const [name, browser, person] of commands) await new Command(name, browser, person).run({}, { state, t });
};
