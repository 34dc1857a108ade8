import { CLAIM_CATALOGUE } from '../accounts/claims.ts';
import { type Fragment, html } from './html.ts';
import { inLanguage, type Language, textsIn } from './language.ts';

type Verified = {
  readonly verification: { readonly assurance_level: 'low' | 'substantial' | 'high'; readonly time: string };
  readonly claims: Readonly<Record<string, unknown>>;
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** A day, YYYY-MM-DD, as it is written in the language. */
export const readableDay = (day: string, language: Language): string =>
  new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { dateStyle: 'long', timeZone: 'UTC' }).format(
    new Date(day),
  );

/** What a claim is called. */
export const claimLabel = (claim: string, language: Language): string =>
  inLanguage(CLAIM_CATALOGUE[claim]?.label ?? { de: claim }, language);

const verified = (value: unknown, language: Language): Fragment => {
  const t = textsIn(language).consent;
  return ([value].flat() as Verified[]).map(({ verification, claims }, at) => {
    const names = Object.keys(claims).map((claim) => claimLabel(claim, language));
    const day = readableDay(verification.time.slice(0, 10), language);
    return html`${at > 0 && html`<br>`}${names.join(', ')}: ${t.levels[verification.assurance_level]}, ${day}`;
  });
};

/** A claim's value as a citizen reads it. */
export const claimValue = (claim: string, value: unknown, language: Language): Fragment => {
  const { common } = textsIn(language);
  if (claim === 'verified_claims') return verified(value, language);
  if (typeof value === 'boolean') return value ? common.yes : common.no;
  if (isRecord(value) && typeof value['formatted'] === 'string')
    return value['formatted'].split('\n').map((line, at) => html`${at > 0 && html`<br>`}${line}`);
  if (claim === 'birthdate' && typeof value === 'string') return readableDay(value, language);
  if (claim === 'locale' && typeof value === 'string')
    return new Intl.DisplayNames(language, { type: 'language' }).of(value) ?? value;
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
};
