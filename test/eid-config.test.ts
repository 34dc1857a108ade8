import { chmodSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type Config, readConfig } from '../adapters/config.ts';
import { newKeyRing, parseKeyRing } from '../keys/key-ring.ts';
import { bundIdKeys } from './harness/bundid.ts';
import { eidKeys } from './harness/eid.ts';

const folder = mkdtempSync(join(tmpdir(), 'sources-'));
const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const BASE = {
  ISSUER: 'https://login.stadt.example',
  DATABASE_URL: 'postgres://u:p@db.stadt.example/k?sslmode=verify-full',
  SMTP_URL: 'smtps://u:pw@mail.stadt.example',
  TOWN_FILE: file('town.yaml', 'id: x'),
  TRUSTED_PROXIES: '127.0.0.1/32',
  KEYRING_FILE: file('keyring', newKeyRing()),
};

type Settings = Record<string, string | undefined>;
let all: Settings;

test.before(async () => {
  const eid = await eidKeys();
  const bundid = await bundIdKeys();
  all = {
    EID_SERVER_URL: 'https://eid.anbieter.example/eid',
    EID_SERVER_TLS_KEY_FILE: file('eid-tls.key', eid.client.key),
    EID_SERVER_TLS_CERT_FILE: file('eid-tls.crt', eid.client.certificate),
    EID_SERVER_TLS_CA_FILE: file('eid-ca.crt', eid.authority),
    EID_SERVER_SIGNING_KEY_FILE: file('eid-sign.key', eid.eServiceSigning.key),
    EID_SERVER_SIGNING_CERT_FILE: file('eid-sign.crt', eid.eServiceSigning.certificate),
    EID_SERVER_PEER_CERT_FILE: file('eid-peer.crt', eid.serverSigning.certificate + eid.strangerSigning.certificate),
    BUNDID_ENTITY_ID: 'https://login.stadt.example',
    BUNDID_IDP_ENTITY_ID: 'https://id.bund.de/idp',
    BUNDID_IDP_SSO_URL: 'https://id.bund.de/idp/profile/SAML2/POST/SSO',
    BUNDID_IDP_CERT_FILE: file('bund.crt', bundid.idp.certificate + bundid.nextIdp.certificate),
    BUNDID_SIGNING_KEY_FILE: file('bund-sign.key', bundid.signing.key),
    BUNDID_SIGNING_CERT_FILE: file('bund-sign.crt', bundid.signing.certificate),
    BUNDID_ENCRYPTION_KEY_FILE: file('bund-enc.key', bundid.encryption.key),
    BUNDID_ENCRYPTION_CERT_FILE: file('bund-enc.crt', bundid.encryption.certificate),
    BUNDID_ONLINE_SERVICE_ID: 'BMI-X0000',
    BUNDID_ORGANISATION: 'Stadt Gütersloh',
    UPSTREAM_ISSUER: 'https://login.arbeitgeber.example/',
    UPSTREAM_CLIENT_ID: 'stadtschluessel',
    UPSTREAM_CLIENT_SECRET_FILE: file('upstream', 'geheim\n'),
    UPSTREAM_LEVELS: 'urn:a=b=substantial, mfa=low',
  };
});

const read = (changes: Settings): Config | { faults: string[] } => readConfig({ ...BASE, ...changes }, parseKeyRing);
const faultsWith = (changes: Settings): string => {
  const config = read({ ...all, ...changes });
  return 'faults' in config ? config.faults.join('\n') : '';
};

test('no source is on unless it is set up', (t) => {
  t.deepEqual((read({}) as Config).sources, {});
});

test('all three are read from their files', (t) => {
  const { eid, bundid, upstream } = (read(all) as Config).sources;
  t.is(eid?.url.href, 'https://eid.anbieter.example/eid');
  t.is(eid?.serverCertificates.length, 2);
  t.is(bundid?.entityId, 'https://login.stadt.example');
  t.is(bundid?.acsUrl.href, 'https://login.stadt.example/bundid/acs');
  t.is(bundid?.idp.certificates.length, 2);
  t.is(upstream?.clientSecret, 'geheim');
  t.deepEqual(upstream?.levels, { 'urn:a=b': 'substantial', mfa: 'low' });
  t.false('insecureLoopback' in (upstream ?? {}));
  t.false('client' in (eid ?? {}));
});

test('a source is set up wholly or not at all, and each fault says what to do', (t) => {
  t.regex(faultsWith({ EID_SERVER_URL: undefined }), /^EID_SERVER_URL is missing, but EID_SERVER_PEER_CERT_FILE, /);
  const missing = read({ BUNDID_ENTITY_ID: all['BUNDID_ENTITY_ID'] });
  t.is('faults' in missing ? missing.faults.length : 0, 9);
  t.regex(faultsWith({ UPSTREAM_LEVELS: 'mfa' }), /^UPSTREAM_LEVELS: mfa is not acr=level/);
  t.regex(faultsWith({ BUNDID_ENTITY_ID: 'https://login.stadt.example:8443' }), /^BUNDID_ENTITY_ID has a port/);
});

