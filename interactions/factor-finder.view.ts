import { answersOf, type Factor, type Question } from './factor-finder.ts';
import { choice, type FormState } from './form.view.ts';
import { type Fragment, type Html, html } from './html.ts';
import { textsIn } from './language.ts';

/** A question with its answers, none of them chosen. */
export const questionField = (state: FormState, question: Question): Html => {
  const { text, answers } = textsIn(state.shell.language).finder.questions[question];
  const labels: Readonly<Record<string, string>> = answers;
  const options = answersOf(question).map((value) => ({ value, label: labels[value] ?? '' }));
  return choice(state, { name: question, legend: text, options });
};

/** What is recommended and how to get it: in the account, or (`later`) while it is being made. */
export const advice = ({ shell }: FormState, factor: Factor, later: boolean, setUp: Fragment): Html => {
  const t = textsIn(shell.language).finder;
  const { title, text, how } = t.advice[factor];
  const all = factor === 'app' ? [...how, later ? t.appLater : t.appNow] : how;
  return html`<section class="ss-choice ss-choice--best">
    <h2 class="kern-heading-small">${title}</h2>
    <p class="kern-body">${text}</p>
    <ul class="kern-body ss-bullets">${all.map((line) => html`<li>${line}</li>`)}</ul>
    ${setUp}
  </section>`;
};
