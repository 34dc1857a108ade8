import test from 'ava';
import fc from 'fast-check';
import type { AccountId } from '../accounts/ids.ts';
import { assetUrl } from '../interactions/assets.ts';
import { errorPage } from '../interactions/errors.view.ts';
import { parseForm } from '../interactions/form.ts';
import { html, safeUrl } from '../interactions/html.ts';
import { cameFromUs } from '../interactions/http.ts';
import { inLanguage, languageOf, offeredLanguages, textsIn } from '../interactions/language.ts';
import { continuePage, layout } from '../interactions/layout.view.ts';
import { type Needs, nextStep, oneStepBack, type StepName } from '../interactions/next-step.ts';
import type { Draft, Progress } from '../interactions/progress.ts';
import { openingOf } from '../interactions/start.view.ts';
import { parseBirthdate } from '../interactions/steps/details.ts';
import { registrationOf } from './harness/domain.ts';
import { TEST_TOWN } from './harness/town.ts';

const SHELL = { town: TEST_TOWN, language: 'de' as const, path: '/' };
const ACCOUNT = '6b2f5c1e-0d5e-4f0e-9c3a-1d2f3a4b5c6d' as AccountId;
const NOTHING: Needs = {
  account: undefined,
  proof: 'nothing',
  recoveryTotp: false,
  offerPasskey: false,
  needsEmail: false,
  missing: [],
  consentDue: false,
};

const anyDraft: fc.Arbitrary<Draft> = fc.record(
  {
    contact: fc.constantFrom('open' as const, 'email' as const, 'none' as const),
    email: fc.constant('a@b.example'),
    emailProven: fc.boolean(),
    address: fc.constant('none' as const),
    method: fc.constant('password' as const),
    answers: fc.record({ phone: fc.constant('yes'), lock: fc.constant('no') }, { requiredKeys: [] }),
  },
  { requiredKeys: ['contact'] },
);
const anyProgress: fc.Arbitrary<Progress> = fc.record(
  {
    path: fc.constantFrom('sign-in' as const, 'register' as const),
    draft: anyDraft,
    evidence: fc.constant({ account: ACCOUNT, proofs: [{ kind: 'pwd' as const, at: 1 }] }),
    welcome: fc.record(
      { kennung: fc.constant('GT-1'), backupCodes: fc.constant(['x']) },
      { requiredKeys: ['kennung'] },
    ),
    consented: fc.boolean(),
  },
  { requiredKeys: ['path'] },
);
const anyNeeds: fc.Arbitrary<Needs> = fc.record({
  account: fc.option(fc.record({ hasEmail: fc.boolean() }), { nil: undefined }),
  proof: fc.constantFrom('nothing', 'primary', 'second-factor', 'passkey', 'unreachable'),
  recoveryTotp: fc.boolean(),
  offerPasskey: fc.boolean(),
  needsEmail: fc.boolean(),
  missing: fc.array(fc.constantFrom('given_name', 'birthdate'), { maxLength: 2 }),
  consentDue: fc.boolean(),
});

test('a sign-in is done only with an account, and when nothing is missing', (t) => {
  fc.assert(
    fc.property(anyProgress, anyNeeds, (progress, needs) => {
      if (nextStep(progress, needs) !== 'done') return;
      t.true(needs.account !== undefined);
      t.true(needs.account?.hasEmail === true || !needs.needsEmail);
      t.is(needs.missing.length, 0);
      t.true(!needs.consentDue || progress.consented === true);
      t.is(progress.welcome, undefined);
    }),
  );
  t.pass();
});

test('without an account no progress leads to a page that needs one', (t) => {
  const open: StepName[] = ['sign-in', 'email', 'email-code', 'address', 'credential', 'find-factor', 'password'];
  fc.assert(
    fc.property(anyProgress, anyNeeds, (progress, needs) => {
      t.true(open.includes(nextStep(progress, { ...needs, account: undefined })));
    }),
  );
});

test('a credential is asked for only after the e-mail address is proven, or there is none', (t) => {
  fc.assert(
    fc.property(anyDraft, fc.boolean(), (draft, needsEmail) => {
      const step = nextStep({ path: 'register', draft }, { ...NOTHING, needsEmail });
      if (step !== 'credential' && step !== 'password') return;
      t.true(draft.contact === 'none' || draft.emailProven === true);
      t.false(draft.contact === 'none' && needsEmail);
    }),
  );
  t.pass();
});

