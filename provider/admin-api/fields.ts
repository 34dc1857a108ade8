import { type EmailAddress, parseEmail } from '../../accounts/email.ts';
import * as recoveries from '../../accounts/recoveries.ts';
import { ROLES } from '../../accounts/staff.ts';
import { oneOf, optional, parsed, text } from './input.ts';

/** The fields that several verbs share. */
export const ticket = text(40, /^[A-Za-z0-9][A-Za-z0-9._/-]*$/);
export const email = parsed((value): EmailAddress | undefined => parseEmail(value));
export const role = oneOf(ROLES);
export const evidence = oneOf(recoveries.EVIDENCE);
export const delivery = oneOf(['hand', 'post'] as const);
export const language = oneOf(['de', 'en', 'tr', 'ru', 'uk', 'ar', 'pl'] as const);
export const recoveryNumber = parsed((value) =>
  typeof value === 'string' ? recoveries.parseNumber(value) : undefined,
);

/** How an account is named: exactly one of the three. */
export const accountFields = {
  kennung: optional(text(40)),
  email: optional(text(254)),
  pseudonym: optional(text(60)),
} as const;
