/** Everything in infra/ that other programs read is held against those programs, where they are installed. */
import { execFile, execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { parse } from 'yaml';
import { createLog } from '../adapters/log.ts';
import { connect } from '../adapters/postgres.ts';
import { createKeys } from '../keys/keys.ts';
import { createHealth } from '../provider/health.ts';
import { createMetrics } from '../provider/metrics.ts';
import { freshRing } from './harness/domain.ts';

const INFRA = fileURLToPath(new URL('../infra/', import.meta.url));
const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'schluessel-ops-'));
const read = (path: string): string => readFileSync(join(INFRA, path), 'utf8');

const find = (name: string): string | undefined =>
  [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** Runs a tool that must be content; one that this machine does not have is named, and demanded where OPS_TOOLS=all. */
const content = async (
  t: ExecutionContext,
  tool: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<string> => {
  const path = find(tool);
  if (path === undefined) {
    t.log(`${tool} is not installed here`);
    t.not(process.env['OPS_TOOLS'], 'all', `${tool} is missing`);
    return '';
  }
  try {
    const { stdout, stderr } = await run(path, args, { env: { ...process.env, ...env } });
    t.pass();
    return stdout + stderr;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    t.fail(`${tool} ${args.join(' ')}\n${stdout}${stderr}`);
    return '';
  }
};

const certificate = (): { pem: string; certificate: string } => {
  const key = join(folder, 'key.pem');
  const chain = join(folder, 'fullchain.pem');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      '/CN=login.stadt.example',
      '-keyout',
      key,
      '-out',
      chain,
      '-days',
      '2',
    ],
    { stdio: 'ignore' },
  );
  const pem = join(folder, 'both.pem');
  writeFileSync(pem, readFileSync(chain, 'utf8') + readFileSync(key, 'utf8'));
  writeFileSync(join(folder, 'privkey.pem'), readFileSync(key));
  writeFileSync(join(folder, 'services-ca.pem'), readFileSync(chain));
  return { pem, certificate: chain };
};

test.after.always(() => rmSync(folder, { recursive: true, force: true }));

test.serial('HAProxy accepts both of its files', async (t) => {
  const { pem, certificate: ca } = certificate();
  const front = {
    FRONT_BIND: ':8443',
    FRONT_CERTIFICATE: pem,
    MTLS_BIND: ':8444',
    MTLS_CA: ca,
    STATS_BIND: '127.0.0.1:8405',
    NODE1: '10.0.0.1:3000',
    NODE2: '10.0.0.2:3000',
    ERROR_PAGES: join(INFRA, 'haproxy/errors'),
  };
  const said = await content(t, 'haproxy', ['-c', '-f', join(INFRA, 'haproxy/front.cfg')], front);
  t.notRegex(said, /WARNING|ALERT/);
  const data = {
    DATABASE_BIND: '127.0.0.1:5000',
    DB1: '10.0.0.1:5432',
    DB1_PATRONI: '8008',
    DB2: '10.0.0.2:5432',
    DB2_PATRONI: '8008',
    REDIS_BIND: '127.0.0.1:6380',
    REDIS1: '10.0.0.1:6379',
    REDIS2: '10.0.0.2:6379',
    REDIS3: '10.0.0.3:6379',
    REDIS_PASSWORD: 'x',
  };
  t.notRegex(await content(t, 'haproxy', ['-c', '-f', join(INFRA, 'haproxy/data.cfg')], data), /WARNING|ALERT/);
});

test.serial('HAProxy’s error page is as long as it says, and says when to come back', (t) => {
  const [head = '', body = ''] = read('haproxy/errors/503.http').split('\r\n\r\n', 2);
  t.is(Number(/Content-Length: (\d+)/.exec(head)?.[1]), Buffer.byteLength(body));
  t.regex(head, /^HTTP\/1\.1 503 /);
  t.regex(head, /\r\nRetry-After: \d+\r\n/);
});

test.serial('nginx accepts its file', async (t) => {
  certificate();
  const site = join(folder, 'site.conf');
  writeFileSync(
    site,
    read('nginx/schluessel.conf')
      .replaceAll('/etc/ssl/schluessel/', `${folder}/`)
      .replaceAll('/var/log/nginx/', `${folder}/`)
      .replaceAll('/etc/nginx/snippets/', join(INFRA, 'nginx/'))
      .replaceAll(/listen \[::\]:443 [^;]*;|listen \[::\]:80;/g, '')
      .replaceAll(/listen (443|80)\b/g, `listen unix:${folder}/socket-$1`),
  );
  const main = join(folder, 'nginx.conf');
  writeFileSync(main, `pid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp { include ${site}; }\n`);
  await content(t, 'nginx', ['-t', '-c', main]);
});

const units = readdirSync(join(INFRA, 'systemd')).filter((name) => name.endsWith('.service'));

