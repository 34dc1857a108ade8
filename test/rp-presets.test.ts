import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { formatTownFault, loadTown } from '../adapters/town.ts';
import { clientMetadata } from '../provider/client-metadata.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PRESETS = path.join(ROOT, 'infra/towns/presets');
const RECIPES = path.join(ROOT, 'docs/rezepte');
const names = readdirSync(PRESETS).map((file) => file.replace(/\.yaml$/, ''));

/** The presets as the services of a town. */
const load = () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'presets-'));
  mkdirSync(path.join(folder, 'services'));
  copyFileSync(path.join(ROOT, 'infra/towns/guetersloh/town.yaml'), path.join(folder, 'town.yaml'));
  for (const name of names)
    copyFileSync(path.join(PRESETS, `${name}.yaml`), path.join(folder, 'services', `${name}.yaml`));
  return loadTown(path.join(folder, 'town.yaml'));
};

test('every preset is a service file without a fault', (t) => {
  const loaded = load();
  if ('faults' in loaded) return t.fail(loaded.faults.map(formatTownFault).join('\n'));
  t.is(loaded.registrations.length, names.length);
  return t.true(names.length >= 16);
});

test('every preset becomes client metadata with exact redirect URIs and one authentication method', (t) => {
  const loaded = load();
  if ('faults' in loaded) return t.fail();
  for (const registration of loaded.registrations) {
    const metadata = clientMetadata(registration, [], new URL('https://login.stadt.example'));
    t.is(metadata['token_endpoint_auth_method'], registration.authMethod);
    t.deepEqual(metadata['redirect_uris'], registration.redirectUris);
    t.is(metadata['subject_type'], 'pairwise');
  }
  return undefined;
});

test('every preset has its recipe, and every recipe its preset', (t) => {
  for (const name of names) {
    const file = path.join(RECIPES, `${name}.md`);
    t.true(existsSync(file), name);
    const recipe = readFileSync(file, 'utf8');
    for (const part of ['## Settings of the product', '## What to know', '## Tested how'])
      t.true(recipe.includes(part));
  }
  for (const file of readdirSync(RECIPES))
    if (file !== 'README.md') t.true(names.includes(file.replace(/\.md$/, '')), file);
});
