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
import { type AccountId, parseAccountId } from '../../accounts/ids.ts';
import * as totp from '../../accounts/totp.ts';
import { addCitizen, atHome, authorizationUrl, pkce, redeem } from './relying-party.ts';
import { type RunningTown, startTown } from './town.ts';
import { type Answer, forms, Visitor } from './visitor.ts';

const SECRET = 'KRUGS4ZANFZSA3TPOQQHGZLDOJSXIIJB';
const FIRST_PASSWORD = 'drei blaue Häuser am Fluss';
const OTHER_PASSWORD = 'Neun grüne Schirme tanzen';
const { ACR, LEVELS } = assurance;

type Person = {
  readonly email: string;
  readonly account: AccountId;
  readonly subject: string;
  readonly proofing: assurance.Level;
  /** Passwords that may be right: the last one set, and one that is being set. */
  passwords: Set<string>;
  codes: string[];
  app: boolean;
  state: string;
};
type Shown = Set<'pwd' | 'otp' | 'code'>;
type BrowserState = {
  visitor: Visitor;
  page: Answer | undefined;
  verifier: string;
  asked: string[];
  /** By account: what was right, in this browser. */
  shown: Map<AccountId, Shown>;
};
type WalkState = {
  readonly town: RunningTown;
  readonly people: Person[];
  readonly browsers: BrowserState[];
  /** Moves the clock to the next code of the app. */
  readonly nextStep: () => number;
  commands: number;
  /** Sign-ins that a service got, and changes of credentials: a walk without any would prove nothing. */
  signIns: number;
  changes: number;
};

const snapshot = async (town: RunningTown, account: AccountId): Promise<string> => {
  const { db } = town.context();
  const of = (table: string, ...columns: string[]) =>
    db(table)
      .where({ account_id: account })
      .orderBy(columns[0] ?? 'account_id')
      .select(columns);
  const [passwords, apps, codes, passkeys] = await Promise.all([
    of('passwords', 'changed_at', 'short'),
    of('totps', 'created_at'),
    of('backup_codes', 'hash'),
    of('passkeys', 'id'),
  ]);
  const hex = codes.map(({ hash }) => (hash as Buffer).toString('hex')).sort();
  return JSON.stringify([passwords, apps, hex, passkeys]);
};

const freshBrowser = (): BrowserState => ({
  visitor: new Visitor(),
  page: undefined,
  verifier: '',
  asked: [],
  shown: new Map(),
});

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
    const account = parseAccountId(await addCitizen(town, email, password));
    if (account === undefined) throw new Error('no account');
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
      app,
      state: await snapshot(town, account),
    });
  }
  return { town, people, browsers: [freshBrowser(), freshBrowser()], nextStep, commands: 0, signIns: 0, changes: 0 };
};

const shownOf = (browser: BrowserState, person: Person): Shown => {
  const shown = browser.shown.get(person.account) ?? new Set();
  browser.shown.set(person.account, shown);
  return shown;
};

const levelOf = (shown: Shown): assurance.Level => {
  if (!shown.has('pwd')) return 'basis';
  return shown.has('otp') || shown.has('code') ? 'substantial' : 'low';
};
const rank = (level: assurance.Level): number => LEVELS.indexOf(level);

/** What a browser may have at its service: whose account, what level, which amr. */
const checkCallback = async (t: ExecutionContext, state: WalkState, browser: BrowserState): Promise<void> => {
  const { location } = browser.page?.headers ?? {};
  if (typeof location !== 'string' || location.startsWith(state.town.issuer)) return;
  const code = new URL(location).searchParams.get('code');
  if (code === null) return;
  const { body } = await redeem(state.town, 'fahrkarte', code, browser.verifier);
  if (body['id_token'] === undefined) return;
  const claims = JSON.parse(Buffer.from(body['id_token'].split('.')[1] ?? '', 'base64url').toString());
  state.signIns += 1;
  const person = state.people.find(({ subject }) => subject === claims.sub);
  if (person === undefined) return t.fail('a subject that is nobody’s');
  const shown = shownOf(browser, person);
  t.true(shown.has('pwd'), 'an account without its password');
  if (person.app) t.true(shown.has('otp') || shown.has('code'), 'an account with an app without its second factor');
  const level = LEVELS.find((one) => ACR[one] === claims.acr);
  if (level === undefined) return t.fail(`acr ${claims.acr}`);
  t.true(rank(level) <= rank(levelOf(shown)), `${level} by ${[...shown].join('+')}`);
  t.true(rank(level) <= rank(person.proofing), `${level} for one proofed ${person.proofing}`);
  for (const method of claims.amr ?? []) {
    if (method === 'pwd') t.true(shown.has('pwd'));
    else if (method === 'otp') t.true(shown.has('otp') || shown.has('code'));
    else t.is(method, 'mfa');
  }
};

