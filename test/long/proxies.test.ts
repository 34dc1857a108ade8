/** The proxies as they run: what reaches the provider behind them, whatever a client has written. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { freePort } from '../harness/free-port.ts';
import { type Certificate, certificateIn, INFRA, installed, startProxy, untilListening } from '../harness/proxies.ts';

const folder = mkdtempSync(join(tmpdir(), 'schluessel-proxies-'));
chmodSync(folder, 0o755);
const MINE = { name: 'login.stadt.example', certificates: 'mtls.login.stadt.example' };
/** Everything that a client might write to be somebody else. */
const LIES = {
  'client-cert': ':ZXZpbA==:',
  'client-cert-verify': 'SUCCESS',
  'x-forwarded-for': '6.6.6.6',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'http',
  'x-forwarded-port': '1',
  'x-real-ip': '6.6.6.6',
  'x-original-url': '/evil',
  forwarded: 'for=6.6.6.6',
  'x-request-id': 'chosen-by-the-client',
};

/** What stands behind the proxy: says which headers have come. */
const provider = createServer((req, res) =>
  res.setHeader('content-type', 'application/json').end(JSON.stringify({ headers: req.headers, url: req.url })),
);
let behind = 0;
let server: Certificate;
let authority: Certificate;
let stranger: Certificate;

test.before(async () => {
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  behind = (provider.address() as AddressInfo).port;
  server = certificateIn(folder, 'server', MINE.name);
  authority = certificateIn(folder, 'authority', 'Dienst');
  stranger = certificateIn(folder, 'stranger', 'Niemand');
});

test.after.always(() => {
  provider.close();
  provider.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

type Answer = { status: number; body: string; headers: IncomingHttpHeaders; seen: IncomingHttpHeaders };

const ask = (port: number, name: string, path: string, client?: { key: string; cert: string }): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const credentials = client && { key: readFileSync(client.key), cert: readFileSync(client.cert) };
    const req = request(
      {
        host: '127.0.0.1',
        port,
        path,
        servername: name,
        rejectUnauthorized: false,
        agent: false,
        headers: { ...LIES, host: name },
        ...credentials,
      },
      (res) => {
        let body = '';
        res.on('data', (chunk) => {
          body += String(chunk);
        });
        res.on('end', () => {
          const seen = body.startsWith('{') ? (JSON.parse(body) as { headers: IncomingHttpHeaders }).headers : {};
          resolve({ status: res.statusCode ?? 0, body, headers: res.headers, seen });
        });
      },
    );
    req.on('error', reject);
    req.end();
  });

/** The same questions to either proxy. */
const hold = async (t: ExecutionContext, ports: { front: number; mtls: number }): Promise<void> => {
  const open = await ask(ports.front, MINE.name, '/auth?code=geheim');
  t.is(open.status, 200, open.body);
  for (const name of [
    'client-cert',
    'client-cert-verify',
    'x-forwarded-host',
    'x-forwarded-port',
    'x-real-ip',
    'x-original-url',
    'forwarded',
  ])
    t.is(open.seen[name], undefined, name);
  t.is(open.seen['x-forwarded-for'], '127.0.0.1');
  t.is(open.seen['x-forwarded-proto'], 'https');
  t.is(open.seen.host, MINE.name);
  t.regex(String(open.seen['x-request-id']), /^[0-9a-f-]{32,36}$/);
  t.regex(String(open.headers['strict-transport-security']), /max-age=63072000/);
  for (const path of ['/healthz', '/readyz', '/metrics'])
    t.is((await ask(ports.front, MINE.name, path)).status, 404, path);

  const signed = await ask(ports.mtls, MINE.certificates, '/token', authority);
  t.is(signed.seen['client-cert-verify'], 'SUCCESS');
  t.regex(String(signed.seen['client-cert']), /^(:[A-Za-z0-9+/=]+:|-----BEGIN%20CERTIFICATE-----.*)$/);
  t.false(String(signed.seen['client-cert']).includes('ZXZpbA=='));
  const unknown = await ask(ports.mtls, MINE.certificates, '/token', stranger);
  t.truthy(unknown.seen['client-cert']);
  t.not(unknown.seen['client-cert-verify'], 'SUCCESS', 'nobody has vouched for it');
  const none = await ask(ports.mtls, MINE.certificates, '/token');
  t.is(none.seen['client-cert'], undefined);
  t.not(none.seen['client-cert-verify'], 'SUCCESS');
  t.is((await ask(ports.mtls, MINE.certificates, '/interaction/x', authority)).status, 404, 'no pages there');
};

