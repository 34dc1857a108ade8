import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { CLAIM_CATALOGUE } from '../accounts/claims.ts';
import { formatTownFault, loadTown, type TownFault } from '../adapters/town.ts';
import { followTownFile, watchTownFile } from '../adapters/town-file.ts';

const GUETERSLOH = new URL('../infra/towns/guetersloh/', import.meta.url);

const SMALL_TOWN = `id: musterdorf
name: { de: Musterdorf, tr: Musterdorf }
municipality_key: "12345678"
languages: [de, tr]
contact: { email: post@musterdorf.example, phone: +49 1234 5678, address: "Dorfplatz 1, 12345 Musterdorf" }
office:
  name: { de: Gemeindehaus, tr: Belediye }
  address: Dorfplatz 1, 12345 Musterdorf
  hours: { de: Montags, tr: Pazartesi }
pages:
  imprint: https://musterdorf.example/impressum
  privacy: https://musterdorf.example/datenschutz
  accessibility: https://musterdorf.example/barrierefreiheit
  feedback: https://musterdorf.example/feedback
  ombuds: https://land.example/ombudsstelle
organisations:
  - id: gemeinde
    name: { de: Gemeinde, tr: Belediye }
`;

const SMALL_SERVICE = `client_id: rathaus
organisation: gemeinde
name: { de: Rathaus, tr: Belediye }
description: { de: Anträge, tr: Başvurular }
kind: web
token_endpoint_auth_method: client_secret_basic
redirect_uris: [https://rathaus.musterdorf.example/callback]
contacts: [technik@musterdorf.example]
`;

/** Writes a town into a folder of its own; returns the path of its town.yaml. */
const townOf = (town: string, services: Record<string, string> = {}): string => {
  const folder = mkdtempSync(join(tmpdir(), 'town-'));
  mkdirSync(join(folder, 'services'));
  writeFileSync(join(folder, 'town.yaml'), town);
  for (const [name, text] of Object.entries(services)) writeFileSync(join(folder, 'services', `${name}.yaml`), text);
  return join(folder, 'town.yaml');
};

const faultsOf = (path: string): TownFault[] => {
  const loaded = loadTown(path);
  return 'faults' in loaded ? loaded.faults : [];
};

/** The faults of the small service with some of its lines replaced, or with lines added at its end. */
const serviceFaults = (change: (text: string) => string): TownFault[] =>
  faultsOf(townOf(SMALL_TOWN, { rathaus: change(SMALL_SERVICE) }));

test('Gütersloh is a town with its organisations and services', (t) => {
  const loaded = loadTown(new URL('town.yaml', GUETERSLOH).pathname);
  t.false('faults' in loaded, 'faults' in loaded ? loaded.faults.map(formatTownFault).join('\n') : '');
  if ('faults' in loaded) return;
  const { town, registrations } = loaded;
  t.is(town.municipalityKey, '05754008');
  t.is(town.organisations.length, 8);
  t.deepEqual(
    registrations.map(({ clientId }) => clientId),
    [
      ...['bauakte', 'beteiligung', 'buergerportal', 'elternbeitragsrechner', 'klinikum', 'kulturraeume'],
      ...['maengelmelder', 'marketing', 'mitarbeiterportal', 'opendata', 'ratsinformation', 'schulwegticket'],
      ...['sparkasse', 'stadtbibliothek', 'stadtwerke', 'stadtwerkekonto', 'ticketchipkarte', 'volkshochschule'],
      ...['zentraleapp'],
    ],
  );
  const app = registrations.find(({ kind }) => kind === 'native');
  t.like(app, { clientId: 'zentraleapp', authMethod: 'none', refreshTokens: true });
  t.true(app?.redirectUris.every((uri) => uri.startsWith('https://')));
});

test('every file of Gütersloh tells editors its schema', (t) => {
  const files = ['town.yaml', ...readdirSync(new URL('services/', GUETERSLOH)).map((name) => `services/${name}`)];
  for (const file of files) {
    const [first = ''] = readFileSync(new URL(file, GUETERSLOH), 'utf8').split('\n');
    const [, schema = ''] = /^# yaml-language-server: \$schema=(.+)$/.exec(first) ?? [];
    t.notThrows(() => JSON.parse(readFileSync(new URL(schema, new URL(file, GUETERSLOH)), 'utf8')), file);
  }
});

