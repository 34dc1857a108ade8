import { newPassphrase } from '../accounts/password-rules.ts';
import { type FormState, field } from './form.view.ts';
import { type Html, html } from './html.ts';
import { textsIn } from './language.ts';

/**
 * The fields of a new password, asked for twice: a typing error would shut out somebody who has no e-mail address. With
 * a passphrase made for this page alone, to be copied, or taken over where there is script.
 */
export const newPasswordFields = async (state: FormState): Promise<Html> => {
  const t = textsIn(state.shell.language).password;
  const [one, two] = ['new_password', 'repeated_password'] as const;
  return html`<div class="ss-suggestion">
      <p class="kern-body"><strong>${t.suggestion}</strong> <code id="suggestion">${await newPassphrase()}</code></p>
      <p class="kern-body kern-body--small">${t.suggestionHint}</p>
      <button type="button" class="kern-btn kern-btn--tertiary" data-take="suggestion" data-into="${one} ${two}" hidden><span class="kern-label">${t.takeSuggestion}</span></button>
    </div>
    ${field(state, { name: one, label: t.label, type: 'password', autocomplete: 'new-password' })}
    ${field(state, { name: two, label: t.repeat, type: 'password', autocomplete: 'new-password' })}`;
};