/** No credential has changed unless this browser had shown what such a change takes. */
const checkCredentials = async (t: ExecutionContext, state: WalkState, browser: BrowserState): Promise<void> => {
  for (const person of state.people) {
    const now = await snapshot(state.town, person.account);
    if (now === person.state) continue;
    state.changes += 1;
    const shown = shownOf(browser, person);
    const byRecovery = shown.has('code') && (!person.app || shown.has('otp'));
    const bySignIn = shown.has('pwd') && (!person.app || shown.has('otp') || shown.has('code'));
    t.true(byRecovery || bySignIn, `a credential changed after ${[...shown].join('+') || 'nothing'}`);
    person.state = now;
  }
};

/** Whether the page asks for this: what is sent to a page that does not ask for it shows nothing. */
const asksFor = (browser: BrowserState, action: string): boolean =>
  browser.page?.status === 200 && forms(browser.page).some(({ action: to }) => to.pathname.endsWith(`/${action}`));

const tokenOn = (page: Answer): string =>
  forms(page)
    .flatMap(({ fields }) => fields)
    .find(([name]) => name === 'token')?.[1] ?? '';

type Act = (state: WalkState, browser: BrowserState, person: Person) => Promise<void>;

const submit = async (state: WalkState, browser: BrowserState, action: string, values: Record<string, string>) => {
  const { page } = browser;
  if (page === undefined || page.status !== 200) return;
  const own = forms(page).find(({ action: to }) => to.pathname.endsWith(`/${action}`));
  // Also where the page has no such form: sent by hand, to the address of this interaction or page of the account.
  const base = page.url.pathname.startsWith('/konto')
    ? page.url.pathname
    : /^\/interaction\/[\w-]+/.exec(page.url.pathname)?.[0];
  if (own === undefined && base === undefined) return;
  const to = own?.action ?? new URL(`${base}/${action}`, state.town.issuer);
  const sent = await browser.visitor.send(to, {
    method: 'POST',
    body: new URLSearchParams({ token: tokenOn(page), ...values }),
  });
  if (sent.headers['content-type']?.includes('json')) return;
  browser.page = await browser.visitor.follow(sent, atHome(state.town));
};

const codeOf = async (state: WalkState): Promise<string> => generate({ secret: SECRET, epoch: state.nextStep() });

const ACTS: Readonly<Record<string, Act>> = {
  open: async (state, browser) => {
    const proof = pkce();
    browser.verifier = proof.verifier;
    const claims = JSON.stringify({ id_token: { acr: null, amr: null } });
    browser.page = await browser.visitor.open(
      authorizationUrl(state.town, 'fahrkarte', proof, { claims }),
      atHome(state.town),
    );
  },
  openHigher: async (state, browser) => {
    const proof = pkce();
    browser.verifier = proof.verifier;
    const claims = JSON.stringify({ id_token: { amr: null, acr: { essential: true, values: [ACR.substantial] } } });
    browser.page = await browser.visitor.open(
      authorizationUrl(state.town, 'fahrkarte', proof, { claims }),
      atHome(state.town),
    );
  },
  password: async (state, browser, person) => {
    const password = [...person.passwords].at(-1) ?? '';
    // Of a known citizen the page ignores who is typed in; then it must be that citizen's password.
    const asked = asksFor(browser, 'sign-in');
    for (const one of state.people) if (asked && one.passwords.has(password)) shownOf(browser, one).add('pwd');
    await submit(state, browser, 'sign-in', { identifier: person.email, password });
  },
  wrongPassword: (state, browser, person) =>
    submit(state, browser, 'sign-in', { identifier: person.email, password: 'etwas ganz anderes als das' }),
  app: async (state, browser) => {
    const code = await codeOf(state);
    const asked = asksFor(browser, 'totp');
    for (const one of state.people) if (asked && one.app) shownOf(browser, one).add('otp');
    await submit(state, browser, 'totp', { code });
  },
  wrongApp: (state, browser) => submit(state, browser, 'totp', { code: '123456' }),
  codeAsFactor: async (state, browser, person) => {
    const code = person.codes.pop() ?? '';
    if (asksFor(browser, 'backup-code')) shownOf(browser, person).add('code');
    await submit(state, browser, 'backup-code', { backup_code: code });
  },
  wrongCode: (state, browser) => submit(state, browser, 'backup-code', { backup_code: 'AAAA-AAAA-AAAA-AAAA' }),
  forget: (state, browser) => submit(state, browser, 'forgotten', {}),
  recover: async (state, browser, person) => {
    const code = person.codes.pop() ?? '';
    if (asksFor(browser, 'recovery-code')) shownOf(browser, person).add('code');
    await submit(state, browser, 'recovery-code', { identifier: person.email, backup_code: code });
  },
  wrongRecover: (state, browser, person) =>
    submit(state, browser, 'recovery-code', { identifier: person.email, backup_code: 'BBBB-BBBB-BBBB-BBBB' }),
  reset: async (state, browser) => {
    await submit(state, browser, 'reset-password', { new_password: OTHER_PASSWORD, repeated_password: OTHER_PASSWORD });
    for (const one of state.people) {
      if ((await snapshot(state.town, one.account)) === one.state) continue;
      // The password that was set is what this browser knows from now on.
      one.passwords = new Set([...one.passwords, OTHER_PASSWORD]);
      const code = shownOf(browser, one).has('code');
      if (code) shownOf(browser, one).add('pwd');
    }
  },
  skip: (state, browser) => submit(state, browser, 'skip', {}),
  later: (state, browser) => submit(state, browser, 'no-passkey', {}),
  otherAccount: (state, browser) => submit(state, browser, 'other-account', {}),
  back: (state, browser) => submit(state, browser, 'back', {}),
  konto: async (state, browser) => {
    browser.page = await browser.visitor.open(new URL('/konto/ersatzcodes', state.town.issuer), atHome(state.town));
  },
  newCodes: async (state, browser) => {
    await submit(state, browser, 'make', {});
    const shown = [...(browser.page?.text ?? '').matchAll(/<code>([A-Z0-9]{4}(?:-[A-Z0-9]{4}){3})<\/code>/g)].map(
      ([, code = '']) => code,
    );
    if (shown.length !== 10) return;
    for (const one of state.people) {
      if ((await snapshot(state.town, one.account)) !== one.state) one.codes = shown;
    }
  },
  removeApp: async (state, browser) => {
    browser.page = await browser.visitor.open(new URL('/konto/app', state.town.issuer), atHome(state.town));
    await submit(state, browser, 'remove', {});
  },
  newBrowser: async (state, browser) => {
    state.browsers[state.browsers.indexOf(browser)] = freshBrowser();
  },
};

