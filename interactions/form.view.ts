import { faultText } from './faults.ts';
import { type Fragment, type Html, html } from './html.ts';
import { textsIn } from './language.ts';
import type { Shell } from './layout.view.ts';
import type { Fault, Flash } from './progress.ts';

type Field = {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly type?: 'text' | 'email' | 'password';
  readonly autocomplete: string;
  readonly inputmode?: 'text' | 'email' | 'numeric';
  readonly value?: string | undefined;
  readonly optional?: boolean;
  /** How many characters are to be expected: the width says so. */
  readonly width?: 'short' | 'code' | 'full';
  readonly maxlength?: number;
};

/** What the fields of a form need to know: the language, and what was wrong with the form before. */
export type FormState = { readonly shell: Shell; readonly flash: Flash | undefined };

const faultOf = (state: FormState, name: string): string | undefined => {
  const fault = state.flash?.faults?.find(({ field }) => field === name);
  return fault && faultText(fault, state.shell.language);
};

const faultLine = (state: FormState, name: string, text: string): Html =>
  html`<p class="kern-error" id="${name}-error"><span class="kern-icon kern-icon--danger" aria-hidden="true"></span><span class="kern-body"><span class="kern-sr-only">${textsIn(state.shell.language).common.errorMark} </span>${text}</span></p>`;

/** A labelled input with its hint and, after a mistake, what to do about it. */
export const field = (state: FormState, spec: Field): Html => {
  const t = textsIn(state.shell.language).common;
  const fault = faultOf(state, spec.name);
  const described = [spec.hint !== undefined && `${spec.name}-hint`, fault !== undefined && `${spec.name}-error`]
    .filter(Boolean)
    .join(' ');
  const password = spec.type === 'password';
  const plain = password || spec.type === 'email' || spec.width === 'code';
  const input = html`<input class="kern-form-input__input ${fault !== undefined && 'kern-form-input__input--error'} ${spec.width !== undefined && `ss-input--${spec.width}`}" id="${spec.name}" name="${spec.name}" type="${spec.type ?? 'text'}" autocomplete="${spec.autocomplete}"${spec.inputmode !== undefined && html` inputmode="${spec.inputmode}"`}${spec.maxlength !== undefined && html` maxlength="${spec.maxlength}"`}${plain && html` spellcheck="false" autocapitalize="none"`}${!password && html` value="${state.flash?.values?.[spec.name] ?? spec.value ?? ''}"`}${described !== '' && html` aria-describedby="${described}"`}${fault !== undefined && html` aria-invalid="true"`}>`;
  return html`<div class="kern-form-input ${fault !== undefined && 'kern-form-input--error'}">
    <label class="kern-label" for="${spec.name}">${spec.label}${spec.optional === true && html` <span class="kern-label__optional">(${t.optional})</span>`}</label>
    ${spec.hint !== undefined && html`<div class="kern-hint" id="${spec.name}-hint">${spec.hint}</div>`}
    ${password ? html`<div class="ss-password">${input}<button type="button" class="kern-btn kern-btn--tertiary ss-password__button" data-show="${spec.name}" data-hide-label="${t.hidePassword}" aria-pressed="false" hidden><span class="kern-label">${t.showPassword}</span></button></div>` : input}
    ${fault !== undefined && faultLine(state, spec.name, fault)}
  </div>`;
};

/** A checkbox with its label; `detail` stands below it. */
export const checkbox = (
  state: FormState,
  spec: { readonly name: string; readonly label: Fragment; readonly checked?: boolean; readonly describedBy?: string },
): Html => {
  const fault = faultOf(state, spec.name);
  const described = [spec.describedBy, fault !== undefined && `${spec.name}-error`].filter(Boolean).join(' ');
  return html`<div class="kern-form-check">
    <input class="kern-form-check__checkbox ${fault !== undefined && 'kern-form-check__checkbox--error'}" type="checkbox" id="${spec.name}" name="${spec.name}" value="yes"${spec.checked === true && html` checked`}${described !== '' && html` aria-describedby="${described}"`}${fault !== undefined && html` aria-invalid="true"`}>
    <label class="kern-label" for="${spec.name}">${spec.label}</label>
  </div>${fault !== undefined && faultLine(state, spec.name, fault)}`;
};

type Choice = {
  readonly name: string;
  readonly legend: string;
  readonly options: readonly { readonly value: string; readonly label: string; readonly lang?: string }[];
  readonly chosen?: string;
};

