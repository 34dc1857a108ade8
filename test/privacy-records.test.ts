import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { RETENTION } from '../accounts/retention.ts';
import { loadTown } from '../adapters/town.ts';
import { records, recordsFolder } from '../infra/records/records.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

for (const [name, text] of Object.entries(records())) {
  test(`docs/datenschutz/${name} says what the registrations say (npm run docs:records)`, (t) => {
    t.is(readFileSync(`${recordsFolder}/${name}`, 'utf8'), text);
  });
}

test('the record names every service with every claim and purpose, and every rule of retention', (t) => {
  const loaded = loadTown(`${root}infra/towns/guetersloh/town.yaml`);
  if ('faults' in loaded) return t.fail(JSON.stringify(loaded.faults));
  const { 'verzeichnis.md': record = '', 'datenschutzhinweise.md': notice = '' } = records();
  for (const { name, claims, staff } of loaded.registrations) {
    t.true(record.includes(`### ${name.de}`), name.de);
    t.is(notice.includes(name.de), staff !== true, name.de);
    for (const { purpose, legalBasis } of claims) t.true(record.includes(purpose.de) && record.includes(legalBasis.de));
  }
  for (const { what, kept } of Object.values(RETENTION)) {
    t.true(record.includes(what.de) && notice.includes(kept.de), what.de);
  }
});

test('another town gets records of its own', (t) => {
  const { 'verzeichnis.md': record = '' } = records(`${root}test/towns/kleinstadt/town.yaml`);
  t.regex(record, /Freibad/);
  t.notRegex(record, /Gütersloh/);
});

test('what the assessment points to as proof exists', (t) => {
  const { 'folgenabschaetzung.md': text = '' } = records();
  const named = [...text.matchAll(/`((?:test|docs)\/[^`]+)`/g)].map(([, file = '']) => file);
  t.true(named.length > 5);
  t.deepEqual(
    named.filter((file) => !existsSync(root + file)),
    [],
  );
});