test('the schema for editors knows exactly the claims of the catalogue', (t) => {
  const schema = JSON.parse(readFileSync(new URL('../service.schema.json', GUETERSLOH), 'utf8'));
  const known: string[] = schema.properties.claims.items.properties.claim.enum;
  t.deepEqual([...known].sort(), Object.keys(CLAIM_CATALOGUE).sort());
});

test('a service for staff says so in its file, and learns nothing but a pseudonym', (t) => {
  const loaded = loadTown(townOf(SMALL_TOWN, { rathaus: `${SMALL_SERVICE}staff: true\n` }));
  if ('faults' in loaded) return t.fail(loaded.faults.map(formatTownFault).join('\n'));
  t.true(loaded.registrations[0]?.staff);
  const claim = `claims:
  - { claim: given_name, purpose: { de: Anrede, tr: Hitap }, legal_basis: { de: Satzung, tr: Tüzük }, required: true }
`;
  const [fault, ...more] = serviceFaults((text) => `${text}staff: true\n${claim}`);
  t.is(more.length, 0);
  t.regex(fault?.reason ?? '', /a service for staff gets a pseudonym and nothing else/);
  t.is(fault?.line, 11);
});

test('another town with other languages needs no change of the code', (t) => {
  const loaded = loadTown(townOf(SMALL_TOWN, { rathaus: SMALL_SERVICE }));
  t.false('faults' in loaded, 'faults' in loaded ? loaded.faults.map(formatTownFault).join('\n') : '');
  if ('faults' in loaded) return;
  t.deepEqual(loaded.town.languages, ['de', 'tr']);
  t.like(loaded.registrations[0], {
    clientId: 'rathaus',
    claims: [],
    refreshTokens: false,
    needsEmail: false,
    postLogoutRedirectUris: [],
  });
});

test('a town without services is a town', (t) => {
  const path = townOf(SMALL_TOWN);
  t.deepEqual(faultsOf(path), []);
});

test('a fault has file, line, column, reason and an example', (t) => {
  const [fault, ...more] = serviceFaults((text) => text.replace('kind: web', 'kind: webb'));
  t.deepEqual(more, []);
  t.true(fault?.file.endsWith('services/rathaus.yaml'));
  t.like(fault, {
    line: 5,
    column: 7,
    reason: 'kind must be one of: web, spa, native, device, api',
    example: 'kind: web',
  });
  t.regex(formatTownFault(fault as TownFault), /rathaus\.yaml:5:7: kind must be .*\. Right would be: kind: web$/);
});

test('all faults of all files are reported at once', (t) => {
  const path = townOf(SMALL_TOWN.replace('"12345678"', '05754008').replace('  privacy:', '  privacyy:'), {
    rathaus: SMALL_SERVICE.replace('organisation: gemeinde\n', '').replace('kind: web', 'kind: webb'),
    bad: 'client_id: [',
  });
  const faults = faultsOf(path).map(({ file, line, reason }) => `${file.split('/').at(-1)}:${line} ${reason}`);
  t.true(
    faults.some((one) => one.startsWith('town.yaml:3 municipality_key must be a string, so put it in quotes')),
    faults.join('\n'),
  );
  t.true(faults.includes('town.yaml:11 pages.privacy is missing'));
  t.true(faults.includes('town.yaml:12 pages.privacyy is not known here; did you mean privacy?'));
  t.true(faults.includes('rathaus.yaml:1 organisation is missing'));
  t.true(faults.some((one) => one.startsWith('rathaus.yaml:4 kind must be one of')));
  t.true(faults.some((one) => one.startsWith('bad.yaml:1 not readable as YAML')));
});

test('a file that is not there, is empty or is no map is a fault, not a crash', (t) => {
  t.regex(faultsOf('/nowhere/town.yaml')[0]?.reason ?? '', /does not exist/);
  for (const text of ['', '- a\n- b\n', 'just text', 'a: 1\na: 2\n', '&a [*a, *a]', '\u0000']) {
    t.true(faultsOf(townOf(text)).length > 0, JSON.stringify(text));
  }
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    ...'bcdefgh'.split('').map((name, i) => `${name}: &${name} [${`*${'abcdefg'[i]},`.repeat(9)}]`),
  ];
  t.true(faultsOf(townOf(bomb.join('\n'))).length > 0);
});