/** One of several answers. The first one has the name as its id, which the list of mistakes leads to. */
export const choice = (state: FormState, { name, legend, options, chosen }: Choice): Html => {
  const fault = faultOf(state, name);
  return html`<fieldset class="kern-fieldset ${fault !== undefined && 'kern-fieldset--error'}"${fault !== undefined && html` aria-describedby="${name}-error"`}>
    <legend class="kern-label">${legend}</legend>
    <div class="kern-fieldset__body">${options.map(({ value, label, lang }, at) => {
      const id = at === 0 ? name : `${name}-${value}`;
      return html`<div class="kern-form-check"><input class="kern-form-check__radio" type="radio" id="${id}" name="${name}" value="${value}"${value === chosen && html` checked`}><label class="kern-label" for="${id}"${lang !== undefined && html` lang="${lang}"`}>${label}</label></div>`;
    })}</div>
    ${fault !== undefined && faultLine(state, name, fault)}
  </fieldset>`;
};

/** A birthdate as three fields, which every keyboard and every screen reader can fill. */
export const birthdateFields = (state: FormState): Html => {
  const t = textsIn(state.shell.language).details;
  const fault = faultOf(state, 'day');
  const part = (name: 'day' | 'month' | 'year', label: string, length: number): Html =>
    html`<div class="kern-form-input ss-date__part">
      <label class="kern-label" for="${name}">${label}</label>
      <input class="kern-form-input__input ${fault !== undefined && 'kern-form-input__input--error'}" id="${name}" name="${name}" type="text" inputmode="numeric" autocomplete="bday-${name}" maxlength="${length}" value="${state.flash?.values?.[name] ?? ''}"${fault !== undefined && html` aria-invalid="true" aria-describedby="day-error"`}>
    </div>`;
  return html`<fieldset class="kern-fieldset ss-date ${fault !== undefined && 'kern-fieldset--error'}" aria-describedby="birthdate-hint">
    <legend class="kern-label">${t.birthdate}</legend>
    <div class="kern-hint" id="birthdate-hint">${t.birthdateHint}</div>
    <div class="ss-date__parts">${part('day', t.day, 2)}${part('month', t.month, 2)}${part('year', t.year, 4)}</div>
    ${fault !== undefined && faultLine(state, 'day', fault)}
  </fieldset>`;
};

const faultItem = (state: FormState, fault: Fault): Html => {
  const text = faultText(fault, state.shell.language);
  return html`<li>${fault.field === undefined ? text : html`<a class="kern-link kern-link--no-visited-state" href="#${fault.field}">${text}</a>`}</li>`;
};

/** All mistakes at the top, with the focus on them, each leading to its field. Nothing if there are none. */
export const errorSummary = (state: FormState): Fragment => {
  const faults = state.flash?.faults ?? [];
  if (faults.length === 0) return null;
  const { errorSummary: typed, notDone } = textsIn(state.shell.language).common;
  return html`<div class="kern-alert kern-alert--danger ss-summary" role="alert" tabindex="-1" autofocus id="error-summary">
    <div class="kern-alert__header"><span class="kern-icon kern-icon--danger" aria-hidden="true"></span><h2 class="kern-title">${faults.every(({ code }) => code === 'identity') ? notDone : typed}</h2></div>
    <div class="kern-alert__body"><ul class="ss-summary__list">${faults.map((fault) => faultItem(state, fault))}</ul></div>
  </div>`;
};

type ButtonKind = 'primary' | 'secondary' | 'tertiary';

/** A button that sends its form. */
export const submit = (label: string, kind: ButtonKind = 'primary', block = true): Html =>
  html`<button type="submit" class="kern-btn kern-btn--${kind} ${block && 'ss-btn--wide'}"><span class="kern-label">${label}</span></button>`;

/** A form of an interaction (or of another place, `base`): posts to `/interaction/:uid/:action` with its token. */
export const form = (
  target: { readonly uid: string; readonly token: string; readonly base?: string },
  action: string,
  content: Fragment,
  attributes: Fragment = null,
): Html =>
  html`<form method="post" action="${target.base ?? '/interaction'}/${target.uid}/${action}" class="ss-form" novalidate${attributes}>
    <input type="hidden" name="token" value="${target.token}">
    ${content}
  </form>`;
