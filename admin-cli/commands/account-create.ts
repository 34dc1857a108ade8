import { EVIDENCE } from '../../accounts/terms.ts';
import { when } from '../moments.ts';
import { DELIVERY, OUTPUT, remote, TICKET, word } from '../remote.ts';
export const accountCreate = remote({
  name: 'account create',
  text: {
    de: 'legt am Schalter ein Konto an, mit Brief zum Freischalten',
    en: 'makes an account at the counter, with a letter to activate it',
  },
  options: {
    'given-name': { type: 'string', required: true, text: { de: 'Vorname', en: 'given name' } },
    'family-name': { type: 'string', required: true, text: { de: 'Nachname', en: 'family name' } },
    birthdate: { type: 'string', value: 'JJJJ-MM-TT', text: { de: 'Geburtsdatum', en: 'date of birth' } },
    street: { type: 'string', text: { de: 'Straße und Hausnummer', en: 'street and number' } },
    'postal-code': { type: 'string', text: { de: 'Postleitzahl', en: 'postal code' } },
    locality: { type: 'string', text: { de: 'Ort', en: 'town' } },
    language: { type: 'string', text: { de: 'Sprache des Briefs, wie de', en: 'language of the letter, like de' } },
    evidence: {
      type: 'string',
      required: true,
      values: EVIDENCE,
      text: { de: 'was Sie gesehen haben', en: 'what you have seen' },
    },
    ...TICKET,
    ...DELIVERY,
    ...OUTPUT,
  },
  changes: true,
  examples: ['account create --given-name Erika --family-name Muster --evidence passport --ticket B-2043 --commit'],
  show(cli, result) {
    const w = cli.t.words;
    cli.facts([
      [w.kennung, word(result['kennung'])],
      [w.expiresAt, when(cli, result['expiresAt'])],
    ]);
    if (typeof result['letter'] === 'string') cli.say(cli.t.letterAt(result['letter']));
  },
});
