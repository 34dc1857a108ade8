import { GENERATED, isRaw, labelOf, organisationOf, table } from './markdown.ts';
import type { Source } from './records.ts';

const RISKS: readonly (readonly [risk: string, measure: string, proof: string])[] = [
  [
    'Organisationen führen ihre Daten zu einem Bewegungsprofil zusammen',
    'je Organisation ein anderes Pseudonym, kein gemeinsames Merkmal in Tokens, Abmeldungen und Zeiten, auch nicht bei Anfragen über Organisationen hinweg',
    '`test/privacy-linkage.test.ts`, `test/long/privacy-linkage.test.ts`, `test/privacy-across-organisations.test.ts`',
  ],
  [
    'Die Datenbank wird kopiert',
    'jede Angabe je Konto versiegelt, Schlüssel außerhalb; Zeiten neben einem Konto höchstens auf den Tag genau',
    '`test/privacy-dump.test.ts`, `test/database-search.test.ts`',
  ],
  [
    'Ein Dienst erhält mehr als nötig',
    'Angaben nur nach Registrierung mit Zweck und Rechtsgrundlage und nur nach Erlaubnis; abgeleitete vor rohen Angaben',
    '`test/privacy-claims.test.ts`, `test/privacy-claims-http.test.ts`',
  ],
  [
    'Gelöschte Daten bestehen fort',
    'der Schlüssel des Kontos wird vernichtet; Grabsteine lassen eine zurückgespielte Sicherung wieder vergessen',
    '`test/privacy-forgetting.test.ts`, `test/privacy-canaries.test.ts`, `test/long/privacy-canaries.test.ts`',
  ],
  [
    'Jemand übernimmt ein fremdes Konto',
    'Passkeys, Drosselung, Wiederherstellung nur durch zwei Personen mit Wartezeit und Benachrichtigung',
    '`docs/bedrohungsmodell.md`',
  ],
  [
    'Die Betreiberin sieht, wer welchen Dienst nutzt',
    'kein Protokoll, keine Messgröße und keine Prüfzeile nennt Person und Dienst zusammen',
    '`test/privacy-canaries.test.ts`',
  ],
];

/** Grundlagen für die Datenschutz-Folgenabschätzung, Art. 35 DSGVO. */
export const assessment = ({ town, registrations }: Source): string => {
  const claims = [...new Set(registrations.flatMap((one) => one.claims.map(({ claim }) => claim)))].sort();
  const raw = registrations.flatMap((one) => one.claims.filter(isRaw).map((use) => ({ one, use })));
  const pseudonymOnly = registrations.filter((one) => one.claims.length === 0);
  return `${GENERATED}
# Grundlagen für die Datenschutz-Folgenabschätzung: Stadtschlüssel ${town.name.de}

Nach Art. 35 Abs. 7 DSGVO. Die Bewertung trifft die verantwortliche Stelle; hier steht, was aus Registrierungen und Code folgt.

## Beschreibung (Buchst. a)

${registrations.length} Dienste in ${town.organisations.length} Organisationen; ${pseudonymOnly.length} davon erhalten nur das
Pseudonym. Der Ablauf steht im [Verzeichnis](verzeichnis.md), das Bedrohungsmodell in [docs/bedrohungsmodell.md](../bedrohungsmodell.md).

## Notwendigkeit und Verhältnismäßigkeit (Buchst. b)

${table(
  ['Angabe', 'Dienste, die sie erhalten können', 'davon zwingend'],
  claims.map((claim) => {
    const using = registrations.filter((one) => one.claims.some((use) => use.claim === claim));
    const required = using.filter((one) => one.claims.some((use) => use.claim === claim && use.required));
    return [labelOf(claim), String(using.length), required.map(({ name }) => name.de).join(', ') || 'keine'];
  }),
)}

Rohe Angaben, für die eine abgeleitete nicht genügt:

${table(
  ['Dienst', 'Organisation', 'Angabe', 'Begründung'],
  raw.map(({ one, use }) => [
    one.name.de,
    organisationOf(town, one),
    labelOf(use.claim),
    use.rawBecause?.de ?? 'fehlt',
  ]),
)}

## Risiken und Maßnahmen (Buchst. c und d)

${table(['Risiko', 'Maßnahme', 'Nachweis'], RISKS)}
`;
};
