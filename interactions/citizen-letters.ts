import type { CitizenLetters } from '../accounts/recoveries.ts';
import type { Town } from '../accounts/town.ts';
import { inLanguage, type Language } from './language.ts';
import { dayAndTime, type LetterTexts, letterTextsIn } from './texts/letters.ts';

const officeOf = (town: Town, language: string): string =>
  `${inLanguage(town.office.name, language as Language)}, ${town.office.address}, ${town.contact.phone}`;

/** A mail's frame: greeting, text, who writes. */
export const framed = (t: LetterTexts, town: Town, language: string, text: string): string =>
  `${t.mail.greeting}\n\n${text}\n\n${t.mail.closing(inLanguage(town.name, language as Language))}\n`;

/** The mails that tell a citizen of a recovery. Links follow the configured issuer, whatever host was asked for. */
export const citizenLetters = (town: Town, issuer: URL): CitizenLetters => {
  const stopLink = (token: string): string => new URL(`/stopp/${token}`, issuer).href;
  return {
    opened({ language, waitsUntil, stop }) {
      const t = letterTextsIn(language);
      const text = t.mail.opened(dayAndTime(waitsUntil, language), stopLink(stop));
      return { subject: t.mail.openedSubject, text: framed(t, town, language, text) };
    },
    approved({ language, validFrom, stop }) {
      const t = letterTextsIn(language);
      const text = t.mail.approved(dayAndTime(validFrom, language), stopLink(stop));
      return { subject: t.mail.approvedSubject, text: framed(t, town, language, text) };
    },
    redeemed({ language }) {
      const t = letterTextsIn(language);
      const text = t.mail.redeemed(officeOf(town, language));
      return { subject: t.mail.redeemedSubject, text: framed(t, town, language, text) };
    },
    ended({ language, status }) {
      const t = letterTextsIn(language);
      return { subject: t.mail.endedSubject, text: framed(t, town, language, t.mail.ended[status]) };
    },
  };
};
