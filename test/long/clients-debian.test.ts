/** Client programs from Debian, as an administrator would set them up, through a real browser. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import {
  answerPages,
  CITIZEN,
  type RealClients,
  shown,
  startRealClients,
  type Wanted,
} from '../harness/real-clients.ts';
import { pkce } from '../harness/relying-party.ts';

const MODULES = '/usr/lib/apache2/modules';
const NEEDED: Record<string, string> = {
  '/usr/sbin/apache2': 'apache2-bin',
  [`${MODULES}/mod_auth_openidc.so`]: 'libapache2-mod-auth-openidc',
  '/usr/bin/oidc-agent': 'oidc-agent-cli',
  '/usr/lib/python3/dist-packages/authlib': 'python3-authlib',
  '/usr/lib/python3/dist-packages/flask': 'python3-flask',
  '/usr/lib/python3/dist-packages/requests': 'python3-requests',
  '/usr/bin/go': 'golang-go',
  '/usr/share/gocode/src/github.com/coreos/go-oidc': 'golang-github-coreos-go-oidc-dev',
  '/usr/share/gocode/src/golang.org/x/oauth2': 'golang-golang-x-oauth2-dev',
  '/usr/share/doc/ruby-omniauth-openid-connect': 'ruby-omniauth-openid-connect',
  '/usr/share/doc/ruby-sinatra': 'ruby-sinatra',
  '/usr/bin/puma': 'puma',
};

const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const byKey = {
  authMethod: 'private_key_jwt',
  jwks: { keys: [{ ...KEY.publicKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }] },
} as const;

const WANTED: Wanted[] = [
  { clientId: 'bykey', ...byKey },
  {
    clientId: 'bykeyexempt',
    ...byKey,
    audienceExemption: { reason: 'Authlib as it is names the token endpoint', until: '2099-12-31' },
  },
  { clientId: 'apache', backchannel: '/callback?logout=backchannel' },
  { clientId: 'python' },
  {
    clientId: 'ruby',
    callback: '/auth/city/callback',
    pkceExemption: {
      reason: 'Debian’s omniauth-openid-connect has no PKCE, the current one does',
      until: '2099-12-31',
    },
  },
  { clientId: 'go' },
  { clientId: 'agent', kind: 'native', callback: '/' },
];

const run = promisify(execFile);
let place: RealClients;

test.before(async (t) => {
  const missing = Object.keys(NEEDED).filter((path) => !existsSync(path));
  if (missing.length > 0) {
    return t.fail(`missing: apt-get install --no-install-recommends ${missing.map((path) => NEEDED[path]).join(' ')}`);
  }
  place = await startRealClients(WANTED);
});

test.after.always(() => place?.close());

/** A site that Apache protects, in a folder of its own. */
const site = (): string => {
  const { folder, authority, town } = place;
  const base = place.base('apache');
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'www'));
  writeFileSync(join(folder, 'www', 'index.html'), '{"inside":true}');
  writeFileSync(join(folder, 'www', 'bye'), '{"bye":true}');
  const modules = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'auth_openidc'];
  const file = join(folder, 'httpd.conf');
  writeFileSync(
    file,
    `${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
ServerName localhost
Listen ${new URL(base).port}
PidFile ${folder}/httpd.pid
ErrorLog ${folder}/error.log
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
DocumentRoot ${folder}/www
OIDCProviderMetadataURL ${town.issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret ${town.secretOf('apache')}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCRedirectURI ${base}/callback
OIDCDefaultLoggedOutURL ${base}/bye
OIDCCryptoPassphrase only-for-tests
OIDCScope "openid email"
OIDCPKCEMethod S256
OIDCCABundlePath ${authority}
OIDCInfoHook access_token userinfo
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<Location /bye>
  AuthType None
  Require all granted
</Location>
`,
  );
  return file;
};

type Info = { access_token: string; userinfo: { sub: string; email: string } };

