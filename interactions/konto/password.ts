import * as assurance from '../../accounts/assurance.ts';
import { inTransaction } from '../../accounts/context.ts';
import { lengthOf, MIN_LENGTH_BESIDE_SECOND_FACTOR, MIN_PASSWORD_LENGTH } from '../../accounts/password-rules.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import type { Form } from '../form.ts';
import { submit } from '../form.view.ts';
import { html } from '../html.ts';
import { newPasswordFields } from '../new-password.view.ts';
import { tellChange } from '../notices.ts';
import { newPasswordFault } from '../steps/new-password.ts';
import { type KontoOutcome, type KontoPage, type Visitor, wrong } from './konto.ts';
import { kontoForm, kontoPage } from './page.view.ts';

const minimumFor = ({ has }: Visitor): number => (has.totp ? MIN_LENGTH_BESIDE_SECOND_FACTOR : MIN_PASSWORD_LENGTH);

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.password;
  const { account } = visitor;
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${visitor.t.konto.password.lead(minimumFor(visitor))}</p>
    ${kontoForm(
      visitor,
      'change',
      html`<div class="kern-form-input"><label class="kern-label" for="username">${t.username}</label><input class="kern-form-input__input" id="username" type="text" autocomplete="username" value="${account.email ?? account.kennung}" readonly></div>
      ${await newPasswordFields(visitor)}
      ${submit(visitor.t.konto.password.submit)}`,
    )}`,
  });
};

const change = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, deps, domain } = visitor;
  const fault = await newPasswordFault(deps, form, {
    minimum: minimumFor(visitor),
    hints: [account.email ?? '', account.kennung],
  });
  if (fault !== undefined) return wrong([fault]);
  const password = form.text('new_password');
  const weak = !assurance.showsTwoFactors(visitor, Math.floor(domain.now().getTime() / 1000));
  try {
    const hash = await passwords.hashNew(domain, deps.hashing, new Secret(password));
    const outcome = await inTransaction(domain, async (tx): Promise<KontoOutcome> => {
      const changed = await passwords.change(tx, account.id, hash, {
        short: lengthOf(password) < MIN_PASSWORD_LENGTH,
        weak,
        way: 'konto',
        state: account.credentialState,
      });
      if (changed.outcome !== 'changed')
        return wrong([{ field: 'new_password', code: 'new-password-short', number: MIN_PASSWORD_LENGTH }]);
      await tellChange(deps, tx, account, 'password-changed');
      return { go: 'page', to: '/konto', flash: { done: true } };
    });
    if (outcome.go === 'page' && outcome.to !== undefined) await deps.sessions.end(account.id, { except: visitor.uid });
    return outcome;
  } catch (error) {
    if (!(error instanceof passwords.HashingBusy)) throw error;
    const again = '/konto/passwort';
    return { go: 'error', error: { kind: 'busy', status: 503, code: 'hashing_busy', retryAfterSeconds: 3, again } };
  }
};

export const page: KontoPage = {
  fresh: true,
  view,
  posts: { change: { fields: ['new_password', 'repeated_password'], fresh: true, handle: change } },
};
