import * as accounts from '../../accounts/accounts.ts';
import { inTransaction } from '../../accounts/context.ts';
import { emailIndex, parseEmail } from '../../accounts/email.ts';
import * as emailCodes from '../../accounts/email-codes.ts';
import type { Form } from '../form.ts';
import { field, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { tellChange } from '../notices.ts';
import type { Fault } from '../progress.ts';
import { type KontoOutcome, type KontoPage, type Visitor, wrong } from './konto.ts';
import { kontoForm, kontoPage } from './page.view.ts';

/** A change of address under way in one session; bound to the account's credentials as they were. */
type Change = {
  readonly email: string;
  readonly newProven?: boolean;
  readonly oldProven?: boolean;
  readonly state: number;
};

const KIND = 'NewEmail';
const SECONDS = 900;

const pendingOf = async ({ deps, uid, account }: Visitor) => {
  const found = await deps.fleeting.get<Change>(KIND, uid);
  return found?.value.state === account.credentialState ? found : undefined;
};

const subjects = ({ uid }: Visitor) => ({ new: `konto ${uid} new`, old: `konto ${uid} old` });

const codeField = (visitor: Visitor, name: string, label: string) =>
  field(visitor, { name, label, inputmode: 'numeric', autocomplete: 'one-time-code', width: 'code', maxlength: 20 });

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.konto.email;
  const pending = (await pendingOf(visitor))?.value;
  const { account } = visitor;
  return kontoPage(visitor, {
    title: t.title,
    body:
      pending === undefined
        ? html`<p class="kern-body">${account.email ?? visitor.t.konto.none}</p>
    <p class="kern-body">${t.lead}</p>
    ${kontoForm(
      visitor,
      'change',
      html`${field(visitor, { name: 'email', label: t.label, type: 'email', inputmode: 'email', autocomplete: 'email' })}
      ${submit(t.submit)}`,
    )}`
        : html`${kontoForm(
            visitor,
            'confirm',
            html`${pending.newProven === true ? html`<p class="kern-body">${t.newProven}</p>` : codeField(visitor, 'new_code', t.newCode(pending.email))}
      ${account.email !== undefined && (pending.oldProven === true ? html`<p class="kern-body">${t.oldProven}</p>` : codeField(visitor, 'old_code', t.oldCode))}
      ${submit(t.confirm)}`,
          )}
    <p class="kern-body kern-body--muted">${t.noAccess}</p>
    ${kontoForm(visitor, 'again', submit(t.again, 'tertiary', false))}`,
  });
};

const change = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, deps, domain, uid } = visitor;
  const typed = form.text('email').trim();
  const email = parseEmail(typed);
  if (email === undefined) return wrong([{ field: 'email', code: 'email-invalid' }], { email: typed });
  if (account.email !== undefined && emailIndex(domain.keys, email).equals(emailIndex(domain.keys, account.email)))
    return wrong([{ field: 'email', code: 'email-same' }], { email: typed });
  const t = visitor.t.konto.email;
  const town = inLanguage(deps.town.name, visitor.shell.language);
  const code = (text: string) => ({ subject: t.mailSubject(text), text: t.mailText(text, town) });
  const subject = subjects(visitor);
  const sent = await inTransaction(domain, async (tx) => {
    const known = () => ({ subject: t.takenSubject, text: t.takenText(town) });
    const first = await emailCodes.send(tx, subject.new, email, { code, known });
    if (first.outcome === 'wait' || account.email === undefined) return first;
    // To the address of this very account the code goes out all the same.
    return emailCodes.send(tx, subject.old, account.email, { code, known }, { own: true });
  });
  if (sent.outcome === 'wait') return wrong([{ code: 'code-wait', until: sent.until.toISOString() }], { email: typed });
  await deps.fleeting.put(KIND, uid, { email, state: account.credentialState } satisfies Change, SECONDS);
  return { go: 'page' };
};

/** Both codes must be right; one that was right stays proven while the other is typed again. */
const confirm = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, deps, domain, uid } = visitor;
  const found = await pendingOf(visitor);
  if (found === undefined) return { go: 'page' };
  const subject = subjects(visitor);
  let { newProven = false, oldProven = account.email === undefined, email } = found.value;
  const faults: Fault[] = [];
  const check = async (field: 'new_code' | 'old_code', of: string): Promise<string | undefined> => {
    const checked = await emailCodes.check(domain, of, form.text(field));
    if (checked.outcome === 'proven') return checked.email;
    faults.push(
      checked.outcome === 'wrong' && checked.triesLeft > 0
        ? { field, code: 'code-wrong', number: checked.triesLeft }
        : { field, code: 'code-expired' },
    );
    return undefined;
  };
  if (!newProven) {
    const proven = await check('new_code', subject.new);
    // The address that the code was sent to counts, not what another tab has typed since.
    if (proven !== undefined) [newProven, email] = [true, proven];
  }
  if (!oldProven) oldProven = (await check('old_code', subject.old)) !== undefined;
  const address = parseEmail(email);
  if (!newProven || !oldProven || address === undefined) {
    const next: Change = { ...found.value, email, newProven, oldProven: oldProven && account.email !== undefined };
    await deps.fleeting.replace(KIND, uid, next, found.version, SECONDS);
    return wrong(faults);
  }
  await deps.fleeting.take(KIND, uid);
  return inTransaction(domain, async (tx) => {
    const changed = await accounts.changeEmail(tx, account.id, address);
    if (changed.outcome === 'email-taken') return wrong([{ field: 'email', code: 'email-taken' }]);
    await tellChange(deps, tx, account, 'email-changed');
    await tellChange(deps, tx, { ...account, email: address }, 'email-changed');
    return { go: 'page', to: '/konto', flash: { done: true } };
  });
};

export const page: KontoPage = {
  fresh: true,
  view,
  posts: {
    change: { fields: ['email'], fresh: true, handle: change },
    confirm: { fields: ['new_code', 'old_code'], fresh: true, handle: confirm },
    again: {
      fields: [],
      fresh: true,
      handle: async ({ deps, uid }) => {
        await deps.fleeting.take(KIND, uid);
        return { go: 'page' };
      },
    },
  },
};
