import test from 'ava';
import { answersOf, type Factor, find, QUESTION_NAMES, type Question } from '../interactions/factor-finder.ts';
import { de } from '../interactions/texts/de.ts';
import { en } from '../interactions/texts/en.ts';
import { atHome } from './harness/relying-party.ts';
import { heading, type ServiceVisit, Stage } from './harness/sign-in.ts';
import { type Answer, forms, Visitor } from './harness/visitor.ts';

let stage: Stage;

test.before(async () => {
  stage = await Stage.start();
});
test.after.always(() => stage?.town.close());

/** One way to each recommendation. */
const oneEach = () => ways().filter(({ factor }, at, all) => all.findIndex((one) => one.factor === factor) === at);

type Answers = Readonly<Partial<Record<Question, string>>>;

/** Every way through the questions, with where it ends. */
const ways = (answers: Answers = {}): { readonly answers: Answers; readonly factor: Factor }[] => {
  const { next } = find((question) => answers[question]);
  if ('take' in next) return [{ answers, factor: next.take }];
  return answersOf(next.ask).flatMap((answer) => ways({ ...answers, [next.ask]: answer }));
};

test('two or three questions lead to one recommendation, and each recommendation is somebody’s', (t) => {
  const all = ways();
  for (const { answers } of all) t.true([2, 3].includes(Object.keys(answers).length), JSON.stringify(answers));
  t.deepEqual([...new Set(all.map(({ factor }) => factor))].sort(), ['app', 'computer', 'key', 'paper', 'phone']);
  // Nobody without a smartphone and without a computer of one's own is told to leave a passkey on a device.
  for (const { answers, factor } of all) {
    if (answers.phone === 'no' && answers.computer !== 'own') t.true(factor === 'key' || factor === 'paper');
  }
});

test('answers to other questions, unknown ones and those of the prototype count for nothing', (t) => {
  t.deepEqual(
    find(() => undefined),
    { given: [], next: { ask: 'phone' } },
  );
  t.deepEqual(
    find(() => 'constructor'),
    { given: [], next: { ask: 'phone' } },
  );
  t.deepEqual(
    find((question) => ({ lock: 'yes', phone: 'maybe' })[question as string]),
    { given: [], next: { ask: 'phone' } },
  );
});

test('every question and answer has its words', (t) => {
  for (const { finder } of [de, en]) {
    t.deepEqual(Object.keys(finder.questions).sort(), [...QUESTION_NAMES].sort());
    for (const question of QUESTION_NAMES)
      t.deepEqual(Object.keys(finder.questions[question].answers), [...answersOf(question)]);
  }
});

test.serial('in the account, without script: questions, a missing answer, and the way to set it up', async (t) => {
  const { town } = stage;
  const person = await stage.newPerson();
  const visitor = new Visitor();
  const go = (path: string): Promise<Answer> => visitor.open(new URL(path, town.issuer), atHome(town));
  const asked = await go('/konto/zweiter-faktor');
  await visitor.submitTo(
    asked,
    'sign-in',
    { identifier: person.email, password: 'drei blaue Häuser am Fluss' },
    atHome(town),
  );
  for (const { answers, factor } of oneEach()) {
    let page = await go('/konto/zweiter-faktor');
    t.is(heading(page), de.finder.title);
    for (const [question, answer] of Object.entries(answers)) {
      const missed = await visitor.submit(page, { [question]: '' }, atHome(town));
      t.true(missed.text.includes(de.finder.missing));
      page = await visitor.submit(page, { [question]: answer }, atHome(town));
      t.false(page.text.includes(de.finder.missing));
    }
    t.true(page.text.includes(de.finder.advice[factor].title), factor);
    const to = { app: 'app', paper: 'ersatzcodes' }[factor as string] ?? 'passkey-neu';
    t.true(page.text.includes(`href="/konto/${to}"`), `${factor} leads to ${to}`);
    t.is(page.text.includes(de.konto.codes.left(10)), factor === 'paper', 'what there is already is named');
  }
});

const register = async (visitor: Visitor): Promise<ServiceVisit> => {
  const visit = await stage.visit(visitor).open();
  await visit.send('register');
  await visit.send('without-email');
  await visit.send('without-address');
  return visit.send('find-factor');
};

test.serial('while registering, without script: each recommendation leads to an account', async (t) => {
  for (const { answers, factor } of oneEach()) {
    const visit = await register(new Visitor());
    for (const [question, answer] of Object.entries(answers)) {
      await visit.send('answer');
      t.true(visit.now.text.includes(de.finder.missing));
      await visit.send('answer', { [question]: answer });
    }
    t.true(visit.now.text.includes(de.finder.advice[factor].title), factor);
    const actions = forms(visit.now).map(({ action }) => action.pathname.split('/').at(-1));
    t.is(actions.includes('new-passkey'), factor !== 'app' && factor !== 'paper');
    await visit.send('choose-password');
    t.is(visit.heading, de.password.title);
    await visit.send('back');
    t.true(visit.now.text.includes(de.finder.advice[factor].title));
    for (const _ of Object.keys(answers)) await visit.send('back');
    t.true(visit.now.text.includes(de.finder.questions.phone.text));
    await visit.send('back');
    t.is(visit.heading, de.credential.title);
  }
});
