import type { Account } from '../accounts/accounts.ts';
import type { Passkey } from '../accounts/passkeys.ts';
import type { PageDeps } from './deps.ts';
import { type Html, html } from './html.ts';

/** What the browser's own list of passkeys is brought in line with (WebAuthn L3 §5.1.10, Signal API), by method. */
type Signals = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The element that `signal.js` reads. */
const signals = (all: Signals): Html => html`<div data-signals="${JSON.stringify(all)}" hidden></div>`;

/** The browser has offered a passkey that does not sign in (any more). */
export const unknownPasskey = ({ rp }: Pick<PageDeps, 'rp'>, credentialId: string): Html =>
  signals({ signalUnknownCredential: { rpId: rp.id, credentialId } });

/** Under which name the citizen's passkeys are listed; where all are known, which of them still sign in. */
export const ownPasskeys = (
  { rp }: Pick<PageDeps, 'rp'>,
  { passkeyHandle, email, kennung }: Pick<Account, 'passkeyHandle' | 'email' | 'kennung'>,
  all?: readonly Pick<Passkey, 'credentialId'>[],
): Html => {
  const who = { rpId: rp.id, userId: passkeyHandle.toString('base64url') };
  const name = email ?? kennung;
  return signals({
    signalCurrentUserDetails: { ...who, name, displayName: name },
    ...(all !== undefined && {
      signalAllAcceptedCredentials: { ...who, allAcceptedCredentialIds: all.map(({ credentialId }) => credentialId) },
    }),
  });
};