test('the way back leads to an earlier page, keeps a proven address, and never out of a running sign-in', (t) => {
  const order: StepName[] = ['sign-in', 'email', 'email-code', 'address', 'credential', 'find-factor', 'password'];
  const answered = ({ draft }: Progress): number => Object.keys(draft?.answers ?? {}).length;
  fc.assert(
    fc.property(anyDraft, (draft) => {
      const progress: Progress = { path: 'register', draft };
      const step = nextStep(progress, NOTHING);
      const back = oneStepBack(progress, step);
      if (back === undefined) return t.fail();
      const earlier = order.indexOf(nextStep(back, NOTHING)) < order.indexOf(step);
      t.true(earlier || (step === 'find-factor' && answered(back) < answered(progress)));
      if (step !== 'email') t.is(back.draft?.emailProven, draft.emailProven);
      return undefined;
    }),
  );
  t.is(oneStepBack({ path: 'sign-in' }, 'consent'), undefined);
  t.is(oneStepBack({ path: 'sign-in' }, 'kennung'), undefined);
});

test('whatever stands in a template is escaped', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const made = html`<p title="${text}">${[text, [text]]}</p>`.toString();
      t.is(made.match(/[<>"]/g)?.length, 6);
    }),
  );
  t.is(html`${html`<b>${'&'}</b>`}${false}${null}${undefined}${0}`.toString(), '<b>&amp;</b>0');
});

test('pages escape what comes from files and from requests', (t) => {
  const evil = '"><script>alert(1)</script>';
  const town = { ...TEST_TOWN, name: { de: evil }, contact: { ...TEST_TOWN.contact, address: evil } };
  const page = errorPage(
    { ...SHELL, town, path: `/${evil}` },
    { kind: 'client', status: 400, code: evil, detail: evil, reference: evil, again: `javascript:${evil}` },
  );
  t.false(page.includes('<script>'));
  t.false(page.includes('javascript:'));
  t.true(page.includes('&lt;script&gt;'));
});

test('links lead to http(s) only', (t) => {
  for (const address of ['javascript:alert(1)', 'JaVaScript:alert(1)', 'data:text/html,x', 'x', '//evil', undefined]) {
    t.is(safeUrl(address), undefined, address);
  }
  t.is(safeUrl('https://stadt.example/a b'), 'https://stadt.example/a%20b');
});

test('going on leads anywhere that is registered, apps included, but never into a script', (t) => {
  t.true(continuePage('https://stadt.example/cb?code=1&state=%22').includes('code=1&amp;state=%22'));
  t.true(continuePage('stadtapp://cb?code=1', SHELL).includes('0;url=stadtapp://cb?code=1'));
  t.true(continuePage('/auth/abc').includes('0;url=/auth/abc'));
  for (const url of ['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'JAVASCRIPT:alert(1)']) {
    t.throws(() => continuePage(url));
  }
});

test('a service is opened with the issuer in the address, as OpenID Connect asks', (t) => {
  const issuer = new URL('https://id.stadt.example');
  const registration = registrationOf({
    initiateLoginUri: 'https://b.example/login?x=1',
    homepage: 'https://b.example/',
  });
  t.is(openingOf(registration, issuer), 'https://b.example/login?x=1&iss=https%3A%2F%2Fid.stadt.example');
  t.is(openingOf(registrationOf({ homepage: 'https://b.example/' }), issuer), 'https://b.example/');
  t.is(openingOf(registrationOf(), issuer), undefined);
});

test('form fields are plain texts, each once', (t) => {
  const parse = (body: string) => parseForm(Buffer.from(body));
  const good = parse('identifier=a%40b.example&password=%C3%A4+b%2B&token=x&');
  if (good.outcome !== 'form') return t.fail();
  t.is(good.form.text('identifier'), 'a@b.example');
  t.is(good.form.text('password'), 'ä b+');
  t.is(good.form.text('absent'), '');
  t.deepEqual(good.form.unknown(['identifier']), ['password']);
  const refused = ['a=1&a=2', 'a[]=1', 'a[b]=1', 'a=%00', 'a=%ff', '%ff=1', '=1', 'A=1', `a=${'%0B'}`, '__proto__=1'];
  for (const body of refused) t.is(parse(body).outcome, 'malformed', body);
  const many = Array.from({ length: 60 }, (_, at) => `a${at}=1`).join('&');
  t.is(parse(many).outcome, 'malformed');
  return undefined;
});

test('what a browser encodes comes back as it was', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      fc.pre(!/\p{Cc}/u.test(text));
      const parsed = parseForm(Buffer.from(new URLSearchParams({ field: text }).toString()));
      if (parsed.outcome !== 'form') return t.fail();
      t.is(parsed.form.text('field'), text);
      return undefined;
    }),
  );
});