test.serial(
  'mod_auth_openidc: signs in, reads claims, refreshes, signs out, hears of a sign-out elsewhere',
  async (t) => {
    await place.run('apache2', ['-X', '-f', site()], 'apache');
    const base = place.base('apache');
    const page = await place.newPage();
    t.deepEqual(await place.visit(page, `${base}/`), { inside: true });
    const info = (await place.visit(page, `${base}/callback?info=json`)) as Info;
    t.is(info.userinfo.email, CITIZEN.email);

    const back = encodeURIComponent(`${base}/`);
    await place.visit(page, `${base}/callback?refresh=${back}&access_token=${info.access_token}`);
    const next = (await place.visit(page, `${base}/callback?info=json`)) as Info;
    t.not(next.access_token, info.access_token);
    t.is(next.userinfo.sub, info.userinfo.sub);

    t.deepEqual(await place.visit(page, `${base}/callback?logout=${encodeURIComponent(`${base}/bye`)}`), { bye: true });
    t.true(await place.isAsked(page, `${base}/`));

    await place.visit(page, `${base}/`);
    await page.goto(`${place.town.issuer}/session/end`);
    await page.locator('main button').first().click();
    await page.waitForURL('**/session/end/success*');
    for (let tries = 0; tries < 100; tries += 1) {
      await page.goto(`${base}/`);
      if (page.url().startsWith(place.town.issuer)) break;
      await page.waitForTimeout(100);
    }
    t.true(await place.isAsked(page, `${base}/`));
    await page.context().close();
  },
);

test.serial('Authlib: the example of the portal signs in, reads claims, refreshes, signs out', async (t) => {
  writeFileSync(join(place.folder, 'python.py'), await place.example('python'));
  const more = fileURLToPath(new URL('../relying-parties/authlib_refresh.py', import.meta.url));
  copyFileSync(more, join(place.folder, 'authlib_refresh.py'));
  const base = place.base('python');
  const { port } = new URL(base);
  await place.run('/usr/bin/python3', ['-m', 'flask', '--app', 'authlib_refresh', 'run', '-p', port], 'python');
  const page = await place.newPage();
  const citizen = await place.visit(page, `${base}/`);
  t.is(citizen['email'], CITIZEN.email);
  t.like(await place.visit(page, `${base}/refresh`), { refreshed: true, sub: citizen['sub'], email: CITIZEN.email });
  t.deepEqual(await place.visit(page, `${base}/logout`), { bye: true });
  t.true(await place.isAsked(page, `${base}/`));
  await page.context().close();
});

test.serial(
  'Authlib with a key: names the issuer when told so; as it is, only under an exemption (decision 0082)',
  async (t) => {
    const page = await place.newPage();
    const script = fileURLToPath(new URL('../relying-parties/authlib_key.py', import.meta.url));
    const signIn = async (clientId: string, audience: string): Promise<Record<string, unknown>> => {
      const proof = pkce();
      const url = new URL('/auth', place.town.issuer);
      url.search = new URLSearchParams({
        client_id: clientId,
        response_type: 'code',
        scope: 'openid email',
        redirect_uri: `${place.base(clientId)}/callback`,
        code_challenge: proof.challenge,
        code_challenge_method: 'S256',
      }).toString();
      const listener = createServer((_req, res) => res.end('{}')).listen(
        Number(new URL(place.base(clientId)).port),
        'localhost',
      );
      await once(listener, 'listening');
      await place.visit(page, url.href);
      listener.close();
      listener.closeAllConnections();
      const code = new URL(page.url()).searchParams.get('code') ?? '';
      const env = {
        PATH: process.env['PATH'],
        HOME: place.folder,
        REQUESTS_CA_BUNDLE: place.authority,
        ...place.environment(clientId),
        KEY: KEY.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        AUDIENCE: audience,
        CODE: code,
        VERIFIER: proof.verifier,
      };
      return JSON.parse((await run('/usr/bin/python3', [script], { env })).stdout);
    };
    t.like(await signIn('bykey', place.town.issuer), { email: CITIZEN.email });
    t.deepEqual(await signIn('bykey', ''), { error: 'invalid_client' });
    t.like(await signIn('bykeyexempt', ''), { email: CITIZEN.email });
    await page.context().close();
  },
);