/** Ways that lead somewhere: random commands alone seldom get there. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  wholeSignIn: ['open', 'password', 'app'],
  wholeStepUp: ['openHigher', 'password', 'app', 'codeAsFactor'],
  wholeRecovery: ['open', 'forget', 'recover', 'app', 'reset'],
  wholeChange: ['konto', 'password', 'app', 'newCodes'],
};

const EMPTY = [
  'sign-in',
  'totp',
  'backup-code',
  'recovery-code',
  'reset-password',
  'new-passkey',
  'passkey',
  'make',
  'enrol',
  'change',
  'remove',
  'consent',
  'kennung',
];

class Command implements fc.AsyncCommand<object, { state: WalkState; t: ExecutionContext }> {
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

  async run(_model: object, { state, t }: { state: WalkState; t: ExecutionContext }): Promise<void> {
    const browser = state.browsers[this.browser];
    const person = state.people[this.person];
    if (browser === undefined || person === undefined) return;
    for (const name of WAYS[this.name] ?? [this.name]) {
      state.commands += 1;
      const act = ACTS[name];
      if (act !== undefined) await act(state, browser, person);
      else await submit(state, browser, name, {});
      await checkCredentials(t, state, browser);
      await checkCallback(t, state, browser);
    }
    const status = browser.page?.status ?? 200;
    t.true(status < 500, `${this.name}: ${status}`);
    // An app that is gone is asked for no more.
    for (const one of state.people) {
      if (!one.app) continue;
      const [row] = await state.town.context().db('totps').where({ account_id: one.account }).select('account_id');
      if (row === undefined) one.app = false;
    }
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

/** Walks until `wanted` commands were run. */
export const walkOn = async (t: ExecutionContext, wanted: number): Promise<void> => {
  let aheadMs = 0;
  const town = await startTown({ now: () => new Date(Date.now() + aheadMs) });
  const nextStep = (): number => {
    aheadMs += 31_000;
    return Math.floor((Date.now() + aheadMs) / 1000);
  };
  const sums = { commands: 0, signIns: 0, changes: 0 };
  try {
    while (sums.commands < wanted) {
      await fc.assert(
        fc.asyncProperty(anyCommands(60), async (walk) => {
          // Interactions end by the real clock: the town must not run far ahead of it.
          aheadMs = 0;
          const state = await beginWalk(town, nextStep);
          await fc.asyncModelRun(() => ({ model: {}, real: { state, t } }), walk);
          for (const name of ['commands', 'signIns', 'changes'] as const) sums[name] += state[name];
        }),
        { numRuns: 1, endOnFailure: true },
      );
    }
    t.log(`${sums.commands} commands, ${sums.signIns} sign-ins, ${sums.changes} changes of credentials`);
    t.true(sums.signIns > 0);
  } finally {
    await town.close();
  }
};
