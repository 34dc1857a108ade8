import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import * as terms from '../accounts/terms.ts';
import { EXIT } from '../admin-cli/command.ts';
import { completionScript } from '../admin-cli/commands/completion.ts';
import { COMMANDS } from '../admin-cli/commands.ts';
import { plain } from '../admin-cli/plain.ts';
import { de } from '../admin-cli/texts/de.ts';
import { en } from '../admin-cli/texts/en.ts';
import { PERMISSIONS } from '../provider/admin-api/permissions.ts';
import { runCommand } from './harness/terminal.ts';

test('every verb of the API has its command, and help in both languages with examples that are commands', (t) => {
  const names = COMMANDS.map(({ name }) => name);
  for (const verb of Object.keys(PERMISSIONS)) t.true(names.includes(verb), verb);
  for (const command of COMMANDS) {
    t.truthy(command.text.de, command.name);
    t.truthy(command.text.en, command.name);
    t.true(command.examples.length > 0, command.name);
    for (const example of command.examples) t.true(`${example} `.startsWith(`${command.name} `), example);
    for (const [name, option] of Object.entries(command.options)) t.truthy(option.text.de && option.text.en, name);
  }
});

test('help, a wrong command and a wrong option end with the documented codes, in the wanted language', async (t) => {
  const help = await runCommand(['--help']);
  t.is(help.code, EXIT.done);
  t.regex(help.stdout, /Rückgabewerte: 0 erledigt/);
  t.false(help.stdout.includes('\u001b'), 'no colour where there is no terminal');
  const english = await runCommand(['recovery', 'open', '--help', '--lang', 'en']);
  t.is(english.code, EXIT.done);
  t.regex(english.stdout, /Examples\n {2}schluessel recovery open GT-/);
  t.is((await runCommand(['recovery', 'invent'])).code, EXIT.usage);
  t.is((await runCommand(['recovery', 'list', '--nonsense'])).code, EXIT.usage);
  t.is((await runCommand(['recovery', 'open', 'GT-1', '--evidence', 'copy'])).code, EXIT.usage);
  const missing = await runCommand(['recovery', 'open', 'GT-1', '--evidence', 'passport']);
  t.is(missing.code, EXIT.usage, 'nobody is there to be asked');
  t.regex(missing.stderr, /--reason fehlt/);
  t.is(
    (await runCommand(['recovery', 'list'], { SCHLUESSEL_DIR: mkdtempSync(path.join(tmpdir(), 'nobody-')) })).code,
    EXIT.signIn,
  );
});

test('what staff choose from has a word in both languages', (t) => {
  for (const value of [...terms.EVIDENCE, ...terms.REASONS, ...terms.LOCK_REASONS, ...terms.DELIVERIES]) {
    t.truthy(de.terms[value], value);
    t.truthy(en.terms[value], value);
  }
  t.deepEqual(Object.keys(en.reasons).sort(), Object.keys(de.reasons).sort());
  t.deepEqual(Object.keys(en.todo).sort(), Object.keys(de.todo).sort());
  t.deepEqual(Object.keys(en.status).sort(), Object.keys(de.status).sort());
});

test('what others have written cannot command a terminal', (t) => {
  const evil = { name: 'A\u001b]0;owned\u0007\u001b[2J\u009b31m\r\u202Egnp.exe', list: ['\u0000x', 'gut\nzwei'] };
  const shown = JSON.stringify(plain(evil));
  t.notRegex(shown, /\\u00(?:0[0-9bcdef]|1|7f|9)|\u009b|\u202e/i);
  t.deepEqual(plain(['Jürgen Müller', 3, null]), ['Jürgen Müller', 3, null]);
});

test('bash accepts the completion, and completes commands, options and values', (t) => {
  const bash = ['/usr/bin/bash', '/bin/bash'].find((one) => existsSync(one));
  if (bash === undefined) return t.log('no bash here');
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'completion-')), 'schluessel');
  writeFileSync(file, completionScript(COMMANDS));
  const complete = (...words: string[]): string[] =>
    execFileSync(
      bash,
      [
        '-c',
        `source ${file}; COMP_WORDS=(schluessel ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _schluessel; printf '%s\\n' "\${COMPREPLY[@]}"`,
      ],
      { encoding: 'utf8' },
    )
      .split('\n')
      .filter(Boolean);
  t.true(complete('rec').includes('recovery'));
  t.deepEqual(complete('recovery', 'ap'), ['approve']);
  t.true(complete('recovery', 'open', '--ev').includes('--evidence'));
  t.deepEqual(complete('recovery', 'open', '--evidence', 'pass'), ['passport']);
  return t.true(complete('client', 'add', '--preset', 'next').includes('nextcloud'));
});
