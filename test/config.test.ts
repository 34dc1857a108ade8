import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Secret } from '../accounts/secret.ts';
import { type Config, readConfig } from '../adapters/config.ts';
import { createLog, harmless } from '../adapters/log.ts';
import { newKeyRing, parseKeyRing } from '../keys/key-ring.ts';

const folder = mkdtempSync(join(tmpdir(), 'config-'));
const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const GOOD = {
  ISSUER: 'https://login.stadt.example',
  HOST: '0.0.0.0',
  PORT: '8080',
  DATABASE_URL: 'postgres://u:pass%40word@db.stadt.example/k?sslmode=verify-full',
  REDIS_URL: 'rediss://:pw@redis.stadt.example',
  SMTP_URL: 'smtps://u:pw@mail.stadt.example',
  TOWN_FILE: file('town.yaml', 'id: x'),
  TRUSTED_PROXIES: '10.1.2.0/24, 127.0.0.1/32,fd00:1::/64',
  KEYRING_FILE: file('keyring', newKeyRing()),
};

const faultsWith = (change: Record<string, string | undefined>): string[] => {
  const config = readConfig({ ...GOOD, ...change }, parseKeyRing);
  return 'faults' in config ? config.faults : [];
};

test('good settings become a frozen configuration', (t) => {
  const config = readConfig(GOOD, parseKeyRing) as Config;
  t.false('faults' in config);
  t.is(config.issuer.origin, 'https://login.stadt.example');
  t.is(config.port, 8080);
  t.deepEqual(config.trustedProxies, ['10.1.2.0/24', '127.0.0.1/32', 'fd00:1::/64']);
  t.is(config.logLevel, 'info');
  t.true(Object.isFrozen(config) && Object.isFrozen(config.trustedProxies));
});

test('HOST, PORT, REDIS_URL and LOG_LEVEL may be left out', (t) => {
  const { HOST: _host, PORT: _port, REDIS_URL: _redis, ...rest } = GOOD;
  const config = readConfig(rest, parseKeyRing) as Config;
  t.is(config.host, '127.0.0.1');
  t.is(config.port, 3000);
  t.false('redisUrl' in config);
});

test('the sandbox cannot be had in production', (t) => {
  for (const PROFILE of ['sandbox', 'production', 'x']) t.regex(faultsWith({ PROFILE }).join(), /^PROFILE/);
});

