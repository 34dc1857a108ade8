/** What the random walk does (sign-in-walk.ts): each act in a browser, and what the browser has shown by it. */
import { randomUUID } from 'node:crypto';
import { generate } from 'otplib';
import { findByIdentifier } from '../../accounts/accounts.ts';
import * as assurance from '../../accounts/assurance.ts';
import * as letterCodes from '../../accounts/letter-codes.ts';
import { SoftPasskey } from './authenticator.ts';
import { codeIn } from './citizen.ts';
import { atHome, authorizationUrl, pkce } from './relying-party.ts';
import {
  type BrowserState,
  freshBrowser,
  type Person,
  shownOf,
  showPassword,
  snapshot,
  type WalkState,
} from './sign-in-people.ts';
import { type Answer, forms } from './visitor.ts';

const { ACR } = assurance;

/** Whether the page asks for this: what is sent to a page that does not ask for it shows nothing. */
const asksFor = (browser: BrowserState, action: string): boolean =>
  browser.page?.status === 200 && forms(browser.page).some(({ action: to }) => to.pathname.endsWith(`/${action}`));

/** Where the forms of a page go: its interaction, its visit with a letter, or its page of the account. */
const baseOf = ({ url }: Answer): string | undefined =>
  url.pathname.startsWith('/konto/') ? url.pathname : /^\/(interaction|brief)\/[\w-]+/.exec(url.pathname)?.[0];

const tokenOn = (page: Answer): string =>
  forms(page)
    .flatMap(({ fields }) => fields)
    .find(([name]) => name === 'token')?.[1] ?? '';

export type Act = (state: WalkState, browser: BrowserState, person: Person) => Promise<void>;

/** Sends a form of the page; by hand where it has no such form. */
export const submit = async (
  state: WalkState,
  browser: BrowserState,
  action: string,
  values: Record<string, string>,
) => {
  const { page } = browser;
  if (page === undefined || page.status !== 200) return;
  const own = forms(page).find(({ action: to }) => to.pathname.endsWith(`/${action}`));
  // Also where the page has no such form: sent by hand, to the address of this interaction or page of the account.
  const base = baseOf(page);
  if (own === undefined && base === undefined) return;
  const to = own?.action ?? new URL(`${base}/${action}`, state.town.issuer);
  const sent = await browser.visitor.send(to, {
    method: 'POST',
    body: new URLSearchParams({ token: tokenOn(page), ...values }),
  });
  if (sent.headers['content-type']?.includes('json')) return;
  browser.page = await browser.visitor.follow(sent, atHome(state.town));
};

const go = async (state: WalkState, browser: BrowserState, path: string): Promise<void> => {
  browser.page = await browser.visitor.open(new URL(path, state.town.issuer), atHome(state.town));
};

const ceremonyOf = ({ town }: WalkState, challenge: string) => ({
  challenge,
  origin: town.issuer,
  rpId: new URL(town.issuer).hostname,
});

type Begun = { readonly ceremony: string; readonly options: { challenge: string; user?: { id: string } } };

/** Begins a ceremony on the page; undefined where none is to be had. */
const optionsOf = async (state: WalkState, browser: BrowserState, action: string): Promise<Begun | undefined> => {
  const { page } = browser;
  const base = page && baseOf(page);
  if (page === undefined || base === undefined) return undefined;
  const answer = await browser.visitor.send(new URL(`${base}/${action}-options`, state.town.issuer), {
    method: 'POST',
    body: new URLSearchParams({ token: tokenOn(page) }),
  });
  return answer.text.startsWith('{') ? (JSON.parse(answer.text) as Begun) : undefined;
};

const usePasskey = async (
  state: WalkState,
  browser: BrowserState,
  person: Person,
  own: { readonly key: SoftPasskey; readonly weak: boolean } | undefined,
  times = 1,
): Promise<void> => {
  const begun = await optionsOf(state, browser, 'passkey');
  if (begun === undefined || own === undefined) return;
  if (asksFor(browser, 'passkey')) shownOf(browser, person).add(own.weak ? 'weak-passkey' : 'passkey');
  const response = JSON.stringify(own.key.get(ceremonyOf(state, begun.options.challenge)));
  for (let count = 0; count < times; count += 1) {
    await submit(state, browser, 'passkey', { ceremony: begun.ceremony, response });
  }
};

