import type { Account } from '../accounts/accounts.ts';
import type { Context } from '../accounts/context.ts';
import * as correspondence from '../accounts/correspondence.ts';
import type { PageDeps } from './deps.ts';
import { inLanguage, languageFor, textsIn } from './language.ts';
import type { Texts } from './texts/de.ts';
import { dayAndTime } from './texts/letters.ts';

/** What a citizen is told of. */
export type Change = keyof Texts['notices']['what'];

/** Tells a citizen by mail or letter what was changed, in the account's language. It stands in the security log as well. */
export const tellChange = async (
  deps: Pick<PageDeps, 'issuer' | 'town'>,
  domain: Context,
  account: Pick<Account, 'id' | 'email' | 'language'>,
  change: Change,
): Promise<void> => {
  const language = languageFor(account.language);
  const t = textsIn(language).notices;
  const time = dayAndTime(domain.now(), language);
  const konto = `${deps.issuer.origin}/konto`;
  await correspondence.tell(domain, account, {
    subject: t.changedSubject,
    text: t.changed(t.what[change], time, konto, inLanguage(deps.town.name, language)),
  });
};
