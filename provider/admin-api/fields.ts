import { parseNumber } from '../../accounts/case-number.ts';
import { type EmailAddress, parseEmail } from '../../accounts/email.ts';
import { DELIVERIES, EVIDENCE, ROLES } from '../../accounts/terms.ts';
import { oneOf, optional, parsed, text } from './input.ts';

/** The fields that several verbs share. */
export const ticket = text(40, /^[A-Za-z0-9][A-Za-z0-9._/-]*$/);
export const email = parsed((value): EmailAddress | undefined => parseEmail(value));
export const role = oneOf(ROLES);
export const evidence = oneOf(EVIDENCE);
export const delivery = oneOf(DELIVERIES);
export const language = oneOf(['de', 'en', 'tr', 'ru', 'uk', 'ar', 'pl'] as const);
export const recoveryNumber = parsed((value) => (typeof value === 'string' ? parseNumber('R', value) : undefined));

export const proposalNumber = parsed((value) => (typeof value === 'string' ? parseNumber('D', value) : undefined));

export const batchNumber = parsed((value) => (typeof value === 'string' ? parseNumber('B', value) : undefined));

/** How an account is named: exactly one of the three. */
export const accountFields = {
  kennung: optional(text(40)),
  email: optional(text(254)),
  pseudonym: optional(text(60)),
} as const;
