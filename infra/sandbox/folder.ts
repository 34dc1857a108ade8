import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';
import { newClientSecret } from '../../accounts/clients.ts';
import { Secret } from '../../accounts/secret.ts';
import { type KeyRing, newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { errorCode, Obstacle } from './obstacle.ts';
import { hasPostgresData, removePostgres } from './postgres.ts';

const CHECKPOINTS = 'checkpoints.jsonl';

/** Secrets of the sandbox beside the key ring; made at the first start. */
type Secrets = {
  databasePassword: string;
  clients: Record<string, string>;
  kennungen: Record<string, string>;
  backupCodes?: Record<string, string[]>;
};

/** The sandbox's folder: key ring, secrets, database. One sandbox at a time uses it. */
export class SandboxFolder {
  readonly path: string;
  readonly #secrets: Secrets;
  readonly #lock: Server | undefined;

  private constructor(path: string, secrets: Secrets, lock: Server | undefined) {
    this.path = path;
    this.#secrets = secrets;
    this.#lock = lock;
  }

  /** Opens the folder, or makes it; `fresh` throws away what an earlier sandbox has left. */
  static async open(path: string, fresh: boolean): Promise<SandboxFolder> {
    try {
      // Others may pass through, as root starts Postgres as another user; the files inside are closed one by one.
      // Not recursive: below /proc that would try for ever.
      if (!existsSync(path)) mkdirSync(path, { mode: 0o711 });
      chmodSync(path, 0o711);
    } catch (error) {
      throw new Obstacle(
        `The folder ${path} cannot be written (${errorCode(error)}): make it writable, or set SANDBOX_DIR to another one.`,
      );
    }
    const lock = await takeLock(path);
    if (fresh) {
      removePostgres(path);
      rmSync(join(path, 'keyring.json'), { force: true });
      rmSync(join(path, 'secrets.json'), { force: true });
      rmSync(join(path, CHECKPOINTS), { force: true });
    }
    return new SandboxFolder(path, readSecrets(path), lock);
  }

  get databasePassword(): string {
    return this.#secrets.databasePassword;
  }

  /** The key ring, made at the first start; its loss would make the database unreadable. */
  keyRing(): KeyRing {
    const file = join(this.path, 'keyring.json');
    if (!existsSync(file)) {
      if (hasPostgresData(this.path)) {
        throw new Obstacle(
          `The key ring ${file} is gone, so the sandbox's data cannot be opened: start anew with npm start -- --fresh.`,
        );
      }
      writePrivately(file, newKeyRing());
    }
    const ring = parseKeyRing(readFileSync(file, 'utf8'));
    if (!('faults' in ring)) return ring;
    throw new Obstacle(
      `The key ring ${file} is damaged (${ring.faults.join('; ')}): start anew with npm start -- --fresh.`,
    );
  }

  /** The secret of a demo service, the same at every start. */
  clientSecret(clientId: string): Secret {
    const known = this.#secrets.clients[clientId];
    if (known !== undefined) return new Secret(known);
    const secret = newClientSecret();
    this.#secrets.clients[clientId] = secret.reveal();
    this.#save();
    return secret;
  }

  /** The Bürgerkennung of a test citizen, as the database holds it only sealed. */
  kennung(citizen: string): string | undefined {
    return this.#secrets.kennungen[citizen];
  }

  keepKennung(citizen: string, kennung: string): void {
    this.#secrets.kennungen[citizen] = kennung;
    this.#save();
  }

  /** Backup codes of a test citizen, for the table. */
  backupCodes(citizen: string): readonly string[] {
    return this.#secrets.backupCodes?.[citizen] ?? [];
  }

  keepBackupCodes(citizen: string, codes: readonly string[]): void {
    this.#secrets.backupCodes = { ...this.#secrets.backupCodes, [citizen]: [...codes] };
    this.#save();
  }

  /** Where the checkpoints of the audit are kept. */
  get checkpoints(): string {
    return join(this.path, CHECKPOINTS);
  }

  /** What `schluessel staff bootstrap` needs on this machine, as a file for `node --env-file`. */
  keepServerSettings(issuer: URL, databaseUrl: string): string {
    const file = join(this.path, 'server.env');
    const settings = {
      ISSUER: issuer.origin,
      DATABASE_URL: databaseUrl,
      KEYRING_FILE: join(this.path, 'keyring.json'),
    };
    writePrivately(
      file,
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    return file;
  }

  close(): void {
    this.#lock?.close();
  }

  #save(): void {
    writePrivately(join(this.path, 'secrets.json'), `${JSON.stringify(this.#secrets, null, 2)}\n`);
  }
}

const readSecrets = (folder: string): Secrets => {
  const file = join(folder, 'secrets.json');
  if (existsSync(file)) {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Secrets;
    } catch {
      throw new Obstacle(`The file ${file} is damaged: start anew with npm start -- --fresh.`);
    }
  }
  const secrets: Secrets = { databasePassword: randomBytes(24).toString('base64url'), clients: {}, kennungen: {} };
  writePrivately(file, `${JSON.stringify(secrets, null, 2)}\n`);
  return secrets;
};

/** Writes a file that only this user can read, whole or not at all. */
const writePrivately = (file: string, text: string): void => {
  const next = `${file}.new`;
  rmSync(next, { force: true });
  writeFileSync(next, text, { mode: 0o600, flush: true });
  renameSync(next, file);
};

/**
 * A socket that answers while a sandbox runs. Unlike a file with a process id, it cannot outlive its process, and a
 * container's next process with the same id is not taken for it.
 */
const takeLock = async (folder: string): Promise<Server | undefined> => {
  const absolute = join(folder, 'running');
  const short = relative(process.cwd(), absolute);
  const path = short.length < absolute.length ? short : absolute;
  // Socket paths hold about 100 bytes; beyond that Postgres's own lock has to do.
  if (Buffer.byteLength(path) > 100 || process.platform === 'win32') return undefined;
  const neighbour = connect(path);
  const answers = await once(neighbour, 'connect').then(
    () => true,
    () => false,
  );
  neighbour.destroy();
  if (answers) {
    throw new Obstacle(
      `A sandbox is already running with the data in ${folder}: stop it with Ctrl-C, or set SANDBOX_DIR and PORT for a second one.`,
    );
  }
  rmSync(path, { force: true });
  const server = createServer((socket) => socket.destroy()).listen(path);
  await once(server, 'listening');
  server.unref();
  return server;
};
