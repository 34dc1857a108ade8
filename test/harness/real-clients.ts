/** A provider at a name that every program on the machine knows, a real browser, and services as programs beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClaimUse, Registration } from '../../accounts/town.ts';
import { type Browser, type Page, startBrowser } from './browser.ts';
import { Citizen } from './citizen.ts';
import { freePort } from './free-port.ts';
import { exampleOn } from './portal.ts';
import { addCitizen } from './relying-party.ts';
import { type RunningTown, startTown } from './town.ts';

export const CITIZEN = { email: 'anna@buerger.example', password: 'drei blaue Häuser am Fluss' } as const;

const TEXT = { de: 'Für die Probe', en: 'For the trial' };
const use = (claim: string): ClaimUse => ({ claim, required: false, purpose: TEXT, legalBasis: TEXT });

/** A service to be registered: what is not said is as for a web application with its own secret. */
export type Wanted = Partial<Registration> & {
  readonly clientId: string;
  /** Below the service's own origin. */
  readonly callback?: string;
  readonly bye?: string;
  readonly backchannel?: string;
};

export type RealClients = {
  readonly town: RunningTown;
  readonly browser: Browser;
  /** The authority of the provider's certificate, as a file. */
  readonly authority: string;
  readonly folder: string;
  /** Where a service is to listen. */
  base(clientId: string): string;
  /** The example of the portal with this id, as its page shows it. */
  example(id: string): Promise<string>;
  /** What its program reads from the environment. */
  environment(clientId: string): Record<string, string>;
  /** A browser of its own, so to say: nobody is signed in there. */
  newPage(): Promise<Page>;
  /** Goes to an address, answers whatever the provider asks on the way, and reads the JSON of the page it leads to. */
  visit(page: Page, url: string): Promise<Record<string, unknown>>;
  /** Goes to an address; whether the provider asks who is there. */
  isAsked(page: Page, url: string): Promise<boolean>;
  /** Runs a program until the end of the tests; settles when it listens. */
  run(command: string, args: readonly string[], clientId: string, env?: Record<string, string>): Promise<ChildProcess>;
  close(): Promise<void>;
};

const listens = async (port: number, program: ChildProcess, output: () => string): Promise<void> => {
  for (let tries = 0; tries < 300; tries += 1) {
    if (program.exitCode !== null) break;
    const answered = await fetch(`http://localhost:${port}/nichts`, { redirect: 'manual' }).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it does not listen:\n${output()}`);
};

export const startRealClients = async (wanted: readonly Wanted[]): Promise<RealClients> => {
  const bases = new Map<string, string>();
  for (const { clientId } of wanted) bases.set(clientId, `http://localhost:${await freePort()}`);
  const base = (clientId: string): string => bases.get(clientId) ?? '';
  const registrations = wanted.map(({ callback, bye, backchannel, ...changes }): Registration => {
    const origin = base(changes.clientId);
    return {
      organisation: 'stadt',
      name: { de: changes.clientId, en: changes.clientId },
      description: TEXT,
      kind: 'web',
      redirectUris: [`${origin}${callback ?? '/callback'}`],
      postLogoutRedirectUris: [`${origin}${bye ?? '/bye'}`],
      authMethod: 'client_secret_basic',
      claims: [use('email'), use('email_verified')],
      refreshTokens: true,
      needsEmail: false,
      corsOrigins: changes.kind === 'spa' ? [origin] : [],
      contacts: ['technik@stadt.example'],
      ...(backchannel !== undefined && { backchannelLogoutUri: `${origin}${backchannel}` }),
      ...changes,
    };
  });
  const town = await startTown({ host: 'localhost', registrations, testSuites: true });
  const folder = mkdtempSync(join(tmpdir(), 'services-'));
  const authority = join(folder, 'authority.pem');
  writeFileSync(authority, town.front.authority);
  await addCitizen(town, CITIZEN.email, CITIZEN.password);
  const browser = await startBrowser(town.front.spki);
  const programs: ChildProcess[] = [];
  const environment = (clientId: string): Record<string, string> => ({
    ISSUER: town.issuer,
    CLIENT_ID: clientId,
    CLIENT_SECRET: town.secretOf(clientId),
    BASE: base(clientId),
    COOKIE_SECRET: 'only for tests '.repeat(5),
  });
  return {
    town,
    browser,
    authority,
    folder,
    base,
    environment,
    async example(id) {
      const page = await fetch(`${town.issuer}/entwickler/beispiele`, { headers: { accept: 'text/html' } });
      return exampleOn(await page.text(), id);
    },
    async newPage() {
      return (await browser.newContext({ locale: 'de-DE' })).newPage();
    },
    async visit(page, url) {
      await page.goto(url);
      await answerPages(page, town);
      return shown(page);
    },
    async isAsked(page, url) {
      await page.goto(url);
      return page.url().startsWith(`${town.issuer}/interaction/`);
    },
    async run(command, args, clientId, env = {}) {
      let output = '';
      const program = spawn(command, args, {
        cwd: folder,
        env: {
          PATH: `${process.env['PATH']}:/usr/sbin`,
          HOME: folder,
          NODE_EXTRA_CA_CERTS: authority,
          SSL_CERT_FILE: authority,
          REQUESTS_CA_BUNDLE: authority,
          ...environment(clientId),
          ...env,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      programs.push(program);
      for (const stream of [program.stdout, program.stderr])
        stream.on('data', (chunk: Buffer) => {
          output += chunk.toString();
        });
      const failed = once(program, 'error').then(([error]) => {
        throw error;
      });
      failed.catch(() => {});
      await Promise.race([listens(Number(new URL(base(clientId)).port), program, () => output), failed]);
      return program;
    },
    async close() {
      await browser.close();
      await Promise.all(
        programs.map(async (program) => {
          if (program.exitCode !== null || program.signalCode !== null) return;
          const ended = once(program, 'exit');
          program.kill();
          await ended;
        }),
      );
      await town.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Answers the provider's pages until one of somebody else is there, and waits until that has come. */
export const answerPages = async (page: Page, town: RunningTown): Promise<void> => {
  const citizen = new Citizen(page, town, { ...CITIZEN, givenName: 'Anna', familyName: 'Brede' });
  citizen.registered = true;
  await citizen.answer(() => !page.url().startsWith(town.issuer) && page.url().startsWith('http'));
  await page.waitForLoadState();
};

/** What a page says as JSON. */
export const shown = async (page: Page): Promise<Record<string, unknown>> => {
  const text = await page.locator('body').textContent();
  try {
    return JSON.parse(text ?? '');
  } catch {
    throw new Error(`${page.url()}: ${text}`);
  }
};
