import { form, submit } from '../form.view.ts';
import { type Fragment, type Html, html } from '../html.ts';
import type { Visit } from '../visit.ts';

type CeremonyForm = {
  readonly purpose: 'sign-in' | 'creation';
  /** Where the result goes; its options come from `<action>-options`. */
  readonly action: string;
  readonly label: string;
  /** Said when the citizen or the browser gave up. */
  readonly aborted: string;
  readonly kind: 'primary' | 'secondary';
  /** The browser may make the passkey by itself, where it can. */
  readonly automatic?: boolean;
  readonly before?: Fragment;
  readonly after?: Fragment;
};

/** The button that starts a WebAuthn ceremony. Hidden until the script knows that the browser can do it. */
export const ceremonyForm = (
  visit: Pick<Visit, 'uid' | 'token'> & { readonly base?: string },
  spec: CeremonyForm,
): Html =>
  html`<div data-passkey="${spec.purpose}" data-options="${visit.base ?? '/interaction'}/${visit.uid}/${spec.action}-options" data-aborted="${spec.aborted}"${spec.automatic === true && html` data-automatic`} hidden>
    ${spec.before}
    ${form(
      visit,
      spec.action,
      html`<input type="hidden" name="ceremony"><input type="hidden" name="response">
      ${spec.purpose === 'sign-in' && html`<input type="hidden" name="shared"><input type="hidden" name="capable">`}
      ${submit(spec.label, spec.kind)}
      <p class="kern-body ss-message" role="alert" hidden></p>`,
    )}
    ${spec.after}
  </div>`;
