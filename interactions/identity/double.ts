import * as accounts from '../../accounts/accounts.ts';
import type { Context } from '../../accounts/context.ts';
import type { Message } from '../../accounts/correspondence.ts';
import { REGRET_DAYS } from '../../accounts/deletion.ts';
import * as identities from '../../accounts/identities.ts';
import type { AccountId } from '../../accounts/ids.ts';
import type { PageDeps } from '../deps.ts';
import { type Html, html } from '../html.ts';
import { inLanguage, type Language, languageFor, textsIn } from '../language.ts';
import type { Texts } from '../texts/de.ts';
import { deletionMail } from '../texts/privacy-mails.ts';

/** Who changes what signs in to an account: in an interaction, or in the citizen's own pages. */
type Changer = {
  readonly deps: PageDeps;
  readonly domain: Context;
  readonly shell: { readonly language: Language };
};

/** The mail about a change of what signs in. */
export const changeMail = (
  { deps, shell }: Pick<Changer, 'deps' | 'shell'>,
  what: 'linked' | 'unlinked' | 'kept',
): Message => {
  const { mail } = textsIn(shell.language).identity;
  return { subject: mail.subject, text: mail[what](inLanguage(deps.town.name, shell.language)) };
};

/** Closes one of two accounts: its deletion is asked for, and both are told. */
export const closeAccount = async (
  changer: Changer,
  two: { readonly keep: AccountId; readonly close: AccountId },
  proof: identities.LinkableProof,
): Promise<identities.Merge> => {
  const { deps, domain, shell } = changer;
  const [kept, closed] = [await accounts.load(domain, two.keep), await accounts.load(domain, two.close)];
  const mails = {
    closing: (due: Date) => deletionMail(deps, languageFor(closed?.language ?? shell.language), due),
    kept: changeMail(changer, 'kept'),
    emails: { closed: closed?.email, kept: kept?.email },
  };
  return identities.closeOther(domain, two, proof, mails, deps.sandbox?.deletionSeconds);
};

/** What having two accounts means, and what closing one does. */
export const doubleLead = (t: Texts, source: identities.IdentitySource | undefined): Html => {
  const { lead, days } = t.identity.double;
  return html`<p class="kern-body">${lead[source === 'bundid' ? 'bundid' : 'eid']}</p>
      <p class="kern-body">${days(REGRET_DAYS)}</p>`;
};
