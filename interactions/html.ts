import { html as template } from 'hono/html';

declare const brand: unique symbol;

/** Markup that is safe to send: made by `html`, every value in it escaped. */
export type Html = { readonly [brand]: 'Html'; toString(): string };

/** What may stand in a template. Objects other than `Html` do not compile: they could claim to be escaped. */
export type Fragment = Html | string | number | false | null | undefined | readonly Fragment[];

/**
 * A template whose values are escaped; the one way to make `Html`. Attribute values must stand in double quotes, and
 * addresses go through `safeUrl` first, as escaping does not stop `javascript:`.
 */
export const html = (strings: TemplateStringsArray, ...values: readonly Fragment[]): Html => {
  const made = template(strings, ...values);
  if (made instanceof Promise) throw new TypeError('a view must not wait for anything');
  return made as unknown as Html;
};

/** An address from a town's or a service's file for `href`: http(s) only, otherwise undefined. */
export const safeUrl = (address: string | undefined): string | undefined => {
  if (address === undefined || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined;
};
