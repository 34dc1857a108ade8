/** The mock as a service's developers get it: a package from npm, in an empty folder, with npm's own default of running no scripts. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import * as oidc from 'openid-client';

const PACK = fileURLToPath(new URL('../../infra/mock/pack.ts', import.meta.url));
const CALLBACK = 'http://localhost:8080/callback';

type Started = { issuer: string; seconds: number; child: ChildProcess };

const start = async (folder: string): Promise<Started> => {
  const before = performance.now();
  const bin = path.join(folder, 'node_modules', '.bin', 'stadtschluessel-mock');
  const child = spawn(process.execPath, [bin, '--port', '0', '--redirect-uri', CALLBACK], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  for await (const chunk of child.stdout) {
    said += String(chunk);
    const issuer = /^(http:\S+) is ready/m.exec(said)?.[1];
    if (issuer !== undefined) return { issuer, child, seconds: (performance.now() - before) / 1000 };
  }
  throw new Error(`the mock ended: ${said}`);
};

const stop = async ({ child }: Started): Promise<number | null> => {
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
};

/** What a service's test does: the code flow with its own library, the browser left out. */
const signIn = async (issuer: string, citizen: string): Promise<oidc.UserInfoResponse> => {
  const config = await oidc.discovery(new URL(issuer), 'meindienst', 'nurfuertests', undefined, {
    execute: [oidc.allowInsecureRequests],
  });
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: CALLBACK,
    scope: 'openid profile',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  });
  const answer = await fetch(`${issuer}/mock/sign-in`, { method: 'POST', body: JSON.stringify({ citizen, url }) });
  const { redirect } = (await answer.json()) as { redirect: string };
  const tokens = await oidc.authorizationCodeGrant(config, new URL(redirect), {
    pkceCodeVerifier: verifier,
    expectedState: state,
  });
  return oidc.fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? '');
};

test('packed, installed, started, signed in to; several at once', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'mock-package-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const packed = execFileSync(process.execPath, [PACK, folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  writeFileSync(path.join(folder, 'package.json'), '{"private": true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', packed.trim()], {
    cwd: folder,
    stdio: 'ignore',
  });
  const main = path.join(folder, 'node_modules/stadtschluessel-mock/infra/mock/mock.js');
  t.notRegex(readFileSync(main, 'utf8'), /\binterface\b|: Promise</, 'no types are left in it');

  const first = await start(folder);
  t.is((await signIn(first.issuer, 'wiebke')).given_name, 'Wiebke');
  t.is(await stop(first), 0);

  const several = await Promise.all([start(folder), start(folder), start(folder)]);
  t.is(new Set(several.map(({ issuer }) => issuer)).size, 3);
  const names = await Promise.all(
    several.map(async ({ issuer }, index) => (await signIn(issuer, ['emma', 'deniz', 'eike'][index] ?? '')).given_name),
  );
  t.deepEqual(names, ['Emma', 'Deniz', 'Eike']);
  t.deepEqual(await Promise.all(several.map(stop)), [0, 0, 0]);

  const again = await start(folder);
  t.log(`ready after ${first.seconds.toFixed(1)} s the first time, ${again.seconds.toFixed(1)} s from then on`);
  t.is(await stop(again), 0);
});
