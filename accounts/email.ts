import { domainToASCII } from 'node:url';
import type { Keys } from '../keys/keys.ts';

declare const brand: unique symbol;
/** An e-mail address as the citizen wrote it (trimmed), fit for the envelope of a mail. */
export type EmailAddress = string & { readonly [brand]: 'EmailAddress' };

/** RFC 5321 §4.5.3.1: octets in the local part and in a whole path without its angle brackets. */
const MAX_LOCAL = 64;
const MAX_ADDRESS = 254;
/**
 * RFC 5322 dot-atom, ASCII only: quoting is a source of header injection, and in other scripts different mailboxes
 * become one when case is folded.
 */
const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{1,59})$/;

const split = (address: string): { local: string; domain: string } => {
  const at = address.lastIndexOf('@');
  return { local: address.slice(0, at), domain: domainToASCII(address.slice(at + 1)).toLowerCase() };
};

/** Parses what a person typed; undefined for anything that is not one plain address (arrays and objects included). */
export const parseEmail = (value: unknown): EmailAddress | undefined => {
  if (typeof value !== 'string' || value.length > 4 * MAX_ADDRESS) return undefined;
  const address = value.trim().normalize('NFC');
  const { local, domain } = split(address);
  if (local.length > MAX_LOCAL || local.length + 1 + domain.length > MAX_ADDRESS) return undefined;
  if (!LOCAL_PART.test(local) || !DOMAIN.test(domain)) return undefined;
  return address as EmailAddress;
};

/** The blind index under which an address is found, the same for every spelling of it. */
export const emailIndex = (keys: Keys, email: EmailAddress): Buffer => {
  const { local, domain } = split(email);
  return keys.index('email', `${local.toLowerCase()}@${domain}`);
};