test('nothing on this machine and nothing without TLS is a source: the counterparts of the sandbox are out of reach', (t) => {
  for (const name of ['EID_SERVER_URL', 'BUNDID_IDP_SSO_URL', 'UPSTREAM_ISSUER']) {
    for (const address of [
      'http://eid.example/',
      'https://localhost:3006/eid',
      'https://127.0.0.1/x',
      'https://[::1]/x',
      'ftp://x',
      'x',
    ]) {
      t.regex(faultsWith({ [name]: address }), new RegExp(`^${name} (is not an address|names this machine)`), address);
    }
  }
});

test('keys that are weak, open to others or of another certificate are refused, and never quoted', async (t) => {
  const eid = await eidKeys();
  const open = file('open.key', eid.eServiceSigning.key, 0o644);
  t.regex(faultsWith({ EID_SERVER_SIGNING_KEY_FILE: open }), /open to other users \(mode 644\)/);
  const other = file('other.key', eid.strangerSigning.key);
  t.regex(faultsWith({ EID_SERVER_SIGNING_KEY_FILE: other }), /do not belong together/);
  const weak = {
    EID_SERVER_SIGNING_KEY_FILE: all['EID_SERVER_TLS_KEY_FILE'],
    EID_SERVER_SIGNING_CERT_FILE: all['EID_SERVER_TLS_CERT_FILE'],
  };
  t.regex(faultsWith(weak), /no RSA key of 3000 bits/);
  const rubbish = faultsWith({
    BUNDID_SIGNING_KEY_FILE: file('rubbish.key', 'hunter2'),
    BUNDID_IDP_CERT_FILE: file('rubbish.crt', 'hunter2'),
  });
  t.regex(rubbish, /no private key/);
  t.regex(rubbish, /holds 0 certificates/);
  t.false(rubbish.includes('hunter2'));
  t.regex(faultsWith({ BUNDID_SIGNING_KEY_FILE: '/nowhere/key' }), /cannot be read \(ENOENT\)/);
});

test('the next certificate for signatures is published before it is used', async (t) => {
  const bundid = await bundIdKeys();
  const next = file('bund-next.crt', bundid.stranger.certificate);
  const config = read({ ...all, BUNDID_NEXT_SIGNING_CERT_FILE: next }) as Config;
  t.is(config.sources.bundid?.signing.next?.trim(), bundid.stranger.certificate.trim());
  const rubbish = file('bund-next-rubbish.crt', 'x');
  t.regex(
    faultsWith({ BUNDID_NEXT_SIGNING_CERT_FILE: rubbish }),
    /^BUNDID_NEXT_SIGNING_CERT_FILE holds 0 certificates/,
  );
});

test('nothing of production leads to the sandbox: no module of it is loaded by what is started there', (t) => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    for (const [, one, two] of text.matchAll(
      /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'|new URL\('([^']+\.ts)', import\.meta\.url\)/g,
    )) {
      const target = join(dirname(path), one ?? two ?? '');
      if (/\.ts$/.test(target)) visit(target);
    }
  };
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const entry = /([\w/-]+\.ts)/.exec(scripts['serve'] ?? '')?.[1] ?? '';
  for (const start of [entry, 'admin-cli/main.ts']) visit(join(root, start));
  t.true(seen.size > 100, `${seen.size} modules`);
  t.true([...seen].some((path) => path.endsWith('adapters/eid-server.ts')));
  t.deepEqual(
    [...seen].filter((path) => path.startsWith(join(root, 'infra/sandbox')) || path.startsWith(join(root, 'test'))),
    [],
  );
  // And the counterparts share no code with the bridge.
  const counterparts = new Set<string>();
  const bridge = seen;
  const folder = join(root, 'infra/sandbox/counterparts');
  for (const name of readdirSync(folder).filter((one) => one !== 'start.ts')) {
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, target] of text.matchAll(/from '(\.\.\/[^']+)'/g)) counterparts.add(join(folder, target ?? ''));
  }
  t.deepEqual(
    [...counterparts].filter((path) => bridge.has(path)),
    [],
  );
});

test('a certificate that has expired is found at the start', (t) => {
  const late = readConfig({ ...BASE, ...all }, parseKeyRing, undefined, new Date('2060-01-01'));
  t.regex('faults' in late ? late.faults.join('\n') : '', /EID_SERVER_PEER_CERT_FILE has expired/);
});