/** Sets a password that nobody has had before; whoever's it has become, this browser knows it. */
const setPassword = async (state: WalkState, browser: BrowserState, action: string): Promise<void> => {
  state.passwordsSet += 1;
  const password = `Neun grüne Schirme tanzen ${state.passwordsSet}`;
  await submit(state, browser, action, { new_password: password, repeated_password: password });
  for (const one of state.people) {
    if ((await snapshot(state.town, one.account)) === one.state) continue;
    one.passwords = new Set([...one.passwords, password]);
    const shown = shownOf(browser, one);
    if (action === 'reset-password' && shown.has('code')) showPassword(browser, one);
  }
};

/** Backup codes that a page shows, once. */
const keepNewCodes = async (state: WalkState, browser: BrowserState): Promise<void> => {
  const codes = /<code>([A-Z0-9]{4}(?:-[A-Z0-9]{4}){3})<\/code>/g;
  const shown = [...(browser.page?.text ?? '').matchAll(codes)].map(([, code = '']) => code);
  if (shown.length !== 10) return;
  for (const one of state.people) {
    if ((await snapshot(state.town, one.account)) !== one.state) one.codes = shown;
  }
};

/** What can be done in a browser. */
export const ACTS: Readonly<Record<string, Act>> = {
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
    for (const one of state.people) if (asked && one.passwords.has(password)) showPassword(browser, one);
    await submit(state, browser, 'sign-in', { identifier: person.email, password });
  },
  /** In a browser that can make passkeys: one is offered afterwards. */
  passwordCapable: async (state, browser, person) => {
    const password = [...person.passwords].at(-1) ?? '';
    if (asksFor(browser, 'sign-in') && person.passwords.has(password)) showPassword(browser, person);
    await submit(state, browser, 'sign-in', { identifier: person.email, password, capable: 'yes' });
  },
  wrongPassword: (state, browser, person) =>
    submit(state, browser, 'sign-in', { identifier: person.email, password: 'etwas ganz anderes als das' }),
  app: async (state, browser, person) => {
    const code = await generate({ secret: person.secret, epoch: state.nextStep() });
    if (asksFor(browser, 'totp') && person.app) shownOf(browser, person).add('otp');
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
  reset: (state, browser) => setPassword(state, browser, 'reset-password'),
  kontoPassword: (state, browser) => go(state, browser, '/konto/passwort'),
  changePassword: (state, browser) => setPassword(state, browser, 'change'),
  passkey: async (state, browser, person) => {
    const [key] = [...person.keys.values()];
    await usePasskey(state, browser, person, key);
  },
  passkeyTwice: async (state, browser, person) => {
    const [key] = [...person.keys.values()];
    await usePasskey(state, browser, person, key, 2);
  },
  kontoPasskey: (state, browser) => go(state, browser, '/konto/passkey-neu'),
  makePasskey: async (state, browser) => {
    const made = await optionsOf(state, browser, 'new-passkey');
    if (made === undefined) return;
    const handle = Buffer.from(String(made.options.user?.id), 'base64url');
    const key = new SoftPasskey(handle);
    const id = key.credentialId.toString('base64url');
    const response = JSON.stringify(key.create(ceremonyOf(state, made.options.challenge)));
    await submit(state, browser, 'new-passkey', { ceremony: made.ceremony, response });
    for (const one of state.people) {
      if ((await snapshot(state.town, one.account)) === one.state) continue;
      const shown = shownOf(browser, one);
      const two = shown.has('passkey') || (shown.has('pwd') && (shown.has('otp') || shown.has('code')));
      one.keys.set(id, { key, weak: !two });
    }
  },
  removePasskey: async (state, browser) => {
    await go(state, browser, '/konto/passkeys');
    const form = browser.page && forms(browser.page).find(({ action }) => action.pathname.endsWith('/remove'));
    await submit(state, browser, 'remove', { id: form?.fields.find(([name]) => name === 'id')?.[1] ?? '' });
  },
  setUpApp: async (state, browser) => {
    await go(state, browser, '/konto/app');
    const [, shownSecret = ''] = /<code>([A-Z2-7 ]{32,})<\/code>/.exec(browser.page?.text ?? '') ?? [];
    const secret = shownSecret.replaceAll(' ', '');
    if (secret === '') return;
    await submit(state, browser, 'enrol', { code: await generate({ secret, epoch: state.nextStep() }) });
    for (const one of state.people) {
      if ((await snapshot(state.town, one.account)) === one.state) continue;
      one.app = true;
      one.secret = secret;
    }
  },
  changeEmail: async (state, browser) => {
    await go(state, browser, '/konto/email');
    const next = `neu-${randomUUID()}@buerger.example`;
    await submit(state, browser, 'change', { email: next });
    if (!asksFor(browser, 'confirm')) return;
    const codes = async (email: string) => codeIn((await state.town.mail.next(email)).text);
    const newCode = await codes(next);
    const account = /\/konto\/email/.test(browser.page?.url.pathname ?? '') ? state.people : [];
    for (const one of account) {
      const mail = state.town.mail.mails.findLast(
        ({ to, subject }) => String(to).includes(one.email) && /^\d/.test(String(subject)),
      );
      const oldCode = mail === undefined ? '' : codeIn(mail.text);
      await submit(state, browser, 'confirm', { new_code: newCode, old_code: oldCode });
      const found = await findByIdentifier(state.town.context(), next);
      if (found !== one.account) continue;
      one.email = next;
      return;
    }
  },
  /** The counter hands out a code on paper; what comes of it is up to whoever holds it. */
  handOut: async (state, _browser, person) => {
    const ctx = state.town.context();
    const until = new Date(ctx.now().getTime() + 3_600_000);
    const owner = { purpose: 'activation', account: person.account } as const;
    person.paper = (await letterCodes.issue(ctx, owner, ctx.now(), until)).reveal();
  },
  paper: async (state, browser, person) => {
    await go(state, browser, '/brief');
    if (person.paper !== undefined && asksFor(browser, 'code')) shownOf(browser, person).add('paper');
    await submit(state, browser, 'code', { code: person.paper ?? 'AAAAA-AAAAA-AAAAA-AAAAA' });
  },
  paperPassword: async (state, browser) => {
    await submit(state, browser, 'choose-password', {});
    await setPassword(state, browser, 'new-password');
    await submit(state, browser, 'without-app', {});
    await keepNewCodes(state, browser);
  },
  skip: (state, browser) => submit(state, browser, 'skip', {}),
  later: (state, browser) => submit(state, browser, 'no-passkey', {}),
  otherAccount: (state, browser) => submit(state, browser, 'other-account', {}),
  back: (state, browser) => submit(state, browser, 'back', {}),
  konto: async (state, browser) => {
    await go(state, browser, '/konto/ersatzcodes');
  },
  newCodes: async (state, browser) => {
    await submit(state, browser, 'make', {});
    await keepNewCodes(state, browser);
  },
  removeApp: async (state, browser) => {
    await go(state, browser, '/konto/app');
    await submit(state, browser, 'remove', {});
  },
  newBrowser: async (state, browser) => {
    state.browsers[state.browsers.indexOf(browser)] = freshBrowser();
  },
};

/** Ways that lead somewhere: random commands alone seldom get there. */
export const WAYS: Readonly<Record<string, readonly string[]>> = {
  wholeSignIn: ['open', 'password', 'app'],
  wholeStepUp: ['openHigher', 'password', 'app', 'codeAsFactor'],
  wholeRecovery: ['open', 'forget', 'recover', 'app', 'reset'],
  wholeChange: ['konto', 'password', 'app', 'newCodes'],
  wholePasskey: ['kontoPasskey', 'password', 'app', 'later', 'kontoPasskey', 'makePasskey'],
  wholeOffer: ['open', 'passwordCapable', 'app', 'makePasskey'],
  wholeKeySignIn: ['openHigher', 'passkey'],
  wholeKeyChange: ['kontoPassword', 'passkey', 'changePassword'],
  wholeRemoval: ['kontoPasskey', 'passkey', 'removePasskey'],
  wholeApp: ['kontoPasskey', 'passkey', 'password', 'setUpApp'],
  wholeEmail: ['konto', 'password', 'app', 'passkey', 'changeEmail'],
  wholeCounter: ['handOut', 'paper', 'paperPassword', 'open', 'password'],
};

/** Forms that are sent with nothing in them, whether the page has them or not. */
export const EMPTY = [
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