const REDIRECTS: Record<string, [string, RegExp]> = {
  wildcard: ['https://*.musterdorf.example/callback', /wildcard/],
  'wildcard in the path': ['https://rathaus.musterdorf.example/*', /wildcard/],
  relative: ['/callback', /not an absolute address/],
  http: ['http://rathaus.musterdorf.example/callback', /must begin with https/],
  localhost: ['https://localhost/callback', /only the sandbox permits/],
  'http localhost': ['http://localhost:3001/callback', /must begin with https/],
  fragment: ['"https://rathaus.musterdorf.example/callback#x"', /fragment/],
  'user name': ['https://a:b@rathaus.musterdorf.example/callback', /user name or password/],
  'two at signs': ['https://a@@evil.example/callback', /user name or password/],
  'dot segments': [
    'https://rathaus.musterdorf.example/a/../callback',
    /exact form; write https:\/\/rathaus.musterdorf.example\/callback$/,
  ],
  'upper-case host': ['https://RATHAUS.musterdorf.example/callback', /exact form/],
  'default port': ['https://rathaus.musterdorf.example:443/callback', /exact form/],
  backslash: ['"https://rathaus.musterdorf.example\\\\callback"', /exact form/],
  javascript: ['"JaVaScript:alert(1)"', /only apps/],
  'custom scheme': ['"de.musterdorf.app:/callback"', /only apps/],
};
for (const [name, [uri, reason]] of Object.entries(REDIRECTS)) {
  test(`a redirect URI is refused: ${name}`, (t) => {
    const faults = serviceFaults((text) => text.replace('https://rathaus.musterdorf.example/callback', uri));
    t.is(faults.length, 1);
    t.regex(faults[0]?.reason ?? '', reason);
    t.is(faults[0]?.line, 7);
    t.truthy(faults[0]?.example);
  });
}

test('an app may use its reversed domain as a scheme, and nothing shorter', (t) => {
  const native = (uri: string) =>
    serviceFaults((text) =>
      text
        .replace('kind: web', 'kind: native')
        .replace('client_secret_basic', 'none')
        .replace('https://rathaus.musterdorf.example/callback', uri),
    );
  t.deepEqual(native('"de.musterdorf.app:/callback"'), []);
  t.regex(native('"musterdorf:/callback"')[0]?.reason ?? '', /reversed domain/);
  t.regex(native('"javascript:alert(1)"')[0]?.reason ?? '', /reversed domain/);
});

test('in the sandbox, and only there, http on this machine is fine', (t) => {
  const path = townOf(SMALL_TOWN, {
    rathaus: SMALL_SERVICE.replace('https://rathaus.musterdorf.example', 'http://localhost:3001'),
  });
  t.false('faults' in loadTown(path, { localhost: true }));
  t.true('faults' in loadTown(path));
});

const RULES: Record<string, [(text: string) => string, RegExp]> = {
  'organisation of no town': [
    (text) => text.replace('gemeinde', 'gemeinden'),
    /organisation gemeinden is not in town.yaml; there are: gemeinde/,
  ],
  'client_id with other characters': [
    (text) => text.replace('rathaus\n', 'rat-haus\n'),
    /client_id does not have the right form/,
  ],
  'file named otherwise': [
    (text) => text.replace('rathaus\n', 'ratshaus\n'),
    /must be named after its client_id: ratshaus\.yaml/,
  ],
  'missing language': [(text) => text.replace(', tr: Başvurular', ''), /description has no text in tr/],
  'foreign language': [(text) => text.replace('tr: Başvurular', 'tr: x, fr: y'), /fr is not a language of the town/],
  'unknown claim': [
    (text) =>
      `${text}claims:\n  - { claim: blood_type, purpose: { de: x, tr: x }, legal_basis: { de: x, tr: x }, required: true }\n`,
    /claims\[0\]\.claim must be one of/,
  ],
  'claim without purpose': [
    (text) => `${text}claims:\n  - { claim: name, legal_basis: { de: x, tr: x }, required: true }\n`,
    /claims\[0\]\.purpose is missing/,
  ],
  'needs_email without the claim': [(text) => `${text}needs_email: true\n`, /needs_email without the claim email/],
  'secret in an app': [(text) => text.replace('kind: web', 'kind: native'), /cannot keep a secret/],
  'web without authentication': [(text) => text.replace('client_secret_basic', 'none'), /must authenticate/],
  'private_key_jwt without keys': [
    (text) => text.replace('client_secret_basic', 'private_key_jwt'),
    /needs the public keys/,
  ],
  'private key in jwks': [
    (text) =>
      `${text.replace('client_secret_basic', 'private_key_jwt')}jwks: { keys: [{ kty: EC, crv: P-256, x: a, y: b, d: c }] }\n`,
    /holds private material \(d\)/,
  ],
  'no redirect URI': [(text) => text.replace(/redirect_uris.*\n/, ''), /redirect_uris is missing/],
  'PKCE exemption without end': [
    (text) => `${text}pkce_exemption: { reason: The product cannot do it }\n`,
    /pkce_exemption\.until is missing/,
  ],
  'PKCE exemption until no day': [
    (text) => `${text}pkce_exemption: { reason: The product cannot do it, until: "2027-02-30" }\n`,
    /not a day of the calendar/,
  ],
  'audience exemption without assertions': [
    (text) => `${text}audience_exemption: { reason: The product cannot do it, until: "2027-06-30" }\n`,
    /client_secret_basic sends no assertion/,
  ],
  'audience exemption until no day': [
    (text) =>
      `${text.replace('client_secret_basic', 'private_key_jwt')}audience_exemption: { reason: The product cannot do it, until: "2027-02-30" }\n`,
    /not a day of the calendar/,
  ],
  'origins of a web service': [(text) => `${text}cors_origins: [https://a.example]\n`, /only a service of kind spa/],
  'misspelt field': [
    (text) => `${text}refreshTokens: true\n`,
    /refreshTokens is not known here; did you mean refresh_tokens\?/,
  ],
};
for (const [name, [change, reason]] of Object.entries(RULES)) {
  test(`a service is refused: ${name}`, (t) => {
    const faults = serviceFaults(change);
    t.true(
      faults.some((fault) => reason.test(fault.reason)),
      faults.map(formatTownFault).join('\n'),
    );
  });
}

