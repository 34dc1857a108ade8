import type Koa from 'koa';
import type { Text } from '../accounts/town.ts';
import { de, type Texts } from './texts/de.ts';
import { en } from './texts/en.ts';

const TEXTS = { de, en } as const satisfies Record<string, Texts>;

/** A language in which all pages exist. */
export type Language = keyof typeof TEXTS;

/** The cookie in which a citizen's choice of language is kept. */
export const LANGUAGE_COOKIE = 'lang';

const isLanguage = (tag: string): tag is Language => Object.hasOwn(TEXTS, tag);

/** The pages' texts in one language. */
export const textsIn = (language: Language): Texts => TEXTS[language];

/** The language of an account, for mails; German where the pages do not have it. */
export const languageFor = (tag: string): Language => (isLanguage(tag) ? tag : 'de');

/** Of the town's languages those in which the pages exist, the town's order kept; German if there is none. */
export const offeredLanguages = (tags: readonly string[]): readonly [Language, ...Language[]] => {
  const [first, ...others] = tags.filter(isLanguage);
  return first === undefined ? ['de'] : [first, ...others];
};

/** A town's or service's text in a language, German where it has none. */
export const inLanguage = (text: Text, language: Language): string => text[language] ?? text.de;

const firstMatch = (tags: readonly string[], offered: readonly Language[]): Language | undefined => {
  for (const tag of tags) {
    const primary = tag.trim().toLowerCase().split('-')[0];
    const match = offered.find((language) => language === primary);
    if (match !== undefined) return match;
  }
  return undefined;
};

/**
 * The language of a page. The citizen's own choice (`?lang=`, then the cookie) comes first, then what the service asked
 * for (`ui_locales`, OpenID Connect Core §3.1.2.1: tags in order of preference), then the browser's setting.
 */
export const languageOf = (
  ctx: Pick<Koa.Context, 'query' | 'cookies' | 'acceptsLanguages'>,
  towns: readonly string[],
  uiLocales?: unknown,
): Language => {
  const offered = offeredLanguages(towns);
  const asked = ctx.query['lang'];
  const service = typeof uiLocales === 'string' ? uiLocales.split(' ') : [];
  const browser = ctx.acceptsLanguages();
  return (
    firstMatch(typeof asked === 'string' ? [asked] : [], offered) ??
    firstMatch([ctx.cookies.get(LANGUAGE_COOKIE) ?? ''], offered) ??
    firstMatch(service, offered) ??
    firstMatch(Array.isArray(browser) ? browser : [], offered) ??
    offered[0]
  );
};
