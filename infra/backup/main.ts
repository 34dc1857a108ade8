/** `npm run backup`, `restore`, `drill` and `backup:keys`. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { armor, Decrypter, Encrypter } from 'age-encryption';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { exportTombstones, type Manifest, takeBackup, writeWhole } from './backup.ts';
import { practise } from './drill.ts';
import { identityFrom, type Restored, restore } from './restore.ts';
import { Hindrance, needed } from './settings.ts';
import { joinShares, NEEDED, newIdentity, PEOPLE, splitIdentity } from './shares.ts';

const USAGE = `npm run backup                      a sealed backup into BACKUP_FOLDER
npm run backup -- tombstones        only the list of accounts that are gone, for every few minutes
npm run restore -- FILE.json        into the empty database DATABASE_URL
npm run drill                       the newest backup into a throw-away Postgres; prints RPO and RTO
npm run backup:keys -- new          a new pair, its secret half in three parts, of which two restore it
npm run backup:keys -- join FILE    asks for two parts and writes the secret half to FILE
npm run backup:keys -- open FILE    opens that copy again, into KEYRING_FILE
npm run backup:keys -- seal FILE    a sealed copy of the key ring KEYRING_FILE, to be kept apart from the backups
Settings: DATABASE_URL, BACKUP_FOLDER, BACKUP_RECIPIENT; to restore: BACKUP_IDENTITY_FILE, KEYRING_FILE, TOMBSTONES_FILE,
AUDIT_CHECKPOINTS (the file, to verify the audit against).
See docs/handbuch/3-sichern.md.
`;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (value: number): string => `${value.toFixed(1)} s`;

/** Measures for the node exporter's textfile collector. */
const report = (measures: Readonly<Record<string, number>>): void => {
  const path = process.env['BACKUP_METRICS_FILE'];
  if (path === undefined) return;
  writeWhole(
    path,
    Object.entries(measures)
      .map(([name, value]) => `schluessel_${name} ${value}\n`)
      .join(''),
    0o644,
  );
};

const backup = async (): Promise<void> => {
  const began = performance.now();
  const manifest = await takeBackup(process.env);
  const took = (performance.now() - began) / 1000;
  say(`${manifest.file}: ${manifest.bytes} bytes in ${seconds(took)}, the state of ${manifest.takenAt}`);
  report({
    backup_timestamp_seconds: Date.parse(manifest.takenAt) / 1000,
    backup_bytes: manifest.bytes,
    backup_seconds: took,
  });
};

const restoreFile = async (path: string): Promise<void> => {
  if (!existsSync(path)) throw new Hindrance(`There is no file ${path}: name the .json beside the backup.`);
  const began = performance.now();
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest;
  const done = await restore(process.env, { ...manifest, folder: dirname(path) });
  say(
    `restored: ${done.rows} rows as of ${done.takenAt}, every table as it was; ${done.opened} accounts opened to try the keys`,
  );
  say(`revoked: ${done.revoked} sessions, grants, tokens and codes; deleted again: ${done.forgotten} accounts`);
  say(
    `RPO ${seconds((Date.now() - Date.parse(done.takenAt)) / 1000)}   RTO ${seconds((performance.now() - began) / 1000)}`,
  );
  sayAudit(done);
  say('Next: point DATABASE_URL of the nodes here, start one, look at /readyz.');
  say('Put the file of audit checkpoints aside: the newer ones vouch for rows that are lost with the old database.');
};

/** The audit as it was backed up is put in service as it is; whether somebody had altered it, two people have to know. */
const sayAudit = ({ audit }: Restored): void => {
  say(`audit: ${audit.links} links, ${audit.checkpoints} checkpoints, ${audit.faults} faults`);
  if (audit.faults === 0) return;
  say('The audit had been altered before this backup: see docs/handbuch/5-vorfaelle.md, "Das Protokoll stimmt nicht".');
  process.exitCode = 1;
};

const drill = async (): Promise<void> => {
  try {
    const done = await practise(process.env);
    say(
      `restored ${done.rows} rows, ${done.opened} accounts opened, ${done.revoked} sessions and tokens revoked, ${done.forgotten} accounts deleted again`,
    );
    say(`RPO ${seconds(done.rpoSeconds)}   RTO ${seconds(done.rtoSeconds)}`);
    sayAudit(done);
    report({
      drill_timestamp_seconds: Date.now() / 1000,
      drill_good: done.audit.faults === 0 ? 1 : 0,
      drill_rpo_seconds: done.rpoSeconds,
      drill_rto_seconds: done.rtoSeconds,
    });
  } catch (error) {
    report({ drill_timestamp_seconds: Date.now() / 1000, drill_good: 0 });
    throw error;
  }
};

