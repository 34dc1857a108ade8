import test from 'ava';
import { Secret } from '../accounts/secret.ts';
import { letterPdf } from '../interactions/letters.ts';
import { ABROAD } from '../interactions/texts/letters-abroad.ts';
import { readPages, readPaper } from './harness/paper.ts';
import { TEST_TOWN } from './harness/town.ts';

const CODE = '7K3F2-9QXA4-00000-11111';
const letterIn = (language: string) =>
  letterPdf({
    town: TEST_TOWN,
    issuer: new URL('https://login.stadt.example'),
    purpose: 'recovery',
    language,
    code: new Secret(CODE),
    validFrom: new Date('2026-11-21T10:00:00Z'),
    expiresAt: new Date('2026-11-22T10:00:00Z'),
    date: new Date('2026-11-21T10:00:00Z'),
    kennung: 'GT-4F7K-29QX-C',
    number: 'R-7K3F-29QX',
  });

test('a letter is German alone for who reads German, or a language that no letter knows', async (t) => {
  for (const language of ['de', 'xx']) t.is((await readPages(await letterIn(language))).length, 1, language);
});

for (const language of ['en', ...Object.keys(ABROAD)]) {
  test(`the letter in German and ${language}: both whole, with one code, every letter in the typeface`, async (t) => {
    const pdf = await letterIn(language);
    const [german, foreign, ...more] = await readPages(pdf);
    t.is(more.length, 0);
    t.regex(german?.text ?? '', /Neuer Zugang zu Ihrem Konto/);
    t.is(german?.qr, `https://login.stadt.example/brief#${CODE}`);
    t.true(foreign?.text.includes(CODE), 'the code is to be typed off either page');
    const words = ABROAD[language];
    if (words !== undefined) {
      // A line break stands where a blank was.
      const text = foreign?.text.replaceAll(/\s+/g, ' ') ?? '';
      for (const part of [words.subject.recovery, words.greeting, words.closing]) t.true(text.includes(part), part);
      // What the typeface lacks would be read back as something else.
      t.true(text.includes(words.secret.slice(0, 25)), text);
    }
    t.is((await readPaper(pdf)).language, 'de');
  });
}