test('a form counts as ours by Fetch Metadata, or else by its origin', (t) => {
  const issuer = new URL('https://id.stadt.example');
  t.true(cameFromUs({ 'sec-fetch-site': 'same-origin', origin: 'null' }, issuer));
  for (const site of ['cross-site', 'same-site', 'none', 'x']) {
    t.false(cameFromUs({ 'sec-fetch-site': site, origin: issuer.origin }, issuer), site);
  }
  t.true(cameFromUs({ origin: issuer.origin }, issuer));
  t.true(cameFromUs({}, issuer));
  t.false(cameFromUs({ origin: 'https://id.stadt.example.evil.example' }, issuer));
  t.false(cameFromUs({ origin: 'http://id.stadt.example' }, issuer));
});

/** As much of Koa's context as the choice of a language looks at. */
const asking = (query: Record<string, string | string[]>, cookie: string | undefined, browser: string[]) =>
  ({
    query,
    cookies: { get: () => cookie },
    acceptsLanguages: () => browser,
  }) as unknown as Parameters<typeof languageOf>[0];

test("the citizen's choice of language goes before the service's, and that before the browser's", (t) => {
  const towns = ['de', 'en', 'tr'];
  t.is(languageOf(asking({ lang: 'en' }, 'de', ['de']), towns, 'de'), 'en');
  t.is(languageOf(asking({}, 'en', ['de']), towns, 'de'), 'en');
  t.is(languageOf(asking({}, undefined, ['de']), towns, 'fr en-GB de'), 'en');
  t.is(languageOf(asking({}, undefined, ['fr', 'en-US']), towns), 'en');
  t.is(languageOf(asking({ lang: 'xx' }, '../../etc', ['*']), towns, ['en']), 'de');
  t.is(languageOf(asking({ lang: ['en', 'de'] }, undefined, []), towns), 'de');
  t.is(languageOf(asking({ lang: 'en' }, undefined, []), ['de']), 'de');
  t.deepEqual(offeredLanguages(['tr']), ['de']);
  t.is(inLanguage({ de: 'Stadt' }, 'en'), 'Stadt');
});

/** Every text of a language by its path; functions are called with telling arguments. */
const flat = (value: unknown, path = ''): [string, string][] => {
  if (typeof value === 'function') return flat(value(...['«eins»', '«zwei»'].slice(0, value.length)), path);
  if (typeof value !== 'object' || value === null) return [[path, String(value)]];
  return Object.entries(value).flatMap(([key, part]) => flat(part, `${path}.${key}`));
};

test('no text is empty or forgotten in another language', (t) => {
  const german = new Map(flat(textsIn('de')));
  const same = new Set(['.common.product', '.common.signingInTo']);
  for (const [path, text] of flat(textsIn('en'))) {
    t.not(text.trim(), '', path);
    t.not(german.get(path)?.trim(), '', path);
    if (text.split(' ').length > 2 && !same.has(path)) t.not(text, german.get(path), path);
    for (const argument of ['«eins»', '«zwei»']) {
      t.is(german.get(path)?.includes(argument) === true, text.includes(argument), `${path} loses an argument`);
    }
  }
});

test('every page has one heading, its language, and the links that the law asks for', (t) => {
  const page = layout(SHELL, { title: 'Titel', body: html`<p>x</p>` });
  t.is(page.match(/<h1/g)?.length, 1);
  t.true(page.includes('<html lang="de">'));
  for (const address of Object.values(TEST_TOWN.pages)) t.true(page.includes(`href="${address}"`), address);
  t.true(page.includes('href="/?lang=en"'));
  t.false(/\son\w+=|<style|style="/.test(page), 'nothing that the CSP would refuse');
  t.false(/(src|href)="(https?:)?\/\/(?!www\.(stadt|land)\.example)/.test(page), 'nothing from elsewhere');
  t.true(layout(SHELL, { title: 'Titel', faulty: true, body: null }).includes('<title>Fehler: Titel'));
});

test('an asset is found by name and carries the version of all', (t) => {
  t.regex(assetUrl('kern.css'), /^\/assets\/[0-9a-f]{16}\/kern\.css$/);
  t.throws(() => assetUrl('../package.json'));
});

test('a birthdate is a day that has been', (t) => {
  const now = new Date('2026-11-21T10:00:00Z');
  t.is(parseBirthdate('27', '3', '1985', now), '1985-03-27');
  t.is(parseBirthdate('29', '2', '2024', now), '2024-02-29');
  t.is(parseBirthdate('21', '11', '2026', now), '2026-11-21');
  for (const [day, month, year] of [
    ['30', '2', '1985'],
    ['29', '2', '2023'],
    ['22', '11', '2026'],
    ['1', '13', '1985'],
    ['0', '1', '1985'],
    ['1', '1', '85'],
    ['1', '1', '1850'],
    ['', '', ''],
    ['1e', '1', '1985'],
  ] as const) {
    t.is(parseBirthdate(day, month, year, now), undefined, `${day}.${month}.${year}`);
  }
});
