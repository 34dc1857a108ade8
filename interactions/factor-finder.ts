/**
 * Which way to sign in suits somebody: two or three plain questions that lead to one recommendation. Pure; the pages keep
 * the answers, in the address of a page of the account or in the progress of a registration.
 */

/** What is recommended: a passkey (on the phone, on the computer, on a key), an app that shows codes, codes on paper. */
export type Factor = 'phone' | 'computer' | 'key' | 'app' | 'paper';

export type Question = 'phone' | 'lock' | 'computer' | 'own' | 'shared';

type Next = { readonly ask: Question } | { readonly take: Factor };

const ask = (question: Question): Next => ({ ask: question });
const take = (factor: Factor): Next => ({ take: factor });

/** Each question and where its answers lead. */
const QUESTIONS: Readonly<Record<Question, Readonly<Record<string, Next>>>> = {
  phone: { yes: ask('lock'), no: ask('computer') },
  // A passkey needs a screen lock, and a system that is not too old.
  lock: { yes: take('phone'), no: take('app') },
  computer: { own: ask('own'), shared: ask('shared'), none: ask('shared') },
  own: { unlock: take('computer'), key: take('key'), paper: take('paper') },
  // On a computer of others nothing may be left.
  shared: { key: take('key'), paper: take('paper') },
};

const FIRST: Question = 'phone';

/** All questions, which are also the names of the fields. */
export const QUESTION_NAMES = Object.keys(QUESTIONS) as readonly Question[];

/** The answers that a question has, in their order. */
export const answersOf = (question: Question): readonly string[] => Object.keys(QUESTIONS[question]);

const nextAfter = (question: Question, answer: string): Next | undefined =>
  Object.hasOwn(QUESTIONS[question], answer) ? QUESTIONS[question][answer] : undefined;

/** How far the answers lead: those that count, by question, and what comes after them. */
export type Found = { readonly given: readonly (readonly [Question, string])[]; readonly next: Next };

/** Follows the answers from the first question on; what answers no question on the way counts for nothing. */
export const find = (answerTo: (question: Question) => string | undefined): Found => {
  const given: [Question, string][] = [];
  let next: Next = { ask: FIRST };
  while ('ask' in next) {
    const answer = answerTo(next.ask) ?? '';
    const after = nextAfter(next.ask, answer);
    if (after === undefined) break;
    given.push([next.ask, answer]);
    next = after;
  }
  return { given, next };
};