const newKeys = async (): Promise<void> => {
  const { identity, recipient } = await newIdentity();
  say('Public half, for BACKUP_RECIPIENT on every machine that takes backups:\n');
  say(`${recipient}\n`);
  say(
    `Secret half in ${PEOPLE} parts, one for each of ${PEOPLE} people, on paper or a stick in a safe of their own; any ${NEEDED} restore it:\n`,
  );
  for (const share of await splitIdentity(identity)) say(`${share}\n`);
  say('It is kept nowhere else. Try it now: npm run backup:keys -- join FILE, with two parts.');
};

const joinKeys = async (path: string): Promise<void> => {
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  const parts: string[] = [];
  for await (const line of questions) {
    if (line.trim() !== '') parts.push(line);
    if (parts.length === NEEDED) break;
    process.stderr.write(`part ${parts.length + 1}: `);
  }
  questions.close();
  writeWhole(path, `${await joinShares(parts)}\n`);
  say(`written to ${path} (0600); remove it after the restore: shred -u ${path}`);
};

const sealKeyRing = async (path: string): Promise<void> => {
  const source = needed(process.env, 'KEYRING_FILE', 'the path of the key ring');
  if ((statSync(source).mode & 0o077) !== 0)
    throw new Hindrance(`KEYRING_FILE: ${source} is open to other users: chmod 600 ${source}`);
  const text = readFileSync(source, 'utf8');
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Hindrance(`KEYRING_FILE: ${ring.faults.join('; ')}.`);
  const encrypter = new Encrypter();
  encrypter.addRecipient(needed(process.env, 'BACKUP_RECIPIENT', 'the public key'));
  writeWhole(path, armor.encode(await encrypter.encrypt(text)));
  say(`sealed to ${path}; keep it apart from the backups: together with them and two parts it opens everything`);
};

const openKeyRing = async (path: string): Promise<void> => {
  const target = needed(process.env, 'KEYRING_FILE', 'the path that the key ring is written to');
  if (existsSync(target)) throw new Hindrance(`KEYRING_FILE: ${target} is there already; nothing was changed.`);
  if (!existsSync(path)) throw new Hindrance(`There is no file ${path}.`);
  const decrypter = new Decrypter();
  decrypter.addIdentity(identityFrom(process.env));
  const text = await decrypter.decrypt(armor.decode(readFileSync(path, 'utf8')), 'text').catch(() => {
    throw new Hindrance('The identity does not open this copy: it belongs to another recipient.');
  });
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Hindrance(`${path}: ${ring.faults.join('; ')}.`);
  writeWhole(target, text);
  say(`opened to ${target} (0600)`);
};

const COMMANDS: Readonly<Record<string, (file: string) => Promise<void>>> = {
  backup,
  'backup tombstones': async () => say(`${await exportTombstones(process.env)} tombstones`),
  restore: restoreFile,
  drill,
  'keys new': newKeys,
  'keys join': joinKeys,
  'keys seal': sealKeyRing,
  'keys open': openKeyRing,
};
const WITH_FILE = ['restore', 'keys join', 'keys seal', 'keys open'];

/** "backup tombstones" and "keys new" are commands of two words; the last word of some is a file. */
const run = async (): Promise<void> => {
  const words = process.argv.slice(2);
  const [first = '', second = ''] = words;
  const name = [`${first} ${second}`, first].find((candidate) => candidate in COMMANDS) ?? '';
  const rest = words.slice(name.split(' ').length);
  const command = COMMANDS[name];
  if (command === undefined || rest.length !== (WITH_FILE.includes(name) ? 1 : 0)) {
    process.stdout.write(USAGE);
    process.exitCode = words.includes('--help') ? 0 : 2;
    return;
  }
  await command(rest[0] ?? '');
};

try {
  await run();
} catch (error) {
  const expected = error instanceof Error && error.name === 'Hindrance';
  console.error(expected ? error.message : error);
  process.exitCode = 1;
}
