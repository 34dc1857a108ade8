/** HAProxy and nginx as they are installed here: real programs with our configuration. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const INFRA = fileURLToPath(new URL('../../infra/', import.meta.url));

export type Certificate = { readonly key: string; readonly cert: string };

/** A self-signed certificate for two days, as two files in the folder. */
export const certificateIn = (folder: string, name: string, subject: string): Certificate => {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const args = ['req', '-x509', ...curve, '-nodes', '-subj', `/CN=${subject}`, '-days', '2'];
  execFileSync('openssl', [...args, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  chmodSync(key, 0o644);
  return { key, cert };
};

/** Where a program is; where it is missing, the test says so and has nothing to do, unless all tools must be there. */
export const installed = (t: ExecutionContext, name: string): string | undefined => {
  const found = ['/usr/sbin', '/usr/bin', '/usr/local/sbin']
    .map((place) => join(place, name))
    .find((path) => {
      try {
        readFileSync(path);
        return true;
      } catch {
        return false;
      }
    });
  if (found === undefined) {
    t.log(`${name} is not installed here`);
    t.not(process.env['OPS_TOOLS'], 'all');
  }
  return found;
};

export const untilListening = async (port: number): Promise<void> => {
  for (let tries = 0; tries < 100; tries += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on ${port}`);
};

/** Starts a program until the test ends; `said` is what it has written. */
export const startProxy = (
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { said: () => string } => {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      said += String(chunk);
    });
  }
  t.teardown(async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  return { said: () => said };
};