test.serial('HAProxy: only the proxy’s own word reaches the provider, and no query its log', async (t) => {
  const program = installed(t, 'haproxy');
  if (program === undefined) return;
  const [front, mtls, stats] = [await freePort(), await freePort(), await freePort()];
  const bundle = join(folder, 'bundle.pem');
  writeFileSync(bundle, readFileSync(server.cert, 'utf8') + readFileSync(server.key, 'utf8'));
  const { said } = startProxy(t, program, ['-db', '-f', join(INFRA, 'haproxy/front.cfg')], {
    FRONT_BIND: `127.0.0.1:${front}`,
    FRONT_CERTIFICATE: bundle,
    MTLS_BIND: `127.0.0.1:${mtls}`,
    MTLS_CA: authority.cert,
    STATS_BIND: `127.0.0.1:${stats}`,
    NODE1: `127.0.0.1:${behind}`,
    NODE2: '127.0.0.1:1',
    ERROR_PAGES: join(INFRA, 'haproxy/errors'),
  });
  await untilListening(front);
  await new Promise((resolve) => setTimeout(resolve, 2500)); // two good answers of the node
  await hold(t, { front, mtls });
  t.regex(said(), /127\.0\.0\.0 GET \/auth 200/);
  t.notRegex(said(), /geheim|127\.0\.0\.1 GET/);
});

test.serial('nginx: only the proxy’s own word reaches the provider, and no query its log', async (t) => {
  const program = installed(t, 'nginx');
  if (program === undefined) return;
  const front = await freePort();
  writeFileSync(join(folder, 'fullchain.pem'), readFileSync(server.cert));
  writeFileSync(join(folder, 'privkey.pem'), readFileSync(server.key));
  writeFileSync(join(folder, 'services-ca.pem'), readFileSync(authority.cert));
  const site = join(folder, 'site.conf');
  writeFileSync(
    site,
    readFileSync(join(INFRA, 'nginx/schluessel.conf'), 'utf8')
      .replaceAll('/etc/ssl/schluessel/', `${folder}/`)
      .replaceAll('/var/log/nginx/', `${folder}/`)
      .replaceAll('/etc/nginx/snippets/', join(INFRA, 'nginx/'))
      .replaceAll(/listen \[::\]:443 [^;]*;|listen \[::\]:80;/g, '')
      .replaceAll('listen 443', `listen 127.0.0.1:${front}`)
      .replaceAll('listen 80', `listen unix:${folder}/plain`)
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${behind}`),
  );
  const main = join(folder, 'nginx.conf');
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join(' ');
  writeFileSync(
    main,
    `daemon off;\npid ${folder}/pid;\nerror_log stderr crit;\nevents {}\nhttp { ${places} include ${site}; }\n`,
  );
  startProxy(t, program, ['-c', main], {});
  await untilListening(front);
  await hold(t, { front, mtls: front });
  t.is((await ask(front, 'someone-else.example', '/')).status, 421);
  const log = readFileSync(join(folder, 'schluessel.log'), 'utf8');
  t.regex(log, /^127\.0\.0\.0 GET \/auth 200/m);
  t.notRegex(log, /geheim|^127\.0\.0\.1/m);
});
