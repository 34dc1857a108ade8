import type { Language } from '../language.ts';

/** What was checked about a citizen, and how long it is believed. */
const de = {
  identity: {
    low: 'Ihre Identität, einfach geprüft',
    substantial: 'Ihre Identität, geprüft mit Vertrauensniveau substantiell',
    high: 'Ihre Identität, geprüft mit Vertrauensniveau hoch',
  },
  on: (on: string) => `am ${on}`,
  until: (on: string, until: string) => `am ${on}, gilt bis ${until}`,
  over: (on: string, until: string) => `am ${on}, abgelaufen am ${until}`,
  title: 'Eine Prüfung läuft ab oder ist abgelaufen',
  how: 'Danach erreichen Sie das Vertrauensniveau nicht mehr, das manche Dienste verlangen. Weisen Sie sich neu aus: mit dem Online-Ausweis oder der BundID, oder mit Ihrem Ausweis im Bürgerbüro. Eine Anschrift, deren Prüfung abgelaufen ist, können Sie unter „Meine Daten“ selbst berichtigen.',
  prove: 'Jetzt online ausweisen',
};

const en: typeof de = {
  identity: {
    low: 'Your identity, checked simply',
    substantial: 'Your identity, checked at level of assurance substantial',
    high: 'Your identity, checked at level of assurance high',
  },
  on: (on) => `on ${on}`,
  until: (on, until) => `on ${on}, good until ${until}`,
  over: (on, until) => `on ${on}, expired on ${until}`,
  title: 'A check expires soon or has expired',
  how: 'After that you no longer reach the level of assurance that some services demand. Prove your identity again: with the online ID function of your identity card or with BundID, or with your card at the citizens’ office. An address whose check has expired you can correct yourself under “My data”.',
  prove: 'Prove my identity online now',
};

const TEXTS: Readonly<Record<Language, typeof de>> = { de, en };

export const proofTexts = (language: Language): typeof de => TEXTS[language];
