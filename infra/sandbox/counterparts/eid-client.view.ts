import type { Greeting } from './eid-client.ts';
import { escapeHtml, page } from './page.ts';
import { SPECIMEN_CARDS } from './specimen-cards.ts';

const SIMULATES = 'AusweisApp und Lesegerät';

const LABELS: Readonly<Record<string, string>> = {
  DocumentType: 'Art des Ausweises',
  GivenNames: 'Vornamen',
  FamilyNames: 'Familienname',
  DateOfBirth: 'Geburtsdatum',
  PlaceOfResidence: 'Anschrift',
  CommunityID: 'Gemeindeschlüssel',
  RestrictedID: 'Pseudonym für diesen Dienst',
};

const asked = ({ asked: names, age, community }: Greeting): string[] =>
  names.flatMap((name) => {
    if (name === 'AgeVerification') return age === undefined ? [] : [`mindestens ${age} Jahre alt (ja oder nein)`];
    if (name === 'PlaceVerification') return community === undefined ? [] : [`wohnt in ${community} (ja oder nein)`];
    return [LABELS[name] ?? name];
  });

/** The errors that an eID-Server can answer after the card was read. */
const ANSWERS = [
  '/common#internalError',
  '/useID#invalidPSK',
  '/getResult#invalidDocument',
  '/getResult#deniedDocument',
];

export const choicePage = (run: string, greeting: Greeting, mistake?: string): string => {
  const cards = SPECIMEN_CARDS.map(
    ({ id, note }, index) =>
      `<label><input type="radio" name="card" value="${id}"${index === 0 ? ' checked' : ''}> ${escapeHtml(note)}</label>`,
  );
  return page(
    SIMULATES,
    `${greeting.terminal.subjectName} möchte lesen`,
    `<ul>${asked(greeting)
      .map((line) => `<li>${escapeHtml(line)}</li>`)
      .join('')}</ul>
    ${mistake === undefined ? '' : `<p role="alert">${escapeHtml(mistake)}</p>`}
    <form method="post" action="/eID-Client"><input type="hidden" name="run" value="${run}">
    <fieldset><legend>Musterkarte auflegen</legend>${cards.join('')}</fieldset>
    <label>PIN <input name="pin" value="123456" inputmode="numeric" autocomplete="off"></label>
    <p><button name="how" value="send">Jetzt ausweisen</button><button name="how" value="cancel">Abbrechen</button></p>
    <details><summary>Fehler ausprobieren</summary><p><button name="how" value="break">Verbindung bricht ab</button>
    <button name="how" value="deny">Ausweisart nicht zugelassen</button>
    ${ANSWERS.map((code) => `<button name="how" value="answer:${code}">${escapeHtml(code)}</button>`).join('')}</p></details></form>`,
  );
};

export const refusalPage = (reason: string): string =>
  page(SIMULATES, 'Das Ausweisen konnte nicht beginnen', `<p role="alert">${escapeHtml(reason)}</p>`);
