import type { AccountId } from './ids.ts';

/** What came of proving who one is; `wrong` never says what was wrong. */
export type SignIn =
  /** `weak`: by a factor that was added with less than two factors shown. */
  { outcome: 'proven'; account: AccountId; weak?: boolean } | { outcome: 'wrong' } | { outcome: 'wait'; until: Date };
