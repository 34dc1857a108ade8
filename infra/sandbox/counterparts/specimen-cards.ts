/** Cards of people who do not exist, as the simulated reader holds them. */
export type SpecimenCard = {
  readonly id: string;
  /** Shown beside the card. */
  readonly note: string;
  readonly givenNames: string;
  readonly familyNames: string;
  /** yyyymmdd; spaces for unknown parts. */
  readonly birthdate: string;
  readonly documentType: 'ID' | 'TA' | 'TP' | 'UB';
  readonly place:
    | { readonly street?: string; readonly city: string; readonly zip?: string; readonly country: string }
    | string
    | undefined;
  readonly communityId: string;
  /** What the chip derives its pseudonyms from; differs from card to card. */
  readonly seed: string;
  readonly state?: 'revoked' | 'expired';
  /** Level that the server finds in the check of the card. */
  readonly level?: 'hoch' | 'substantiell' | 'normal';
};

const GUETERSLOH = '02760507540008';

export const SPECIMEN_CARDS: readonly SpecimenCard[] = [
  {
    id: 'erika',
    note: 'Erika Mustermann, wohnt in Gütersloh',
    givenNames: 'ERIKA',
    familyNames: 'MUSTERMANN',
    birthdate: '19640812',
    documentType: 'ID',
    place: { street: 'BERLINER STRASSE 70', city: 'GÜTERSLOH', zip: '33330', country: 'D' },
    communityId: GUETERSLOH,
    seed: 'erika-1',
  },
  {
    id: 'erika-neu',
    note: 'Erika Mustermann, ihre neue Karte',
    givenNames: 'ERIKA',
    familyNames: 'MUSTERMANN',
    birthdate: '19640812',
    documentType: 'ID',
    place: { street: 'BERLINER STRASSE 70', city: 'GÜTERSLOH', zip: '33330', country: 'D' },
    communityId: GUETERSLOH,
    seed: 'erika-2',
  },
  {
    id: 'hans',
    note: 'Hans-Peter von der Heide, wohnt in Köln',
    givenNames: 'HANS-PETER',
    familyNames: 'VON DER HEIDE',
    birthdate: '19801130',
    documentType: 'ID',
    place: { street: 'HEIDESTRASSE 17', city: 'KÖLN', zip: '51147', country: 'D' },
    communityId: '02760503150000',
    seed: 'hans',
  },
  {
    id: 'lena',
    note: 'Lena Jung, 16 Jahre',
    givenNames: 'LENA',
    familyNames: 'JUNG',
    birthdate: `${new Date().getUTCFullYear() - 17}1231`,
    documentType: 'ID',
    place: { street: 'CARL-BERTELSMANN-STR. 3', city: 'GÜTERSLOH', zip: '33332', country: 'D' },
    communityId: GUETERSLOH,
    seed: 'lena',
  },
  {
    id: 'titel',
    note: 'Aufenthaltstitel, nur Geburtsjahr bekannt, Ort als Freitext',
    givenNames: 'AMINA',
    familyNames: "N'DIAYE",
    birthdate: '1990    ',
    documentType: 'TA',
    place: 'GEMEINSCHAFTSUNTERKUNFT, 33330 GÜTERSLOH',
    communityId: GUETERSLOH,
    seed: 'titel',
  },
  {
    id: 'ohne',
    note: 'Unionsbürgerin ohne Anschrift in Deutschland',
    givenNames: 'MARIE',
    familyNames: 'DUPONT',
    birthdate: '19750301',
    documentType: 'UB',
    place: undefined,
    communityId: '',
    seed: 'ohne',
  },
  {
    id: 'stufe',
    note: 'Karte, für die nur Stufe „substantiell“ bestätigt wird',
    givenNames: 'OLE',
    familyNames: 'STUFE',
    birthdate: '19850505',
    documentType: 'ID',
    place: { street: 'MOLTKESTRASSE 1', city: 'GÜTERSLOH', zip: '33330', country: 'D' },
    communityId: GUETERSLOH,
    seed: 'stufe',
    level: 'substantiell',
  },
  {
    id: 'gesperrt',
    note: 'gesperrte Karte',
    givenNames: 'GERD',
    familyNames: 'GESPERRT',
    birthdate: '19700101',
    documentType: 'ID',
    place: { street: 'KÖKERSTRASSE 7', city: 'GÜTERSLOH', zip: '33330', country: 'D' },
    communityId: GUETERSLOH,
    seed: 'gesperrt',
    state: 'revoked',
  },
  {
    id: 'abgelaufen',
    note: 'abgelaufene Karte',
    givenNames: 'ALMA',
    familyNames: 'ABGELAUFEN',
    birthdate: '19550606',
    documentType: 'ID',
    place: { street: 'FELDSTRASSE 2', city: 'GÜTERSLOH', zip: '33330', country: 'D' },
    communityId: GUETERSLOH,
    seed: 'abgelaufen',
    state: 'expired',
  },
];