test.serial('systemd accepts the units, and finds them little exposed', async (t) => {
  const place = join(folder, 'units');
  cpSync(join(INFRA, 'systemd'), place, { recursive: true });
  const program = join(folder, 'program');
  writeFileSync(program, '#!/bin/sh\n');
  chmodSync(program, 0o755);
  for (const unit of units) {
    const path = join(place, unit);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('/opt/schluessel/node_modules/.bin/node', program));
  }
  for (const unit of readdirSync(place).filter((name) => /\.(service|timer)$/.test(name))) {
    const said = await content(t, 'systemd-analyze', ['verify', '--man=no', '--generators=no', join(place, unit)]);
    t.false(said.includes(unit), said);
  }
  for (const unit of units) {
    const said = await content(t, 'systemd-analyze', ['security', '--offline=true', join(INFRA, 'systemd', unit)]);
    const exposure = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(said)?.[1] ?? 0);
    t.true(exposure <= 2, `${unit}: ${exposure}`);
  }
});

type Compose = {
  services: Record<
    string,
    {
      read_only?: boolean;
      cap_drop?: string[];
      security_opt?: string[];
      privileged?: boolean;
      environment?: Record<string, string>;
      secrets?: (string | { source: string })[];
      networks?: string[] | Record<string, unknown>;
    }
  >;
  networks: Record<string, unknown>;
  secrets: Record<string, unknown>;
};