test('a client_id belongs to one service, whatever its case', (t) => {
  const faults = faultsOf(
    townOf(SMALL_TOWN, { rathaus: SMALL_SERVICE, Rathaus: SMALL_SERVICE.replace('rathaus\n', 'Rathaus\n') }),
  );
  t.is(faults.length, 1);
  t.regex(faults[0]?.reason ?? '', /is taken by/);
});

test('a copy of Gütersloh elsewhere loads as well', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'town-'));
  cpSync(GUETERSLOH.pathname, folder, { recursive: true });
  t.deepEqual(faultsOf(join(folder, 'town.yaml')), []);
});

const SECURE = `${SMALL_SERVICE.replace('client_secret_basic', 'private_key_jwt')}jwks_uri: https://rathaus.musterdorf.example/jwks.json
security_profile: fapi2
bound_tokens: dpop
`;

const secureFaults = (change: (text: string) => string): string =>
  faultsOf(townOf(SMALL_TOWN, { rathaus: change(SECURE) }))
    .map(({ reason }) => reason)
    .join('; ');

test('a service of the FAPI profile has keys, bound tokens and no exemption', (t) => {
  t.is(
    secureFaults((text) => text),
    '',
  );
  t.regex(
    secureFaults((text) => text.replace('private_key_jwt', 'client_secret_basic')),
    /fapi2 needs private_key_jwt/,
  );
  t.regex(
    secureFaults((text) => text.replace('bound_tokens: dpop\n', '')),
    /needs bound_tokens/,
  );
  t.regex(
    secureFaults((text) => `${text}rs256: { reason: Das Produkt kann nichts anderes }\n`),
    /permits no RS256/,
  );
  t.regex(
    secureFaults((text) => `${text}pkce_exemption: { reason: Das Produkt kann kein PKCE, until: "2027-06-30" }\n`),
    /no exemption from PKCE/,
  );
  t.regex(
    secureFaults((text) => `${text}audience_exemption: { reason: Das Produkt kann nur das, until: "2027-06-30" }\n`),
    /the issuer alone as audience/,
  );
});

test('a certificate needs its one name, or to be registered itself', (t) => {
  const byCertificate = (method: string, more = ''): string =>
    serviceFaults((text) => `${text.replace('client_secret_basic', method)}${more}`)
      .map(({ reason }) => reason)
      .join('; ');
  t.regex(byCertificate('tls_client_auth'), /needs the name in the certificate/);
  t.is(byCertificate('tls_client_auth', 'tls_client_auth_san_dns: rathaus.musterdorf.example\n'), '');
  t.regex(byCertificate('self_signed_tls_client_auth'), /needs the certificate/);
  t.regex(byCertificate('client_secret_basic', 'tls_client_auth_san_dns: x.example\n'), /for tls_client_auth only/);
});

