import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { assess } from '../accounts/password-rules.ts';
import { openBreachedList } from '../adapters/breached.ts';

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex').toUpperCase();

test('every hash of the list is found, and no other one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'breached-'));
  const path = join(folder, 'list.txt');
  for (const count of [1, 2, 3, 500]) {
    const known = Array.from({ length: count }, (_, index) => sha1(`bekannt ${index}`)).sort();
    writeFileSync(path, `${known.map((hash, index) => `${hash}:${index * 7919}`).join('\r\n')}\n`);
    const list = openBreachedList(path);
    for (const hash of known) t.true(await list.has(hash), hash);
    for (let index = 0; index < 200; index += 1) t.false(await list.has(sha1(`fremd ${index}`)));
    t.false(await list.has('0'.repeat(40)));
    t.false(await list.has('F'.repeat(40)));
    list.close();
  }
  writeFileSync(path, 'passwort\n');
  t.throws(() => openBreachedList(path));
  rmSync(folder, { recursive: true });
});

test('a breached password is refused however long and strange it is; guetersloh2024 is refused for its town', async (t) => {
  const leaked = 'Xy7 Laternenpfahl quietscht!';
  const breached = async (hash: string) => hash === sha1(leaked);
  t.is(await assess(leaked, [], { breached }), 'breached');
  t.is(await assess(`${leaked}!`, [], { breached }), 'ok');
  const hints = ['Gütersloh', 'guetersloh', 'stadtwerke', 'arminia'];
  for (const word of ['guetersloh2024', 'Gütersloh2024!', 'gutersloh-2024', 'Stadtwerke#12', 'arminia1905']) {
    t.is(await assess(word, hints, { minimum: 8 }), 'local', word);
  }
  t.is(await assess('Sommer2024!', [], { minimum: 8 }), 'too-common');
  t.is(await assess('qwertzuiop', [], { minimum: 8 }), 'too-common');
});
