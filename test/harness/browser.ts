/** A real Chromium from npm, driven by playwright-core. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from 'playwright-core';

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../.test', import.meta.url));
const UNPACK = fileURLToPath(new URL('chromium-files.ts', import.meta.url));

/** Where the unpacked browser is; unpacked once per version, safely beside other processes that do the same. */
const files = async (): Promise<string> => {
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const manifest = readFileSync(path.join(path.dirname(entry), '..', 'package.json'), 'utf8');
  const folder = path.join(CACHE, `chromium-${(JSON.parse(manifest) as { version: string }).version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(CACHE, { recursive: true });
  const own = mkdtempSync(`${folder}-`);
  // The package unpacks its own libraries (NSS and others) only where it takes the machine for a bare Lambda.
  await run(process.execPath, [UNPACK], { env: { ...process.env, TMPDIR: own, AWS_EXECUTION_ENV: 'nodejs22.x' } });
  try {
    renameSync(own, folder);
  } catch {
    rmSync(own, { recursive: true, force: true }); // another process was faster
  }
  return folder;
};

/**
 * Where the browser finds letters: the package's own list of folders names none that is there, and without letters
 * every text is invisible.
 */
const fontsOf = (folder: string): string => {
  const list = path.join(folder, 'fonts.conf');
  const own = `${list}.${process.pid}`;
  writeFileSync(
    own,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
      <dir>${path.join(folder, 'fonts')}</dir><dir>/usr/share/fonts</dir><cachedir>${path.join(folder, 'fonts-cache')}</cachedir>
    </fontconfig>`,
  );
  renameSync(own, list);
  return list;
};

const environment = async (folder: string): Promise<Record<string, string>> => {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  env['FONTCONFIG_FILE'] ??= fontsOf(folder);
  const { stdout } = await run('ldd', [path.join(folder, 'chromium')]).catch(() => ({ stdout: 'not found' }));
  if (stdout.includes('not found')) {
    env['LD_LIBRARY_PATH'] = [path.join(folder, 'al2023', 'lib'), env['LD_LIBRARY_PATH']].filter(Boolean).join(':');
  }
  return env;
};

/**
 * Starts the browser. Names below `.example` are this machine; a certificate with the public key hash `spki` is valid
 * for it (and not merely tolerated: WebAuthn refuses pages with certificate errors).
 */
export const startBrowser = async (spki?: string): Promise<Browser> => {
  const folder = await files();
  return chromium.launch({
    executablePath: path.join(folder, 'chromium'),
    env: await environment(folder),
    args: [
      '--no-sandbox',
      '--no-zygote',
      '--disable-background-networking',
      '--disable-quic',
      '--host-resolver-rules=MAP *.example 127.0.0.1',
      ...(spki === undefined ? [] : [`--ignore-certificate-errors-spki-list=${spki}`]),
    ],
  });
};

/** A device's built-in authenticator that says yes to everything: resident keys, the user verified. */
export type Authenticator = {
  readonly cdp: CDPSession;
  readonly id: string;
  /** How many passkeys it holds. */
  count(): Promise<number>;
  remove(): Promise<void>;
  /** Whether its owner touches it when asked; without, the autofill of a page waits. */
  readonly presence: (enabled: boolean) => Promise<void>;
};

/**
 * Puts a virtual authenticator into a page (WebAuthn domain of the DevTools protocol): one of the device, or a security
 * key that keeps no passkeys.
 */
export const addAuthenticator = async (
  page: Page,
  options: { userVerified?: boolean; securityKey?: boolean } = {},
): Promise<Authenticator> => {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('WebAuthn.enable', { enableUI: false });
  const { authenticatorId: id } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: options.securityKey === true ? 'usb' : 'internal',
      hasResidentKey: options.securityKey !== true,
      hasUserVerification: true,
      isUserVerified: options.userVerified ?? true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    cdp,
    id,
    count: async () => (await cdp.send('WebAuthn.getCredentials', { authenticatorId: id })).credentials.length,
    presence: async (enabled) => {
      await cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: id, enabled });
    },
    remove: async () => {
      await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: id });
    },
  };
};

export type { Browser, BrowserContext, Page };
