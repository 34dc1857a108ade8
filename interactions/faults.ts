import { type Language, textsIn } from './language.ts';
import type { Fault } from './progress.ts';
import { dayAndTime, letterTextsIn } from './texts/letters.ts';

/** Citizens of a German town read German clocks, wherever the server stands. */
const TIME_ZONE = 'Europe/Berlin';

/** A time of day as a citizen reads it. */
export const timeOfDay = (at: Date, language: Language): string =>
  new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    timeZone: TIME_ZONE,
    hour: '2-digit',
    minute: '2-digit',
  }).format(at);

/** A mistake in the words of a language: what is wrong and what to do. */
export const faultText = (fault: Fault, language: Language): string => {
  const t = textsIn(language);
  const letters = letterTextsIn(language);
  const until = (): string => {
    // Rounded up: at the time told, the wait must be over.
    const at = new Date(fault.until ?? 0);
    return timeOfDay(new Date(Math.ceil(at.getTime() / 60_000) * 60_000), language);
  };
  switch (fault.code) {
    case 'identifier-missing':
      return t.signIn.identifierMissing;
    case 'password-missing':
      return t.signIn.passwordMissing;
    case 'sign-in-wrong':
      return t.signIn.wrong;
    case 'sign-in-wait':
      return t.signIn.wait(until());
    case 'passkey-wrong':
      return t.signIn.passkeyWrong;
    case 'account-gone':
      return t.signIn.accountGone;
    case 'answer-missing':
      return t.finder.missing;
    case 'email-invalid':
      return t.email.invalid;
    case 'email-taken':
      return t.credential.emailTaken;
    case 'code-missing':
      return t.code.missing;
    case 'code-wrong':
      return t.code.wrong(fault.number ?? 0);
    case 'code-expired':
      return t.code.expired;
    case 'code-wait':
      return t.code.wait(until());
    case 'street-missing':
      return t.address.streetMissing;
    case 'postal-code-invalid':
      return t.address.postalCodeInvalid;
    case 'locality-missing':
      return t.address.localityMissing;
    case 'passkey-failed':
      return t.credential.failed;
    case 'new-password-missing':
      return t.password.missing;
    case 'new-password-different':
      return t.password.different;
    case 'new-password-short':
      return t.password.tooShort(fault.number ?? 0);
    case 'new-password-long':
      return t.password.tooLong;
    case 'new-password-common':
      return t.password.tooCommon;
    case 'new-password-local':
      return t.password.local;
    case 'new-password-breached':
      return t.password.breached;
    case 'otp-missing':
      return t.secondFactor.missing;
    case 'otp-wrong':
      return t.secondFactor.wrong;
    case 'recovery-code-missing':
      return t.forgotten.codeMissing;
    case 'recovery-wrong':
      return t.forgotten.wrong;
    case 'passkey-last':
      return t.konto.passkeys.last;
    case 'passkey-taken':
      return t.konto.passkeys.taken;
    case 'password-first':
      return t.konto.totp.passwordFirst;
    case 'email-same':
      return t.konto.email.same;
    case 'codes-unconfirmed':
      return t.backupCodes.confirmMissing;
    case 'given-name-missing':
      return t.details.givenNameMissing;
    case 'family-name-missing':
      return t.details.familyNameMissing;
    case 'birthdate-invalid':
      return t.details.birthdateInvalid;
    case 'identity':
      return t.identity.faults[fault.identity ?? 'failed'];
    case 'consent-changed':
      return t.consent.changed;
    case 'staff-only':
      return letters.staff.citizen;
    case 'letter-code-mistyped':
      return letters.code.mistyped;
    case 'letter-code-wrong':
      return letters.code.wrong;
    case 'letter-code-over':
      return letters.code.over;
    case 'letter-code-early':
      return letters.code.tooEarly(dayAndTime(new Date(fault.until ?? 0), language));
    case 'letter-code-wait':
      return letters.code.wait(until());
    case 'letter-expired':
      return letters.code.expired;
  }
};
