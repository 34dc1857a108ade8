import type { DormancyText } from '../../accounts/dormancy.ts';
import type { Town } from '../../accounts/town.ts';
import { inLanguage, type Language, languageFor } from '../language.ts';

type MailText = { readonly subject: string; readonly text: string };
type Facts = { readonly town: string; readonly address: string; readonly day: string };

const DORMANT: Readonly<Record<Language, (facts: Facts) => MailText>> = {
  de: ({ town, address, day }) => ({
    subject: 'Ihr Stadtschlüssel-Konto wird bald gelöscht',
    text: `Guten Tag,

Sie haben Ihr Stadtschlüssel-Konto (${town}) lange nicht benutzt. Daten, die niemand braucht, bewahren wir nicht auf:
Ab dem ${day} löschen wir das Konto.

Möchten Sie es behalten? Dann melden Sie sich bis dahin einmal an:
${address}

Brauchen Sie es nicht mehr, müssen Sie nichts tun.
`,
  }),
  en: ({ town, address, day }) => ({
    subject: 'Your Stadtschlüssel account will soon be deleted',
    text: `Hello,

You have not used your Stadtschlüssel account (${town}) for a long time. We do not keep data that nobody needs:
from ${day} on we delete the account.

Do you want to keep it? Then sign in once before that day:
${address}

If you no longer need it, there is nothing to do.
`,
  }),
};

const DELETION: Readonly<Record<Language, (facts: Facts) => MailText>> = {
  de: ({ town, address, day }) => ({
    subject: 'Ihr Stadtschlüssel-Konto wird gelöscht',
    text: `Guten Tag,

für Ihr Stadtschlüssel-Konto (${town}) wurde die Löschung beantragt. Am ${day} löschen wir alle Ihre Daten endgültig.

Haben Sie es sich anders überlegt, oder waren Sie das nicht? Dann melden Sie sich vorher an und brechen Sie die Löschung
unter „Meine Daten“ ab:
${address}

Das ist unsere letzte Nachricht: Nach der Löschung kennen wir Ihre Adresse nicht mehr.
`,
  }),
  en: ({ town, address, day }) => ({
    subject: 'Your Stadtschlüssel account will be deleted',
    text: `Hello,

the deletion of your Stadtschlüssel account (${town}) was requested. On ${day} we delete all your data for good.

Have you changed your mind, or was it not you? Then sign in before that day and stop the deletion under “My data”:
${address}

This is our last message: after the deletion we no longer know your address.
`,
  }),
};

type Place = { readonly town: Pick<Town, 'name'>; readonly issuer: URL };

const facts = ({ town, issuer }: Place, language: Language, at: Date): Facts => ({
  town: inLanguage(town.name, language),
  address: `${issuer.origin}/konto/daten`,
  day: new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, {
    dateStyle: 'long',
    timeZone: 'Europe/Berlin',
  }).format(at),
});

/** What a citizen is told whose account sleeps. */
export const dormancyText =
  (place: Place): DormancyText =>
  (tag, until) => {
    const language = languageFor(tag);
    return DORMANT[language](facts(place, language, until));
  };

/** What a citizen is told whose account is going to be deleted. */
export const deletionMail = (place: Place, tag: string, due: Date): MailText => {
  const language = languageFor(tag);
  return DELETION[language](facts(place, language, due));
};