test.serial('OmniAuth: the example of the portal signs in, reads claims, signs out', async (t) => {
  writeFileSync(join(place.folder, 'ruby.rb'), await place.example('ruby'));
  const base = place.base('ruby');
  await place.run('/usr/bin/ruby', ['ruby.rb', '-p', new URL(base).port], 'ruby', { RACK_ENV: 'production' });
  const page = await place.newPage();
  await page.goto(`${base}/`);
  await page.getByRole('button').click();
  await page.waitForLoadState();
  t.true(page.url().startsWith(place.town.issuer), `${page.url()} ${await page.locator('body').textContent()}`);
  await answerPages(page, place.town);
  t.is((await shown(page))['email'], CITIZEN.email);
  t.deepEqual(await place.visit(page, `${base}/logout`), { bye: true });
  await page.context().close();
});

test.serial('go-oidc: the example of the portal signs in, reads claims, signs out', async (t) => {
  // Debian has version 2, whose package is called differently; nothing else of the example is changed.
  writeFileSync(join(place.folder, 'go.go'), (await place.example('go')).replace('/go-oidc/v3/oidc', '/go-oidc'));
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(place.folder, 'cache') };
  const built = join(place.folder, 'go-example');
  await run('/usr/bin/go', ['build', '-o', built, 'go.go'], { cwd: place.folder, env });
  const base = place.base('go');
  await place.run(built, [], 'go');
  const page = await place.newPage();
  t.is((await place.visit(page, `${base}/`))['email'], CITIZEN.email);
  t.deepEqual(await place.visit(page, `${base}/logout`), { bye: true });
  await page.context().close();
});

test.serial('oidc-agent: signs in once, hands out tokens that it refreshes, and gives them back', async (t) => {
  const { folder, authority, town } = place;
  const started = await run('/usr/bin/oidc-agent', ['--quiet'], { env: { ...process.env, HOME: folder } });
  const variable = (name: string): string => new RegExp(`${name}=([^;]+);`).exec(started.stdout)?.[1] ?? '';
  const env = {
    ...process.env,
    HOME: folder,
    OIDC_SOCK: variable('OIDC_SOCK'),
    OIDCD_PID: variable('OIDCD_PID'),
    PASSWORD: 'only for tests',
    SSL_CERT_FILE: authority,
  };
  t.teardown(() => run('/usr/bin/oidc-agent', ['-k'], { env }));
  const client = ['--client-id=agent', `--client-secret=${town.secretOf('agent')}`];
  const page = await place.newPage();
  const generating: ChildProcess = spawn(
    '/usr/bin/oidc-gen',
    [
      'stadt',
      `--iss=${town.issuer}`,
      ...client,
      `--redirect-uri=${place.base('agent')}/`,
      '--scope=openid email offline_access',
      '--flow=code',
      '--no-url-call',
      '--manual',
      '--pw-env=PASSWORD',
      `--cert-path=${authority}`,
      '--prompt=none',
      '--confirm-yes',
    ],
    { env, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const url = new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const found = /https:\/\/localhost:\d+\/auth\?\S+/.exec(output)?.[0];
      if (found !== undefined) resolve(found);
    };
    generating.stdout?.on('data', read);
    generating.stderr?.on('data', read);
    generating.once('exit', () => reject(new Error(output)));
  });
  const ended = once(generating, 'exit');
  await page.goto(await url);
  await answerPages(page, town);
  t.deepEqual(await ended, [0, null], output);
  const token = async (...args: string[]) =>
    (await run('/usr/bin/oidc-token', ['stadt', ...args], { env })).stdout.trim();
  const info = async (access: string) => {
    const answer = await fetch(`${town.issuer}/userinfo`, { headers: { authorization: `Bearer ${access}` } });
    return (await answer.json()) as Record<string, unknown>;
  };
  const first = await token();
  t.is((await info(first))['email'], CITIZEN.email);
  const second = await token('--force-new');
  t.not(second, first);
  t.is((await info(second))['email'], CITIZEN.email);
  await run('/usr/bin/oidc-gen', ['-d', 'stadt', '--pw-env=PASSWORD', '--confirm-yes'], { env });
  await t.throwsAsync(token('--force-new'));
  await page.context().close();
});
