import { GENERATED, labelOf, organisationOf, retentionTable, table } from './markdown.ts';
import type { Source } from './records.ts';

/** Datenschutzhinweise, Art. 13 DSGVO, in einfacher Sprache. */
export const notice = ({ town, registrations }: Source): string => `${GENERATED}
# Datenschutzhinweise für den Stadtschlüssel ${town.name.de}

## Wer ist verantwortlich?

Die Stadt ${town.name.de}, ${town.contact.address}. Sie erreichen uns unter ${town.contact.email} und ${town.contact.phone}
oder im ${town.office.name.de}, ${town.office.address}, ${town.office.hours.de}. Den Datenschutz der Stadt finden Sie unter
${town.pages.privacy}.

## Was ist der Stadtschlüssel?

Ein Konto, mit dem Sie sich bei den Diensten der Stadt anmelden. Es ist freiwillig und kostet nichts. Rechtsgrundlage ist
Art. 6 Abs. 1 Buchst. e DSGVO in Verbindung mit § 3 DSG NRW.

## Welche Daten speichern wir?

Ihre Bürgerkennung und womit Sie sich anmelden. Ihre E-Mail-Adresse, Ihren Namen, Ihr Geburtsdatum und Ihre Anschrift nur,
wenn Sie sie angeben oder nachweisen. Alles liegt verschlüsselt auf Rechnern der Stadt, mit einem eigenen Schlüssel für
jedes Konto. Löschen Sie Ihr Konto, wird dieser Schlüssel vernichtet.

## Was erfahren die Dienste?

Zuerst nur ein Pseudonym: eine zufällig aussehende Zeichenfolge, für jede Organisation eine andere. Zwei Organisationen können
daran nicht erkennen, dass sie dieselbe Person vor sich haben. Alles Weitere erfährt ein Dienst nur, wenn Sie es erlauben,
und höchstens das:

${table(
  ['Dienst', 'Organisation', 'Höchstens diese Angaben'],
  // Citizens never come to a service for staff.
  registrations
    .filter(({ staff }) => staff !== true)
    .map((registration) => [
      registration.name.de,
      organisationOf(town, registration),
      [
        ...registration.claims.map(({ claim, required }) => `${labelOf(claim)}${required ? '' : ' (freiwillig)'}`),
        ...(registration.apis ?? []).map(({ resource, purpose }) => `Anfrage für Sie bei ${resource}: ${purpose.de}`),
      ].join('; ') || 'nur das Pseudonym',
    ]),
)}

Wofür ein Dienst eine Angabe braucht, steht auf der Seite, auf der er Sie darum bittet, und im Verzeichnis von
Verarbeitungstätigkeiten.

## Wie lange speichern wir was?

${retentionTable()}

Welche Dienste Sie wann nutzen, zeichnen wir nicht auf. Gespeichert wird nur, welcher Dienst Sie kennt, seit wann und an
welchem Tag zuletzt: verschlüsselt, damit Sie es sehen können.

## Welche Rechte haben Sie?

Unter „Meine Daten“ in Ihrem Konto sehen Sie alles, was gespeichert ist, und können es herunterladen (Art. 15 und 20 DSGVO),
berichtigen (Art. 16), Erlaubnisse widerrufen (Art. 7 Abs. 3) und das Konto löschen (Art. 17). Widerrufen Sie eine Erlaubnis,
endet der Zugriff des Dienstes sofort, und der Dienst erfährt es. Nach einer Löschung erfahren es alle Dienste, die Sie
kennen, innerhalb eines Tages.

Ohne Internet geht das alles auch im ${town.office.name.de}. Sie können sich bei der Landesbeauftragten für Datenschutz und
Informationsfreiheit Nordrhein-Westfalen beschweren (Art. 77 DSGVO).

Eine automatisierte Entscheidung nach Art. 22 DSGVO findet nicht statt. Daten gehen in kein Drittland.
`;