test('containers have no capability to spare, and secrets only as files', async (t) => {
  const compose = parse(read('container/compose.yaml')) as Compose;
  for (const [name, service] of Object.entries(compose.services)) {
    t.deepEqual(service.cap_drop, ['ALL'], name);
    t.deepEqual(service.security_opt, ['no-new-privileges:true'], name);
    t.is(service.privileged, undefined, name);
    for (const [key, value] of Object.entries(service.environment ?? {})) {
      if (/PASSWORD|SECRET|KEYRING/.test(key)) t.regex(value, /^\/run\/secrets\//, `${name} ${key}`);
    }
    for (const secret of service.secrets ?? [])
      t.true((typeof secret === 'string' ? secret : secret.source) in compose.secrets);
    for (const network of Array.isArray(service.networks) ? service.networks : Object.keys(service.networks ?? {}))
      t.true(network in compose.networks);
  }
  t.true(compose.services['provider']?.read_only);
  t.true(compose.services['proxy']?.read_only);
  const place = join(folder, 'infra/container');
  cpSync(join(INFRA, 'container'), place, { recursive: true });
  writeFileSync(join(place, 'schluessel.env'), '');
  await content(t, 'docker-compose', ['-f', join(place, 'compose.yaml'), 'config', '-q']);
});

test('the image holds what the provider imports, and nothing of the sandbox or the tests', (t) => {
  const containerfile = read('container/Containerfile');
  const copied = [...containerfile.matchAll(/^COPY (\S+) \1$/gm)].map(([, path]) => path);
  for (const part of [
    'accounts',
    'adapters',
    'interactions',
    'keys',
    'provider',
    'admin-cli',
    'infra/migrations',
    'infra/backup',
    'infra/keyring',
    'infra/towns',
  ])
    t.true(copied.includes(part), part);
  t.false(copied.some((path) => /sandbox|cluster|test/.test(path ?? '')));
  t.regex(containerfile, /^USER 10001:10001$/m);
  const allowed = new Set(
    read('container/Containerfile.containerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1)),
  );
  const sources = [...containerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
    paths.split(' '),
  );
  t.true(sources.includes('infra/build-argon2.ts'));
  for (const path of sources) t.true(allowed.has(path), path);
});

/** podman-systemd.unit(5), as of Podman 5. */
const QUADLET: Record<string, readonly string[]> = {
  Container: [
    'Image',
    'ContainerName',
    'Environment',
    'EnvironmentFile',
    'Exec',
    'Secret',
    'Volume',
    'Network',
    'PublishPort',
    'User',
    'Group',
    'ReadOnly',
    'Tmpfs',
    'DropCapability',
    'AddCapability',
    'NoNewPrivileges',
    'PidsLimit',
    'ShmSize',
    'HealthCmd',
    'HealthInterval',
    'HealthOnFailure',
  ],
  Network: ['Subnet', 'Internal'],
  Volume: ['VolumeName'],
};

test('Quadlet files use keys that Podman knows, and name files that exist', (t) => {
  const files = readdirSync(join(INFRA, 'quadlet')).filter((name) => !name.endsWith('.md'));
  for (const file of files) {
    let section = '';
    for (const line of read(`quadlet/${file}`)
      .split('\n')
      .filter((one) => one !== '' && !one.startsWith('#'))) {
      section = /^\[(\w+)\]$/.exec(line)?.[1] ?? section;
      const [key = '', value = ''] = line.startsWith('[') ? [] : line.split(/=(.*)/, 2);
      if (key !== '' && QUADLET[section] !== undefined) t.true(QUADLET[section]?.includes(key), `${file}: ${key}`);
      const named = /^([\w-]+\.(?:network|volume|pod))/.exec(value)?.[1];
      if (named !== undefined) t.true(files.includes(named), `${file}: ${named}`);
    }
  }
});

const METRIC = /\b(schluessel_[a-z0-9_]+)/g;
/** Written by infra/backup/ for the node exporter. */
const OF_BACKUP = [
  'schluessel_backup_timestamp_seconds',
  'schluessel_backup_bytes',
  'schluessel_backup_seconds',
  'schluessel_drill_timestamp_seconds',
  'schluessel_drill_good',
  'schluessel_drill_rto_seconds',
  'schluessel_drill_rpo_seconds',
];

test('alerts and dashboard ask for measures that there are', async (t) => {
  const postgres = connect('postgres://nobody@127.0.0.1:9/none', { applicationName: 'test', max: 1 });
  const keys = createKeys(freshRing());
  const context = () =>
    ({ db: postgres.knex, now: () => new Date(), keys, actor: { kind: 'system', part: 'test' } }) as const;
  const health = createHealth({ context, migrations: join(INFRA, 'migrations') });
  const metrics = createMetrics({
    context,
    pool: postgres.pool,
    hashing: () => ({ processes: [], running: 0, waiting: 0, done: 0, refused: 0 }),
    health,
    log: createLog('fatal'),
  });
  const offered = new Set(
    [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
      type === 'histogram' ? [name, `${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  );
  await postgres.close();
  for (const file of ['monitoring/alerts.yml', 'monitoring/dashboard.json', 'monitoring/alerts.test.yml']) {
    for (const [, name = ''] of read(file).matchAll(METRIC)) {
      if (!name.endsWith('_')) t.true(offered.has(name) || OF_BACKUP.includes(name), `${file}: ${name}`);
    }
  }
  await content(t, 'promtool', ['check', 'rules', join(INFRA, 'monitoring/alerts.yml')]);
  await content(t, 'promtool', ['check', 'config', join(INFRA, 'monitoring/prometheus.yml')]);
  await content(t, 'promtool', ['test', 'rules', join(INFRA, 'monitoring/alerts.test.yml')]);
});

test('migrations only add: the version before goes on beside the new schema', (t) => {
  const takesAway = [
    /\bDROP\s+(TABLE|COLUMN|VIEW|TYPE|FUNCTION)\b/i,
    /\bRENAME\b/i,
    /\bALTER\s+COLUMN\s+\w+\s+(TYPE|SET\s+NOT\s+NULL|DROP\s+DEFAULT)\b/i,
    /\bADD\s+COLUMN\s+\w+\s+\w+\s+NOT\s+NULL\b(?!\s+DEFAULT)/i,
  ];
  const faults = (sql: string): boolean =>
    takesAway.some((pattern) => pattern.test(sql.replaceAll(/--.*$/gm, '').replaceAll(/\$\$[\s\S]*?\$\$/g, '')));
  for (const name of readdirSync(join(INFRA, 'migrations'))) t.false(faults(read(`migrations/${name}`)), name);
  t.true(faults('ALTER TABLE accounts\n  DROP COLUMN kind;'));
  t.true(faults('ALTER TABLE accounts ADD COLUMN colour text NOT NULL;'));
  t.false(faults("ALTER TABLE accounts ADD COLUMN colour text NOT NULL DEFAULT 'blue'; -- never RENAME"));
});

test('alerts wait for events that are recorded', (t) => {
  const recorded = ['audit', 'staff-audit']
    .map((name) => readFileSync(join(INFRA, `../accounts/${name}.ts`), 'utf8'))
    .join('\n');
  for (const file of ['monitoring/alerts.yml', 'monitoring/alerts.test.yml', 'monitoring/dashboard.json']) {
    const named = [...read(file).matchAll(/event=~?\\?"([^"\\]+)\\?"/g)].flatMap(([, names = '']) => names.split('|'));
    t.true(named.length > 0, file);
    for (const event of named)
      t.true(recorded.includes(`  '${event}': {`) || recorded.includes(`  '${event}': Record`), `${file}: ${event}`);
  }
});

test('every alert says what to do, and the pages it names exist', (t) => {
  const { groups } = parse(read('monitoring/alerts.yml')) as {
    groups: {
      rules: { alert: string; labels: { severity: string }; annotations: { summary: string; action: string } }[];
    }[];
  };
  for (const rule of groups.flatMap(({ rules }) => rules)) {
    t.true(['page', 'ticket', 'security'].includes(rule.labels.severity), rule.alert);
    const page = /docs\/handbuch\/[\w-]+\.md/.exec(rule.annotations.action)?.[0];
    if (page === undefined) continue;
    const text = readFileSync(join(INFRA, '..', page), 'utf8');
    const heading = /"([^"]+)"/.exec(rule.annotations.action)?.[1];
    if (heading !== undefined) t.true(text.includes(heading), `${page}: ${heading}`);
  }
});

test('dependencies are pinned, and the list of reasons names none that is gone', (t) => {
  const { dependencies } = JSON.parse(readFileSync(join(INFRA, '../package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const rows = readFileSync(join(INFRA, '../docs/dependencies.md'), 'utf8').matchAll(/^\| (`.*?`) \|/gm);
  for (const [, names = ''] of rows) {
    for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) t.true(name in dependencies, name);
  }
  for (const [name, version] of Object.entries(dependencies)) t.regex(version, /^\d+\.\d+\.\d+/, `${name} is pinned`);
});
