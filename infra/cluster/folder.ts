import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Obstacle } from '../sandbox/obstacle.ts';
import { ISSUER_HOST } from './places.ts';
import type { Owner, Programs } from './programs.ts';

const CERTIFICATE_DAYS = 30;

const password = (): string => randomBytes(24).toString('base64url');

/** The first folder on the way up that other users cannot pass through, such as /root. */
const closedParent = (path: string): string | undefined => {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(folder) && (statSync(folder).mode & 0o001) === 0) return folder;
  }
  return undefined;
};

/** The cluster's folder: data, logs, secrets and certificate; made anew at each start. */
export class ClusterFolder {
  readonly path: string;
  readonly passwords = {
    superuser: password(),
    replication: password(),
    rewind: password(),
    service: password(),
    redis: password(),
  };
  readonly #owner: Owner | undefined;

  constructor(path: string, owner: Owner | undefined) {
    this.path = path;
    this.#owner = owner;
    const closed = owner && closedParent(dirname(path));
    if (closed !== undefined) {
      throw new Obstacle(
        `Postgres runs as another user and cannot pass ${closed}: choose --folder below an open folder.`,
      );
    }
    rmSync(path, { recursive: true, force: true });
    // Others pass through, as Postgres runs as another user; what is inside is closed one by one.
    mkdirSync(path, { recursive: true, mode: 0o711 });
    chmodSync(path, 0o711);
    this.folder('log');
  }

  /** A folder for the user that the services run as. */
  folder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#give(path);
    return path;
  }

  file(name: string, text: string): string {
    const path = join(this.path, name);
    writeFileSync(path, text, { mode: 0o600 });
    this.#give(path);
    return path;
  }

  /** A copy of a file of this folder's sources that the services may read although the checkout is closed to them. */
  copyOf(source: URL, name: string): string {
    const path = join(this.path, name);
    copyFileSync(fileURLToPath(source), path);
    this.#give(path);
    return path;
  }

  log(name: string): string {
    return join(this.path, 'log', `${name}.log`);
  }

  /** A certificate for the issuer that only this machine believes. */
  certificate(programs: Programs): { bundle: string; certificate: string; text: string } {
    const key = join(this.path, 'front.key');
    const certificate = join(this.path, 'front.crt');
    const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    args.push('-subj', `/CN=${ISSUER_HOST}`, '-addext', `subjectAltName=DNS:${ISSUER_HOST}`);
    args.push('-keyout', key, '-out', certificate, '-days', String(CERTIFICATE_DAYS));
    execFileSync(programs.openssl, args, { stdio: 'ignore' });
    this.#give(certificate);
    const text = readFileSync(certificate, 'utf8');
    return { bundle: this.file('front.pem', text + readFileSync(key, 'utf8')), certificate, text };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #give(path: string): void {
    if (this.#owner !== undefined) chownSync(path, this.#owner.uid, this.#owner.gid);
  }
}
