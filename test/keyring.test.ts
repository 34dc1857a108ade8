import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { newAccountId } from '../accounts/ids.ts';
import { parseKeyRing } from '../keys/key-ring.ts';
import { createKeys } from '../keys/keys.ts';

const MAIN = fileURLToPath(new URL('../infra/keyring/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'keyring-'));

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const keyring = (...args: string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });

const keysOf = (file: string) => {
  const ring = parseKeyRing(readFileSync(file, 'utf8'));
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  return createKeys(ring);
};

test('a key ring is made once, for its owner alone, and renewing one key changes no other', (t) => {
  const file = join(folder, 'ring.json');
  t.is(keyring('new', file).status, 0);
  t.is(statSync(file).mode & 0o777, 0o600);
  const text = readFileSync(file, 'utf8');
  t.is(keyring('new', file).status, 1);
  t.is(readFileSync(file, 'utf8'), text, 'an existing ring is not touched');

  const before = keysOf(file);
  const data = before.newDataKey('a');
  const sealed = before.sealShared('p', 'i', 'Klartext');
  const token = before.formToken('x');
  const old = JSON.parse(text);
  for (const part of ['keyEncryption', 'pepper', 'cookies']) {
    t.is(keyring('add', file, part).status, 0);
    const added = keysOf(file);
    t.is(added.newDataKey('a').version, data.version + (part === 'keyEncryption' ? 0 : 1), 'not used yet');
    t.is(keyring('use', file, part).status, 0);
  }
  const after = keysOf(file);
  t.is(after.newDataKey('a').version, 2);
  t.is(after.pepper().version, 2);
  t.not(after.formToken('x'), token);
  t.true(after.checkFormToken('x', token), 'forms that are open stay good');
  t.notThrows(() => after.openDataKey('a', data.wrapped, data.version));
  t.is(after.openShared('p', 'i', sealed), 'Klartext');
  const account = newAccountId();
  t.is(after.subject('s', account), before.subject('s', account));
  t.deepEqual(after.index('email', 'x'), before.index('email', 'x'));
  const now = JSON.parse(readFileSync(file, 'utf8'));
  t.is(now.pseudonym, old.pseudonym);
  t.is(now.index, old.index);
  t.is(now.pepper.versions['1'], old.pepper.versions['1']);
});

test('what cannot be renewed is refused with the reason, and nothing changes', (t) => {
  const file = join(folder, 'refused.json');
  keyring('new', file);
  const text = readFileSync(file, 'utf8');
  for (const args of [
    ['use', file, 'pseudonym'],
    ['add', file],
    ['add', join(folder, 'none.json'), 'pepper'],
    ['x', file],
    [],
  ]) {
    const { status, stderr } = keyring(...args);
    t.is(status, 1, args.join(' '));
    t.notRegex(stderr, /^\s+at /m);
  }
  t.is(readFileSync(file, 'utf8'), text);
});
