import { parseEmail } from '../../accounts/email.ts';
import * as emailCodes from '../../accounts/email-codes.ts';
import type { Form } from '../form.ts';
import { inLanguage } from '../language.ts';
import { oneStepBack } from '../next-step.ts';
import type { Draft, Flash, Progress } from '../progress.ts';
import { faulty, type Outcome, type Post, type Step, type Visit } from '../visit.ts';
import * as views from './email.view.ts';

const withDraft = (progress: Progress, draft: Draft): Progress => ({ ...progress, path: 'register', draft });

/** Leads one page back, from the page that it was sent from and only from there. */
export const back: Post = {
  fields: [],
  handle: async (visit) => ({ go: 'on', apply: (progress) => oneStepBack(progress, visit.step) }),
};

/** Sends a code and goes on to the page that asks for it; the same for every address, known or not. */
const sendCode = async (visit: Visit, typed: string, flash?: Flash): Promise<Outcome> => {
  const email = parseEmail(typed);
  if (email === undefined) return faulty([{ field: 'email', code: 'email-invalid' }], { email: typed });
  const { code: t } = visit.t;
  const town = inLanguage(visit.deps.town.name, visit.shell.language);
  const sent = await emailCodes.send(visit.domain, visit.uid, email, {
    code: (code) => ({ subject: t.mailSubject(code), text: t.mailText(code, town) }),
    known: () => ({ subject: t.takenSubject, text: t.takenText(town) }),
  });
  if (sent.outcome === 'wait')
    return faulty([{ code: 'code-wait', until: sent.until.toISOString() }], { email: typed });
  return {
    go: 'on',
    apply: (progress) => {
      const { address } = progress.draft ?? {};
      return withDraft(progress, { contact: 'email', email, ...(address !== undefined && { address }) });
    },
    ...(flash !== undefined && { flash }),
  };
};

const choose = async (visit: Visit, form: Form): Promise<Outcome> => {
  const typed = form.text('email').trim();
  const draft = visit.progress.draft;
  // Proven already, and the citizen only came back to look: no second mail.
  if (draft?.emailProven === true && draft.email === typed)
    return { go: 'on', apply: (progress) => withDraft(progress, { ...draft, contact: 'email' }) };
  return sendCode(visit, typed);
};

const without = async (): Promise<Outcome> => ({
  go: 'on',
  apply: (progress) => {
    const { address } = progress.draft ?? {};
    return withDraft(progress, { contact: 'none', ...(address !== undefined && { address }) });
  },
});

const confirm = async (visit: Visit, form: Form): Promise<Outcome> => {
  const typed = form.text('code').trim();
  if (typed === '') return faulty([{ field: 'code', code: 'code-missing' }]);
  const checked = await emailCodes.check(visit.domain, visit.uid, typed);
  switch (checked.outcome) {
    case 'proven': {
      // The address that the code was sent to counts, not what another tab has typed since.
      const { email } = checked;
      return {
        go: 'on',
        apply: (progress) => withDraft(progress, { ...progress.draft, contact: 'email', email, emailProven: true }),
      };
    }
    case 'wrong':
      return checked.triesLeft > 0
        ? faulty([{ field: 'code', code: 'code-wrong', number: checked.triesLeft }])
        : faulty([{ field: 'code', code: 'code-expired' }]);
    case 'expired':
      return faulty([{ field: 'code', code: 'code-expired' }]);
  }
};

export const emailStep: Step = {
  view: views.email,
  posts: { email: { fields: ['email'], handle: choose }, 'without-email': { fields: [], handle: without }, back },
};

export const codeStep: Step = {
  view: views.code,
  posts: {
    'email-code': { fields: ['code'], handle: confirm },
    'another-code': {
      fields: [],
      handle: (visit) => sendCode(visit, visit.progress.draft?.email ?? '', { notice: 'code-resent' }),
    },
    back,
  },
};
