import type { Member } from '../accounts/staff.ts';
import type { Town } from '../accounts/town.ts';
import { framed } from './citizen-letters.ts';
import { dayAndTime, type LetterTexts, letterTextsIn } from './texts/letters.ts';

type StaffLetter = (member: Pick<Member, 'name' | 'language'>) => { subject: string; text: string };
type About = { readonly name: string; readonly email: string; readonly roles: readonly string[] };

/** The mails that tell the members of staff of changes among them. */
export const staffLetters = (town: Town) => {
  const letter =
    (subject: (t: LetterTexts) => string, text: (t: LetterTexts, language: string) => string): StaffLetter =>
    ({ language }) => {
      const t = letterTextsIn(language);
      return { subject: subject(t), text: framed(t, town, language, text(t, language)) };
    };
  const waits = (t: LetterTexts, language: string, email: string, from: Date | undefined): string =>
    from === undefined
      ? ''
      : `\n\n${t.mail.objection(dayAndTime(from, language), `schluessel staff object ${email} --commit`)}`;
  return {
    alarm: (name: string): StaffLetter =>
      letter(
        (t) => t.mail.alarmSubject,
        (t) => t.mail.alarm(name),
      ),
    /** `from`: when the roles act; undefined if they do already. */
    invited: ({ name, email, roles }: About, from: Date | undefined): StaffLetter =>
      letter(
        (t) => t.mail.invitedSubject,
        (t, language) => t.mail.invited(name, roles.join(', ')) + waits(t, language, email, from),
      ),
    granted: ({ name, email, roles }: About, from: Date | undefined): StaffLetter =>
      letter(
        (t) => t.mail.grantedSubject,
        (t, language) => t.mail.granted(name, roles.join(', ')) + waits(t, language, email, from),
      ),
    confirmed: (name: string): StaffLetter =>
      letter(
        (t) => t.mail.grantedSubject,
        (t) => t.mail.confirmed(name),
      ),
    objected: (name: string): StaffLetter =>
      letter(
        (t) => t.mail.objectedSubject,
        (t) => t.mail.objected(name),
      ),
    revoked: (name: string, role: string | undefined): StaffLetter =>
      letter(
        (t) => t.mail.revokedSubject,
        (t) => t.mail.revoked(name, role),
      ),
  };
};
