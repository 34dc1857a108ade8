import type { Account } from '../accounts/accounts.ts';
import type { Context } from '../accounts/context.ts';
import * as notices from '../accounts/notices.ts';
import type { PageDeps } from './deps.ts';
import { timeOfDay } from './faults.ts';
import { inLanguage, languageFor, textsIn } from './language.ts';
import type { Texts } from './texts/de.ts';

/** What a citizen is told of. */
export type Change = keyof Texts['notices']['what'];

/** Tells a citizen by mail what was changed, in the account's language. Others find it in the security log. */
export const tellChange = async (
  deps: Pick<PageDeps, 'issuer' | 'town'>,
  domain: Context,
  account: Pick<Account, 'email' | 'language'>,
  change: Change,
): Promise<void> => {
  if (account.email === undefined) return;
  const language = languageFor(account.language);
  const t = textsIn(language).notices;
  const time = timeOfDay(domain.now(), language);
  const konto = `${deps.issuer.origin}/konto`;
  await notices.enqueue(domain, {
    to: account.email,
    subject: t.changedSubject,
    text: t.changed(t.what[change], time, konto, inLanguage(deps.town.name, language)),
  });
};
