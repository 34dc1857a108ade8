import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { formatTownFault, loadTown, readServices } from '../adapters/town.ts';
import { newServiceFile, presetNames } from '../admin-cli/new-service.ts';
import { runCommand } from './harness/terminal.ts';

const GUETERSLOH = fileURLToPath(new URL('../infra/towns/guetersloh/', import.meta.url));

/** A town of its own, in which files may be written. */
const someTown = (): string => {
  const folder = mkdtempSync(path.join(tmpdir(), 'client-add-'));
  cpSync(GUETERSLOH, folder, { recursive: true });
  return path.join(folder, 'town.yaml');
};

const serviceOf = (preset: string, url: string) => ({
  clientId: 'neu',
  preset,
  url: new URL(url),
  organisation: 'stadtwerke',
  name: 'Neuer Dienst',
  contact: 'technik@stadtwerke.example',
});

const guetersloh = () => {
  const loaded = loadTown(path.join(GUETERSLOH, 'town.yaml'));
  if ('faults' in loaded) throw new Error(loaded.faults.map(formatTownFault).join('\n'));
  return loaded.town;
};

test('every preset becomes a file without a fault and without a placeholder, at a host, below a path, on this machine', (t) => {
  const town = guetersloh();
  for (const preset of presetNames()) {
    for (const url of ['https://neu.guetersloh.de', 'https://www.guetersloh.de/neu/', 'http://localhost:8080']) {
      const text = newServiceFile(serviceOf(preset, url), town, '/elsewhere');
      const read = readServices(town, [{ name: 'neu.yaml', text }], { localhost: true });
      if ('faults' in read) return t.fail(`${preset} ${url}: ${read.faults.map(formatTownFault).join('\n')}`);
      t.notRegex(text, /stadt\.example|de\.example/, preset);
      const [registration] = read.registrations;
      t.is(registration?.organisation, 'stadtwerke');
      t.is(registration?.name.de, 'Neuer Dienst');
      t.deepEqual(registration?.contacts, ['technik@stadtwerke.example']);
      for (const uri of registration?.redirectUris ?? [])
        t.true(uri.startsWith(url.replace(/\/$/, '')) || /^de\.guetersloh\.(neu|www):/.test(uri), uri);
    }
  }
  return undefined;
});

test('comments of the preset stay, its instructions for copying go, the schema is found', (t) => {
  const text = newServiceFile(
    serviceOf('moodle', 'https://lernen.guetersloh.de'),
    guetersloh(),
    path.join(GUETERSLOH, 'services'),
  );
  t.true(text.startsWith('# yaml-language-server: $schema=../../service.schema.json\n# From the preset moodle;'));
  t.notRegex(text, /Copy to the services/);
  t.regex(text, /pkce_exemption:\n {2}reason: "Moodle core sends no code_challenge; revisit with each release"/);
});

test('languages that the town does not speak are left out, missing ones are told', (t) => {
  const town = { ...guetersloh(), languages: ['de', 'tr'] };
  const text = newServiceFile(serviceOf('nextcloud', 'https://cloud.guetersloh.de'), town, '/elsewhere');
  t.notRegex(text, /^ +en:/m);
  const read = readServices(town, [{ name: 'neu.yaml', text }]);
  t.true('faults' in read && read.faults.every(({ reason }) => /no text in tr/.test(reason)));
});

test('the command: a dry run writes nothing, a commit writes once, and says what comes next', async (t) => {
  const town = someTown();
  const add = [
    'client',
    'add',
    'cloud',
    '--preset',
    'nextcloud',
    '--url',
    'https://cloud.guetersloh.de',
    '--town',
    town,
  ];
  const file = path.join(path.dirname(town), 'services', 'cloud.yaml');
  const tried = await runCommand(add);
  t.is(tried.code, 0, tried.stderr);
  t.regex(tried.stdout, /client_id: cloud/);
  t.regex(tried.stderr, /Probelauf/);
  t.throws(() => readFileSync(file));
  const done = await runCommand([...add, '--commit']);
  t.is(done.code, 0, done.stderr);
  t.regex(done.stderr, /client apply .*town\.yaml --commit/);
  t.is(`${tried.stdout}`.trim(), readFileSync(file, 'utf8').trim());
  t.is((await runCommand([...add, '--commit'])).code, 1, 'there is one already');
  t.is((await runCommand(['client', 'check', town])).code, 0);
});

test('the command refuses what cannot be, each with what to do', async (t) => {
  const town = someTown();
  const refused = async (args: string[], said: RegExp, code = 2): Promise<void> => {
    const ran = await runCommand(['client', 'add', ...args, '--town', town]);
    t.is(ran.code, code, ran.stderr);
    t.regex(ran.stderr, said);
  };
  await refused(['a-b', '--url', 'https://x.example'], /Buchstaben und Ziffern/);
  await refused(['../../etc/x', '--url', 'https://x.example'], /Buchstaben und Ziffern/);
  await refused(['neu'], /--url fehlt/);
  await refused(['neu', '--url', 'javascript:alert(1)'], /--url/);
  await refused(['neu', '--url', 'https://x.example', '--organisation', 'fremd'], /--organisation.*stadtwerke/);
  await refused(['neu', '--url', 'https://x.example', '--preset', 'none'], /--preset/);
  await refused(['Bauakte', '--url', 'https://x.example'], /gibt es schon/, 1);
  writeFileSync(path.join(path.dirname(town), 'services', 'kaputt.yaml'), 'client_id: [');
  await refused(['neu', '--url', 'https://x.example'], /kaputt\.yaml:1/, 7);
});