test('traces go to a collector over TLS or on this machine, or nowhere', (t) => {
  const settings = (OTEL_EXPORTER_OTLP_ENDPOINT: string, share?: string) =>
    readConfig({ ...GOOD, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER_ARG: share }, parseKeyRing) as Config;
  t.false('tracing' in (readConfig(GOOD, parseKeyRing) as Config));
  t.is(settings('http://127.0.0.1:4318').tracing?.share, 1);
  t.deepEqual(settings('https://spuren.stadt.example/otlp', '0.05').tracing, {
    endpoint: new URL('https://spuren.stadt.example/otlp'),
    share: 0.05,
  });
  for (const endpoint of ['http://spuren.stadt.example', 'spuren', 'https://u:p@spuren.stadt.example', 'ftp://x'])
    t.regex(faultsWith({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).join(), /^OTEL_EXPORTER_OTLP_ENDPOINT/, endpoint);
  for (const share of ['2', '-1', 'alle']) {
    const wrong = { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://spuren.stadt.example', OTEL_TRACES_SAMPLER_ARG: share };
    t.regex(faultsWith(wrong).join(), /^OTEL_TRACES_SAMPLER_ARG/, share);
  }
});

test('mutual TLS has a host of its own', (t) => {
  const config = readConfig({ ...GOOD, MTLS_ORIGIN: 'https://mtls.login.stadt.example' }, parseKeyRing) as Config;
  t.is(config.mtlsOrigin?.host, 'mtls.login.stadt.example');
  for (const MTLS_ORIGIN of [
    'https://login.stadt.example',
    'http://mtls.stadt.example',
    'https://mtls.x.example/a',
    'x',
  ])
    t.regex(faultsWith({ MTLS_ORIGIN }).join(), /^MTLS_ORIGIN/, MTLS_ORIGIN);
});

test('everything that is missing is named at once, each with what to do', (t) => {
  const config = readConfig({}, parseKeyRing);
  const faults = 'faults' in config ? config.faults : [];
  const names = ['ISSUER', 'DATABASE_URL', 'SMTP_URL', 'TOWN_FILE', 'TRUSTED_PROXIES', 'KEYRING_FILE'];
  t.deepEqual(
    faults.map((fault) => fault.split(' ')[0]),
    names,
  );
  for (const fault of faults) {
    t.regex(fault, /is missing: .*(set|give)/);
    t.notRegex(fault, /\n/);
  }
});

const UNSAFE: Record<string, [Record<string, string>, RegExp]> = {
  'issuer without TLS': [{ ISSUER: 'http://login.stadt.example' }, /ISSUER.*https/],
  'issuer with a path': [{ ISSUER: 'https://login.stadt.example/auth' }, /leave out path/],
  'issuer with a query': [{ ISSUER: 'https://login.stadt.example/?a=b' }, /leave out path/],
  'issuer with an empty query': [{ ISSUER: 'https://login.stadt.example?' }, /leave out path/],
  'issuer with a fragment': [{ ISSUER: 'https://login.stadt.example#x' }, /leave out path/],
  'issuer with credentials': [{ ISSUER: 'https://a:b@login.stadt.example' }, /user name or password/],
  'issuer on this machine': [{ ISSUER: 'https://localhost:3000' }, /this machine/],
  'issuer by address': [{ ISSUER: 'https://192.0.2.1' }, /IP address/],
  'issuer that is no address': [{ ISSUER: 'login.stadt.example' }, /not an address/],
  'port 0': [{ PORT: '0' }, /PORT is not a port/],
  'port 70000': [{ PORT: '70000' }, /PORT is not a port/],
  'port in words': [{ PORT: '3000x' }, /PORT is not a port/],
  'host name to listen on': [{ HOST: 'example.org' }, /HOST is not an IP/],
  'database without TLS': [{ DATABASE_URL: 'postgres://u:geheim@db.stadt.example/k' }, /sslmode=verify-full/],
  'database with unverified TLS': [
    { DATABASE_URL: 'postgres://u:geheim@db.stadt.example/k?sslmode=require' },
    /sslmode=verify-full/,
  ],
  'database elsewhere by parameter': [
    { DATABASE_URL: 'postgres://u:geheim@localhost/k?host=db.stadt.example' },
    /sslmode=verify-full/,
  ],
  'other database': [{ DATABASE_URL: 'mysql://u:geheim@db.stadt.example/k' }, /not a Postgres address/],
  'Redis without TLS': [{ REDIS_URL: 'redis://:geheim@redis.stadt.example' }, /REDIS_URL.*rediss/],
  'mail with switches': [{ SMTP_URL: 'smtp://u:geheim@mail.stadt.example?ignoreTLS=true' }, /switches/],
  'mail by web': [{ SMTP_URL: 'https://mail.stadt.example' }, /not a mail server/],
  'list of breached passwords that is not there': [
    { BREACHED_PASSWORDS_FILE: '/nowhere/list' },
    /BREACHED_PASSWORDS_FILE: .* not a file/,
  ],
  'town file that is not there': [{ TOWN_FILE: '/nowhere/town.yaml' }, /TOWN_FILE: .* not a file/],
  'proxy range of the world': [{ TRUSTED_PROXIES: '0.0.0.0/0' }, /too much of the internet/],
  'proxy range of the world, IPv6': [{ TRUSTED_PROXIES: '::/0' }, /too much of the internet/],
  'proxy without bits': [{ TRUSTED_PROXIES: '10.1.2.3' }, /not a range/],
  'proxy range in short form': [{ TRUSTED_PROXIES: '10.1/16' }, /not a range/],
  'proxy range with too many bits': [{ TRUSTED_PROXIES: '10.0.0.0/33' }, /not a range/],
  'empty proxy entry': [{ TRUSTED_PROXIES: '10.1.2.0/24,' }, /an empty entry is not a range/],
  'key ring open to the group': [{ KEYRING_FILE: file('open', newKeyRing(), 0o640) }, /mode 640.*chmod 600/],
  'key ring that is not there': [{ KEYRING_FILE: '/nowhere/keyring' }, /cannot be read \(ENOENT\)/],
  'key ring that is none': [{ KEYRING_FILE: file('none', '{"cookies": ["geheim"]}') }, /KEYRING_FILE: .*keyEncryption/],
  'log level that is none': [{ LOG_LEVEL: 'loud' }, /LOG_LEVEL/],
};
for (const [name, [change, reason]] of Object.entries(UNSAFE)) {
  test(`unsafe settings are refused: ${name}`, (t) => {
    const faults = faultsWith(change);
    t.true(faults.length > 0);
    t.true(
      faults.every((fault) => fault.startsWith(Object.keys(change)[0] ?? '')),
      faults.join('\n'),
    );
    t.true(
      faults.some((fault) => reason.test(fault)),
      faults.join('\n'),
    );
    t.false(
      faults.some((fault) => fault.includes('geheim')),
      'a fault never quotes a secret',
    );
  });
}

test('this machine needs no TLS', (t) => {
  for (const DATABASE_URL of [
    'postgres://u@localhost/k',
    'postgres://u@127.0.0.1/k',
    'postgres://u@/k?host=/run/postgresql',
  ]) {
    t.deepEqual(faultsWith({ DATABASE_URL }), []);
  }
  t.deepEqual(faultsWith({ SMTP_URL: 'smtp://localhost:25', REDIS_URL: 'redis://127.0.0.1' }), []);
});

test('the key ring may be a systemd credential, which shows the bits of its access list', (t) => {
  const credential = file('keyring', newKeyRing(), 0o440);
  t.deepEqual(faultsWith({ KEYRING_FILE: undefined, CREDENTIALS_DIRECTORY: folder }), []);
  t.regex(faultsWith({ KEYRING_FILE: credential })[0] ?? '', /chmod 600/);
  chmodSync(credential, 0o444);
  t.regex(faultsWith({ KEYRING_FILE: undefined, CREDENTIALS_DIRECTORY: folder })[0] ?? '', /chmod 600/);
  chmodSync(credential, 0o600);
});

test('the log prints no secret, by type, name or form', (t) => {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line: string) => void lines.push(line) });
  const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
  const failure = Object.assign(new Error('insert into "x" values (\'Wiebke\') - duplicate key'), {
    code: '23505',
    detail: 'Key (email)=(a@b.example) exists',
    parameters: ['geheim'],
    cause: new Error('from a@b.example'),
  });
  log.info({
    value: new Secret('geheim'),
    bytes: Buffer.from('geheim'),
    password: 'geheim',
    nested: { client_secret: 'geheim' },
  });
  log.warn({ err: failure, url: new URL('https://u:geheim@x.example/cb?code=geheim') }, `token ${jwt} for a@b.example`);
  log.error(failure);
  log.info({
    text: 'see https://x.example/cb?code=geheim',
    list: [{ access_token: 'geheim' }],
    map: new Map([['a', 'geheim']]),
  });
  const output = lines.join('');
  t.notRegex(output, /geheim|Wiebke|@b\.example|eyJ/);
  t.regex(output, /"code":"23505"/);
  t.regex(output, /duplicate key/);
  t.regex(output, /"level":"warn"/);
  for (const line of lines) t.notThrows(() => JSON.parse(line));
});

test('what is logged may be as odd as it likes', (t) => {
  const ring: Record<string, unknown> = {};
  ring['self'] = ring;
  t.notThrows(() => harmless([ring, 1n, Symbol('x'), () => 1, null, undefined, Object.create(null), new Date('x')]));
});

test('the token for self-registration is long, and closed to others', (t) => {
  const token = 'x'.repeat(43);
  const config = readConfig({ ...GOOD, REGISTRATION_TOKEN_FILE: file('token', `${token}\n`) }, parseKeyRing);
  t.is('faults' in config ? config.faults.join() : config.registrationToken, token);
  t.regex(
    faultsWith({ REGISTRATION_TOKEN_FILE: file('short', 'kurz') }).join(),
    /^REGISTRATION_TOKEN_FILE: .* holds no token/,
  );
  t.regex(faultsWith({ REGISTRATION_TOKEN_FILE: file('open', token, 0o644) }).join(), /open to other users/);
  t.regex(faultsWith({ REGISTRATION_TOKEN_FILE: '/gibt/es/nicht' }).join(), /cannot be read \(ENOENT\)/);
});