const API_SERVICE = `client_id: ausleihe
organisation: buecherei
name: { de: Ausleihe, tr: Ödünç }
description: { de: Ausleihen, tr: Ödünç }
kind: api
token_endpoint_auth_method: client_secret_basic
contacts: [technik@musterdorf.example]
resource: { identifier: 'https://api.buecher.example/', scopes: ['ausleihen:lesen'], tokens: opaque }
`;
const apisOf = (resource: string, scope: string): string =>
  `${SMALL_SERVICE}apis:\n  - { resource: '${resource}', scopes: ['${scope}'], purpose: { de: Ausleihen zeigen, tr: Ödünç }, legal_basis: { de: Einwilligung, tr: Onay } }\n`;

test('a service names the APIs of other organisations that it calls, and nothing that is not there', (t) => {
  const town = `${SMALL_TOWN}  - id: buecherei\n    name: { de: Bücherei, tr: Kütüphane }\n`;
  const reasons = (service: string, api = API_SERVICE): string[] =>
    faultsOf(townOf(town, { rathaus: service, ausleihe: api })).map(({ reason }) => reason);
  const right = apisOf('https://api.buecher.example/', 'ausleihen:lesen');
  t.deepEqual(reasons(right), []);
  t.regex(
    reasons(apisOf('https://fremd.example/', 'x'))[0] ?? '',
    /no service has the API .* there are: https:\/\/api/,
  );
  t.regex(reasons(apisOf('https://api.buecher.example/', 'alles'))[0] ?? '', /has no scope alles/);
  t.regex(reasons(right, API_SERVICE.replace(': buecherei', ': gemeinde'))[0] ?? '', /same organisation/);
  t.regex(reasons(right.replace(', tr: Onay', ''))[0] ?? '', /legal_basis has no text in tr/);
  const second = API_SERVICE.replace(': ausleihe\n', ': zweite\n');
  const twice = faultsOf(townOf(town, { ausleihe: API_SERVICE, zweite: second }));
  t.regex(twice[0]?.reason ?? '', /is the API of ausleihe already/);
});

test('tokens are encrypted only to a public key that can take them', (t) => {
  const reasons = (key: string, tokens = 'jwt'): string[] => {
    const resource = `tokens: ${tokens}, encryption_key: ${key} }`;
    return serviceFaults(() =>
      API_SERVICE.replace(': ausleihe\n', ': rathaus\n')
        .replace('buecherei', 'gemeinde')
        .replace('tokens: opaque }', resource),
    ).map(({ reason }) => reason);
  };
  const jwk = ({ publicKey }: { publicKey: KeyObject }): string => JSON.stringify(publicKey.export({ format: 'jwk' }));
  const ec = jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
  t.deepEqual(reasons(ec), []);
  t.deepEqual(reasons(jwk(generateKeyPairSync('x25519'))), []);
  t.regex(reasons(ec, 'opaque')[0] ?? '', /nothing to encrypt/);
  t.deepEqual(reasons(jwk(generateKeyPairSync('rsa', { modulusLength: 3072 }))), []);
  for (const wrong of [
    generateKeyPairSync('ed25519'),
    generateKeyPairSync('x448'),
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  ]) {
    t.regex(reasons(jwk(wrong))[0] ?? '', /no key to encrypt to/);
  }
  t.regex(reasons(jwk(generateKeyPairSync('rsa', { modulusLength: 2048 })))[0] ?? '', /fewer than 3000 bits/);
  t.regex(reasons('{ kty: EC, crv: P-256, x: a, y: b }')[0] ?? '', /no public key/);
  t.regex(reasons(ec.replace('}', ',"d":"x"}'))[0] ?? '', /private material/);
});

test('who watches the town’s file is told when it is written or replaced, without asking', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'schluessel-town-'));
  const file = join(folder, 'town.yaml');
  writeFileSync(file, 'name: Eins');
  const look = followTownFile(file);
  const told: (() => void)[] = [];
  // The watch keeps no process alive by itself.
  const alive = setInterval(() => {}, 1000);
  const watching = watchTownFile(file, () => told.shift()?.());
  const change = async (write: () => void): Promise<void> => {
    const heard = new Promise<void>((resolve) => told.push(resolve));
    write();
    await heard;
    t.truthy(await look());
  };
  t.is(await look(), undefined);
  await change(() => writeFileSync(file, 'name: Zwei!'));
  await change(() => {
    writeFileSync(join(folder, 'new'), 'name: Drittens');
    renameSync(join(folder, 'new'), file);
  });
  t.is(await look(), undefined);
  watching.close();
  clearInterval(alive);
  rmSync(folder, { recursive: true });
});
