import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { addKey, newKeyRing, parseKeyRing, RENEWABLE, type Renewable, useNewestKey } from '../../keys/key-ring.ts';

const USAGE = `Makes and renews the key ring that KEYRING_FILE names.

  npm run keyring -- new FILE             makes a key ring (mode 0600); an existing file is never touched
  npm run keyring -- add FILE PART        adds a new key that is not used yet; give the file to every node and restart it
  npm run keyring -- use FILE PART        then puts the newest key to use; older keys stay for what they made

PART is one of ${RENEWABLE.join(', ')}. The pseudonym and index keys are for ever: with others,
every citizen would be a stranger to every service, and no account would be found.`;

function refuse(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

const isRenewable = (part: string | undefined): part is Renewable => RENEWABLE.some((one) => one === part);

/** Reads a ring, changes it and puts it in place of the old one, whole or not at all. */
function change(file: string, part: string | undefined, edit: (json: string, part: Renewable) => string): void {
  if (!isRenewable(part)) refuse(`${part ?? 'Nothing'} is no part that can be renewed: ${RENEWABLE.join(', ')}.`);
  const json = readFileSync(file, 'utf8');
  const ring = parseKeyRing(json);
  if ('faults' in ring) refuse(`${file} is no key ring: ${ring.faults.join('; ')}.`);
  const next = `${file}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, edit(json, part), { mode: 0o600, flush: true });
  renameSync(next, file);
}

const [verb, file, part, ...rest] = process.argv.slice(2);
if (file === undefined || rest.length > 0) refuse(USAGE);
try {
  if (verb === 'new' && part === undefined) {
    writeFileSync(file, newKeyRing(), { mode: 0o600, flag: 'wx', flush: true });
    process.stdout.write(`${file}: a new key ring. Keep a copy where the backups of the database are not.\n`);
  } else if (verb === 'add') {
    change(file, part, addKey);
    process.stdout.write(`${file}: a new ${part} key, not used yet. Give the file to every node and restart it.\n`);
  } else if (verb === 'use') {
    change(file, part, useNewestKey);
    process.stdout.write(`${file}: the newest ${part} key is in use. Give the file to every node and restart it.\n`);
  } else refuse(USAGE);
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  refuse(code === 'EEXIST' ? `${file} exists; it is not touched.` : `${file}: ${message}`);
}
