/** What the handbook tells an administrator to type exists, so that nobody finds out at three in the morning. */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import test from 'ava';
import { COMMON } from '../admin-cli/command.ts';
import { COMMANDS } from '../admin-cli/commands.ts';

const ROOT = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const pages = readdirSync(new URL('docs/handbuch/', ROOT)).map((name) => `docs/handbuch/${name}`);
const typed = pages.flatMap((page) =>
  [...read(page).matchAll(/`((?:schluessel|npm run) [^`]+)`/g)].map(([, line = '']) => ({ page, line })),
);

test('every command of the command line that is named is there, with its options', (t) => {
  const named = typed.filter(({ line }) => line.startsWith('schluessel '));
  t.true(named.length >= 6);
  for (const { page, line } of named) {
    const words = line
      .replaceAll(/"[^"]*"/g, 'WORT')
      .split(/\s+/)
      .slice(1);
    const command = COMMANDS.find(({ name }) => words.join(' ').startsWith(name));
    if (command === undefined) {
      t.fail(`${page}: ${line}`);
      continue;
    }
    const known = { ...COMMON, ...command.options, ...(command.changes && { commit: { type: 'boolean' } as const }) };
    const options = Object.fromEntries(Object.entries(known).map(([name, { type }]) => [name, { type }]));
    const args = words.slice(command.name.split(' ').length);
    t.notThrows(
      () => parseArgs({ args, options, allowPositionals: command.positional !== undefined }),
      `${page}: ${line}`,
    );
  }
});

test('every script that is named is there', (t) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const { page, line } of typed.filter(({ line }) => line.startsWith('npm run')))
    t.true((line.split(' ')[2] ?? '') in scripts, `${page}: ${line}`);
});

test('every table that a statement names is there', (t) => {
  const migrations = readdirSync(new URL('infra/migrations/', ROOT))
    .map((name) => read(`infra/migrations/${name}`))
    .join('\n');
  const tables = new Set([...migrations.matchAll(/CREATE (?:UNLOGGED )?TABLE (\w+)/g)].map(([, name]) => name));
  const named = pages.flatMap((page) =>
    [
      ...read(page).matchAll(
        /`(?:TRUNCATE|SELECT [^`]* FROM|DELETE FROM|UPDATE) ([\w, ]+?)(?: GROUP[^`]*| WHERE[^`]*)?`/g,
      ),
    ].flatMap(([, names = '']) => names.split(', ').map((name) => ({ page, name }))),
  );
  t.true(named.length > 3);
  for (const { page, name } of named) t.true(tables.has(name) || name.startsWith('pg_'), `${page}: ${name}`);
});
