import type { AccountId } from './ids.ts';

/** What came of proving who one is; `wrong` never says what was wrong. */
export type SignIn =
  | { outcome: 'proven'; account: AccountId }
  | { outcome: 'wrong' }
  | { outcome: 'wait'; until: Date };
