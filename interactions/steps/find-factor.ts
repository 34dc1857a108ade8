import { notHere } from '../device.ts';
import { find, QUESTION_NAMES } from '../factor-finder.ts';
import { advice, questionField } from '../factor-finder.view.ts';
import type { Form } from '../form.ts';
import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { credentialStep } from './credential.ts';
import { officeAddress, stepPage } from './page.view.ts';
import { ceremonyForm } from './passkey.view.ts';

const nextOf = ({ progress }: Pick<Visit, 'progress'>) => find((question) => progress.draft?.answers?.[question]).next;

const view = (visit: Visit): string => {
  const { finder: t, credential } = visit.t;
  const next = nextOf(visit);
  if ('ask' in next)
    return stepPage(visit, {
      title: t.title,
      back: true,
      body: form(visit, 'answer', html`${questionField(visit, next.ask)}${submit(t.submit)}`),
    });
  const byPassword = next.take === 'app' || next.take === 'paper';
  const setUp = byPassword
    ? form(visit, 'choose-password', submit(credential.passwordSubmit))
    : html`${notHere(visit)}${ceremonyForm(visit, { purpose: 'creation', action: 'new-passkey', label: credential.passkeySubmit, aborted: credential.aborted, kind: 'primary' })}
      <p class="kern-body kern-body--muted" data-without-passkey>${credential.passkeyUnsupported}</p>`;
  return stepPage(visit, {
    title: t.title,
    back: true,
    scripts: ['page.js', 'passkey.js'],
    body: html`${advice(visit, next.take, true, setUp)}
    ${!byPassword && form(visit, 'choose-password', submit(t.ratherPassword, 'secondary'))}
    <section class="ss-aside"><p class="kern-body">${t.nothing}</p>${officeAddress(visit.shell)}</section>`,
  });
};

/** Keeps the answer to the question that stands; of two clicks the second answers nothing. */
const answer = async (visit: Visit, sent: Form): Promise<Outcome> => {
  const next = nextOf(visit);
  if (!('ask' in next)) return { go: 'on' };
  const answers = { ...visit.progress.draft?.answers, [next.ask]: sent.text(next.ask) };
  const { given } = find((question) => answers[question]);
  if (given.at(-1)?.[0] !== next.ask) return faulty([{ field: next.ask, code: 'answer-missing' }]);
  return {
    go: 'on',
    apply: (progress) => progress.draft && { ...progress, draft: { ...progress.draft, answers } },
  };
};

/** Finds out which credential suits a citizen who is not sure; everything else is as where the credential is made. */
export const step: Step = {
  view,
  posts: { ...credentialStep.posts, answer: { fields: QUESTION_NAMES, handle: answer } },
};
