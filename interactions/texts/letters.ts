import type { Language } from '../language.ts';

/** Texts around codes on paper: their pages, letters and mails, and the pages of the administrators' sign-in. */
const de = {
  staff: {
    title: 'Anmelden als Mitarbeiterin oder Mitarbeiter',
    lead: 'Dieser Zugang ist für die Verwaltung. Melden Sie sich mit dem Passkey Ihres Dienstkontos an.',
    without: 'Ihr Browser kann keine Passkeys. Nehmen Sie einen aktuellen Browser oder den Anmeldeweg mit Code.',
    citizen: 'Das ist kein Dienstkonto. Bürgerkonten und Dienstkonten sind getrennt.',
  },
  code: {
    title: 'Code aus Ihrem Brief',
    lead: 'Geben Sie den Code ein, der in Ihrem Brief steht.',
    label: 'Code',
    hint: '20 Zeichen, zum Beispiel 7K3F2-9QXA4-… Groß oder klein ist gleich, Striche können Sie weglassen.',
    submit: 'Weiter',
    mistyped: 'In dem Code steckt ein Tippfehler. Bitte vergleichen Sie ihn Zeichen für Zeichen mit dem Brief.',
    wrong: 'Diesen Code gibt es nicht. Bitte vergleichen Sie ihn mit dem Brief.',
    over: 'Dieser Code gilt nicht mehr: Er wurde schon benutzt, durch einen neuen ersetzt, oder seine Zeit ist um. Das Bürgerbüro hilft Ihnen weiter.',
    tooEarly: (from: string) => `Dieser Code gilt erst ab ${from}. Die Wartezeit schützt Ihr Konto.`,
    wait: (until: string) => `Zu viele Versuche. Bitte versuchen Sie es ab ${until} Uhr wieder.`,
    expired: 'Sie haben zu lange gewartet. Bitte geben Sie den Code noch einmal ein.',
  },
  choose: {
    recovery: 'Neuer Zugang zu Ihrem Konto',
    activation: 'Ihr Konto freischalten',
    invitation: 'Ihr Dienstkonto einrichten',
    recoveryLead:
      'Der Code stimmt. Wählen Sie, wie Sie sich künftig anmelden. Alle alten Zugänge und Anmeldungen enden damit.',
    activationLead: 'Der Code stimmt. Wählen Sie, wie Sie sich künftig anmelden.',
    invitationLead:
      'Der Code stimmt. Richten Sie einen Passkey ein. Er ist der einzige Weg in Ihr Dienstkonto; ein Passwort gibt es hier nicht.',
    username: 'Dienstkonto',
    passwordText:
      'Sie denken sich ein langes Passwort aus. Dazu kommt eine App auf dem Handy, oder Ersatzcodes auf Papier.',
  },
  second: {
    title: 'Zweiter Schutz',
    lead: 'Mit einer App auf dem Handy ist Ihr Konto besser geschützt als mit dem Passwort allein.',
    paper: 'Kein Handy?',
    paperText: 'Dann bekommen Sie Ersatzcodes zum Ausdrucken. Eine App können Sie später einrichten.',
    paperSubmit: 'Weiter mit Ersatzcodes',
  },
  done: {
    title: 'Geschafft',
    recovery:
      'Ihr Konto hat einen neuen Zugang. Die alten Zugänge gelten nicht mehr, und überall wurden Sie abgemeldet. Dienste, die einen Nachweis Ihrer Person verlangen, fragen beim nächsten Mal danach.',
    activation: 'Ihr Konto ist freigeschaltet. Sie können sich jetzt bei allen Diensten anmelden.',
    invitation: 'Ihr Dienstkonto ist eingerichtet. Melden Sie sich jetzt im Terminal an: schluessel login',
    codes: 'Ersatzcodes',
    codesLead:
      'Jeder dieser Codes hilft einmal, wenn Ihnen das Passwort oder die App fehlt. Drucken Sie sie aus, oder schreiben Sie sie ab: Sie werden nur jetzt gezeigt.',
    start: 'Zu den Diensten',
  },
  stop: {
    title: 'Wiederherstellung stoppen',
    lead: (number: string) =>
      `Im Bürgerbüro wurde ein neuer Zugang zu Ihrem Konto beantragt (Vorgang ${number}). Waren Sie das nicht, stoppen Sie den Vorgang hier. Ihr Konto bleibt dann, wie es ist.`,
    submit: 'Jetzt stoppen',
    doneTitle: 'Gestoppt',
    done: 'Der Vorgang ist gestoppt, ein Brief dazu gilt nicht mehr. Bitte melden Sie sich beim Bürgerbüro: Jemand hat sich vielleicht als Sie ausgegeben.',
    overTitle: 'Hier ist nichts zu stoppen',
    over: 'Dieser Vorgang ist schon beendet. Kommt Ihnen etwas seltsam vor, melden Sie sich bitte beim Bürgerbüro.',
  },
  mail: {
    greeting: 'Guten Tag,',
    closing: (town: string) => `Freundliche Grüße\nStadtschlüssel ${town}`,
    openedSubject: 'Neuer Zugang zu Ihrem Konto beantragt',
    opened: (until: string, link: string) =>
      `im Bürgerbüro wurde gerade ein neuer Zugang zu Ihrem Konto beantragt. Der Zugang kann frühestens ${until} benutzt werden.\n\nWaren Sie das? Dann müssen Sie nichts tun.\n\nWaren Sie das nicht? Dann stoppen Sie den Vorgang hier:\n${link}`,
    approvedSubject: 'Brief für Ihren neuen Zugang',
    approved: (from: string, link: string) =>
      `eine zweite Person im Bürgerbüro hat dem neuen Zugang zu Ihrem Konto zugestimmt. Der Code im Brief gilt ab ${from}.\n\nHaben Sie das nicht beantragt? Dann stoppen Sie den Vorgang hier:\n${link}`,
    redeemedSubject: 'Ihr Konto hat einen neuen Zugang',
    redeemed: (office: string) =>
      `der Code aus dem Brief wurde eben benutzt: Ihr Konto hat einen neuen Zugang, alle alten sind beendet.\n\nWaren Sie das nicht? Dann melden Sie sich bitte sofort: ${office}`,
    endedSubject: 'Wiederherstellung beendet',
    ended: {
      rejected: 'der Antrag auf einen neuen Zugang zu Ihrem Konto wurde abgelehnt. Ihr Konto ist unverändert.',
      cancelled: 'der Antrag auf einen neuen Zugang zu Ihrem Konto wurde zurückgezogen. Ihr Konto ist unverändert.',
      stopped:
        'der Antrag auf einen neuen Zugang zu Ihrem Konto wurde auf Ihren Wunsch gestoppt. Ihr Konto ist unverändert.',
    },
    alarmSubject: 'Alarm: neue Leitung vom Server aus eingesetzt',
    alarm: (name: string) =>
      `auf dem Server wurde eine neue Leitung der Verwaltung eingesetzt, weil keine mehr da war. Wenn Sie davon nichts wissen, melden Sie es sofort Ihrer Informationssicherheit.\n\nEingesetzt: ${name}`,
    invitedSubject: 'Neue Person in der Verwaltung',
    invited: (name: string, roles: string) => `${name} wurde in die Verwaltung eingeladen, mit den Rollen: ${roles}.`,
    grantedSubject: 'Neue Rolle in der Verwaltung',
    granted: (name: string, role: string) => `${name} hat eine neue Rolle bekommen: ${role}.`,
    confirmed: (name: string) =>
      `eine zweite Leitung hat ${name} bestätigt. Die neuen Rollen gelten ab sofort. Kennen Sie diese Person nicht, melden Sie es sofort Ihrer Informationssicherheit.`,
    objection: (from: string, command: string) =>
      `Das gilt ab ${from}. Kennen Sie diese Person nicht? Dann melden Sie es sofort Ihrer Informationssicherheit und legen Sie Einspruch ein:\n${command}`,
    objectedSubject: 'Einspruch gegen eine neue Rolle in der Verwaltung',
    objected: (name: string) =>
      `jemand aus der Verwaltung hat Einspruch gegen die neuen Rollen von ${name} eingelegt. Sie sind entzogen. Bitte klären Sie das miteinander.`,
    revokedSubject: 'Rolle in der Verwaltung beendet',
    revoked: (name: string, role: string | undefined) =>
      role === undefined ? `${name} gehört nicht mehr zur Verwaltung.` : `${name} hat diese Rolle nicht mehr: ${role}.`,
  },
  notices: 'Mitteilungen',
  letter: {
    subject: {
      recovery: 'Neuer Zugang zu Ihrem Konto',
      activation: 'Ihr Konto freischalten',
      invitation: 'Ihr Dienstkonto einrichten',
    },
    title: 'Brief mit Code',
    greeting: 'Guten Tag,',
    lead: {
      recovery: 'Sie haben einen neuen Zugang zu Ihrem Konto beantragt. So geht es:',
      activation: 'Ihr Konto ist angelegt. So schalten Sie es frei:',
      invitation: 'Sie sind in die Verwaltung des Stadtschlüssels eingeladen. So richten Sie Ihr Dienstkonto ein:',
    },
    steps: (address: string) => [
      `Öffnen Sie im Internet die Seite ${address} – oder halten Sie die Kamera Ihres Handys auf das Bild rechts.`,
      'Geben Sie diesen Code ein:',
      'Folgen Sie der Seite. Das dauert etwa drei Minuten.',
    ],
    qr: 'Bild mit der Adresse und dem Code, für die Kamera des Handys',
    qrAddress: 'Bild mit der Adresse, für die Kamera des Handys',
    kennung: (kennung: string) => `Ihre Bürgerkennung: ${kennung}`,
    validity: (from: string, until: string) => `Der Code gilt von ${from} bis ${until}. Er gilt nur einmal.`,
    secret: 'Zeigen Sie den Code niemandem. Niemand von der Stadt fragt Sie am Telefon danach.',
    help: (office: string) => `Kein Internet, oder es klappt nicht? Kommen Sie zu uns: ${office}`,
    library: 'An den Computern der Stadtbibliothek geht es auch.',
    closing: 'Freundliche Grüße',
    number: (number: string) => `Vorgang ${number}`,
    noticeSubject: 'Neuer Zugang zu Ihrem Konto beantragt',
  },
};

