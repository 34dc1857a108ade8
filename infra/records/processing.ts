import { apisTable, claimsTable, GENERATED, organisationOf, retentionTable } from './markdown.ts';
import type { Source } from './records.ts';

/** Verzeichnis von Verarbeitungstätigkeiten, Art. 30 DSGVO. */
export const processing = ({ town, registrations }: Source): string => `${GENERATED}
# Verzeichnis von Verarbeitungstätigkeiten: Stadtschlüssel ${town.name.de}

Nach Art. 30 Abs. 1 DSGVO. Gemeindeschlüssel ${town.municipalityKey}.

| | |
| --- | --- |
| Verantwortliche Stelle | Stadt ${town.name.de}, ${town.contact.address} |
| Kontakt | ${town.contact.email}, ${town.contact.phone} |
| Datenschutz | ${town.pages.privacy} |
| Verarbeitungsort | Rechenzentrum der Stadt; keine Übermittlung in Drittländer |

## 1. Konto und Anmeldung

| | |
| --- | --- |
| Zweck | Bürgerinnen und Bürger melden sich einmal an und nutzen damit die Dienste der Stadt und ihrer Gesellschaften |
| Rechtsgrundlage | Art. 6 Abs. 1 Buchst. e DSGVO in Verbindung mit § 3 DSG NRW; die Nutzung ist freiwillig |
| Betroffene | Bürgerinnen und Bürger mit Konto |
| Daten | Bürgerkennung; E-Mail-Adresse, Name, Geburtsdatum und Anschrift, soweit angegeben oder nachgewiesen, jeweils mit Herkunft; Anmeldemittel (öffentliche Schlüssel der Passkeys, Passwort-Prüfwert); Sprache |
| Empfänger | die unter 2 genannten Dienste, nur nach Erlaubnis und nur die dort genannten Angaben |
| Schutz | jede Angabe mit einem eigenen Schlüssel je Konto versiegelt (AES-256-GCM); Suchmerkmale nur als Prüfwert mit Schlüssel; je Organisation ein anderes Pseudonym; Schlüssel außerhalb der Datenbank |

### Fristen

${retentionTable()}

## 2. Weitergabe an Dienste
${registrations
  .map(
    (registration) => `
### ${registration.name.de}

${registration.description.de}. Organisation: ${organisationOf(town, registration)}. Technischer Name: \`${registration.clientId}\`. Ansprechstelle: ${registration.contacts.join(', ')}.

${claimsTable(registration)}
${apisTable(registration)}`,
  )
  .join('')}
## 3. Hilfe bei verlorenen Zugängen

| | |
| --- | --- |
| Zweck | Menschen ohne Zugang zu ihrem Konto bekommen im ${town.office.name.de} einen neuen |
| Rechtsgrundlage | Art. 6 Abs. 1 Buchst. e DSGVO in Verbindung mit § 3 DSG NRW |
| Daten | Grund, Art des vorgelegten Nachweises (keine Kopie, keine Ausweisnummer), handelnde Personen, Zeitpunkte |
| Empfänger | keine; die Betroffenen sehen jeden Vorgang in ihrem Konto |
| Schutz | zwei Personen entscheiden, das Protokoll ist verkettet und nicht änderbar |
`;