export type LetterTexts = typeof de;

const en: LetterTexts = {
  staff: {
    title: 'Sign in as a member of staff',
    lead: 'This is the administration’s entrance. Sign in with the passkey of your staff account.',
    without: 'Your browser cannot use passkeys. Take a current browser, or sign in by code.',
    citizen: 'That is not a staff account. Citizens’ accounts and staff accounts are separate.',
  },
  code: {
    title: 'Code from your letter',
    lead: 'Enter the code that stands in your letter.',
    label: 'Code',
    hint: '20 characters, like 7K3F2-9QXA4-… Upper or lower case, with or without dashes.',
    submit: 'Continue',
    mistyped: 'There is a typing mistake in the code. Please compare it with the letter, character by character.',
    wrong: 'There is no such code. Please compare it with the letter.',
    over: 'This code is no longer valid: it was used, replaced by a new one, or its time is over. The citizens’ office can help.',
    tooEarly: (from) => `This code is valid from ${from} on. The waiting time protects your account.`,
    wait: (until) => `Too many tries. Please try again at ${until}.`,
    expired: 'You have waited too long. Please enter the code again.',
  },
  choose: {
    recovery: 'A new way into your account',
    activation: 'Activate your account',
    invitation: 'Set up your staff account',
    recoveryLead:
      'The code is right. Choose how you will sign in from now on. All old ways in and all sign-ins end with it.',
    activationLead: 'The code is right. Choose how you will sign in from now on.',
    invitationLead:
      'The code is right. Create a passkey. It is the only way into your staff account; there is no password.',
    username: 'Staff account',
    passwordText: 'You think of a long password. An app on your phone comes with it, or backup codes on paper.',
  },
  second: {
    title: 'A second protection',
    lead: 'With an app on your phone your account is better protected than by the password alone.',
    paper: 'No phone?',
    paperText: 'Then you get backup codes to print. You can set up an app later.',
    paperSubmit: 'Go on with backup codes',
  },
  done: {
    title: 'Done',
    recovery:
      'Your account has a new way in. The old ones no longer work, and you were signed out everywhere. Services that want proof of who you are will ask for it next time.',
    activation: 'Your account is active. You can now sign in to all services.',
    invitation: 'Your staff account is set up. Now sign in at your terminal: schluessel login',
    codes: 'Backup codes',
    codesLead:
      'Each of these codes helps once, when you do not have your password or the app. Print them or write them down: they are shown only now.',
    start: 'To the services',
  },
  stop: {
    title: 'Stop the recovery',
    lead: (number) =>
      `At the citizens’ office, a new way into your account was asked for (case ${number}). If that was not you, stop it here. Your account then stays as it is.`,
    submit: 'Stop it now',
    doneTitle: 'Stopped',
    done: 'The case is stopped, and a letter for it is no longer valid. Please contact the citizens’ office: somebody may have pretended to be you.',
    overTitle: 'There is nothing to stop',
    over: 'This case has ended already. If something seems strange, please contact the citizens’ office.',
  },
  mail: {
    greeting: 'Hello,',
    closing: (town) => `Kind regards\nStadtschlüssel ${town}`,
    openedSubject: 'A new way into your account was asked for',
    opened: (until, link) =>
      `at the citizens’ office, a new way into your account was asked for just now. It can be used ${until} at the earliest.\n\nWas it you? Then there is nothing to do.\n\nWas it not you? Then stop it here:\n${link}`,
    approvedSubject: 'Letter for your new way in',
    approved: (from, link) =>
      `a second person at the citizens’ office has agreed to the new way into your account. The code in the letter is valid from ${from}.\n\nDid you not ask for this? Then stop it here:\n${link}`,
    redeemedSubject: 'Your account has a new way in',
    redeemed: (office) =>
      `the code from the letter was used just now: your account has a new way in, and all old ones have ended.\n\nWas it not you? Then please contact us at once: ${office}`,
    endedSubject: 'Recovery ended',
    ended: {
      rejected: 'the request for a new way into your account was refused. Your account is unchanged.',
      cancelled: 'the request for a new way into your account was withdrawn. Your account is unchanged.',
      stopped: 'the request for a new way into your account was stopped as you wished. Your account is unchanged.',
    },
    alarmSubject: 'Alarm: a new chief was made on the server',
    alarm: (name) =>
      `on the server, a new chief of the administration was made, because none was left. If you know nothing of this, tell your information security at once.\n\nNew chief: ${name}`,
    invitedSubject: 'A new member of the administration',
    invited: (name, roles) => `${name} was invited to the administration, with the roles: ${roles}.`,
    grantedSubject: 'A new role in the administration',
    granted: (name, role) => `${name} was given a new role: ${role}.`,
    confirmed: (name) =>
      `a second chief has vouched for ${name}. The new roles act from now on. If you do not know this person, tell your information security at once.`,
    objection: (from, command) =>
      `This acts from ${from} on. If you do not know this person, tell your information security at once and object:\n${command}`,
    objectedSubject: 'Objection to a new role in the administration',
    objected: (name) =>
      `a member of staff has objected to the new roles of ${name}. They are withdrawn. Please sort this out together.`,
    revokedSubject: 'A role in the administration has ended',
    revoked: (name, role) =>
      role === undefined ? `${name} is no longer a member of staff.` : `${name} no longer has this role: ${role}.`,
  },
  notices: 'Notices',
  letter: {
    subject: {
      recovery: 'A new way into your account',
      activation: 'Activate your account',
      invitation: 'Set up your staff account',
    },
    title: 'Letter with a code',
    greeting: 'Hello,',
    lead: {
      recovery: 'You have asked for a new way into your account. This is how it goes:',
      activation: 'Your account has been made. This is how you activate it:',
      invitation: 'You are invited to the administration of Stadtschlüssel. This is how you set up your staff account:',
    },
    steps: (address) => [
      `Open the page ${address} – or point your phone’s camera at the picture on the right.`,
      'Enter this code:',
      'Follow the page. It takes about three minutes.',
    ],
    qr: 'Picture with the address and the code, for the phone’s camera',
    qrAddress: 'Picture with the address, for the phone’s camera',
    kennung: (kennung) => `Your Bürgerkennung: ${kennung}`,
    validity: (from, until) => `The code is valid from ${from} to ${until}. It is good only once.`,
    secret: 'Show the code to nobody. Nobody from the city will ask you for it on the phone.',
    help: (office) => `No internet, or it does not work? Come and see us: ${office}`,
    library: 'You can also use the computers of the city library.',
    closing: 'Kind regards',
    number: (number) => `Case ${number}`,
    noticeSubject: 'A new way into your account was asked for',
  },
};

const TEXTS: Readonly<Record<Language, LetterTexts>> = { de, en };

/** The texts in a language; German for one in which they do not exist. */
export const letterTextsIn = (language: string): LetterTexts =>
  Object.hasOwn(TEXTS, language) ? TEXTS[language as Language] : de;

/** A day and time as people read it on paper. */
export const dayAndTime = (at: Date, language: string): string =>
  new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : 'de-DE', {
    timeZone: 'Europe/Berlin',
    day: 'numeric',
    month: 'long',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  }).format(at);
