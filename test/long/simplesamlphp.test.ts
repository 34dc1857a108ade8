/** SimpleSAMLphp (Debian package simplesamlphp), which nobody here wrote, as SAML identity provider. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createBundId } from '../../adapters/bundid.ts';
import { ACS, BPK2, bundIdKeys, bundIdSettings, ENTITY_ID, IDP } from '../harness/bundid.ts';
import { memoryMarks } from '../harness/eid.ts';
import { freePort } from '../harness/free-port.ts';

const INSTALLED = '/usr/share/simplesamlphp';
const INSTALL =
  'SimpleSAMLphp is missing: apt-get install --no-install-recommends simplesamlphp php-cli php-xml php-mbstring';
const folder = mkdtempSync(join(tmpdir(), 'simplesamlphp-'));
let php: ChildProcess | undefined;
let origin = '';

const base64 = (pem: string): string => pem.replaceAll(/-----[^-]+-----|\s/g, '');

const configure = async (): Promise<void> => {
  const keys = await bundIdKeys();
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  for (const name of ['metadata', 'cert', 'log', 'tmp', 'sessions']) mkdirSync(join(folder, name));
  write('cert/idp.pem', keys.idp.key);
  write('cert/idp.crt', keys.idp.certificate);
  write(
    'config.php',
    `<?php $config = ['baseurlpath' => '${origin}/', 'certdir' => '${folder}/cert/', 'loggingdir' => '${folder}/log/', 'datadir' => '${folder}/', 'tempdir' => '${folder}/tmp',
    'secretsalt' => 'only-for-tests', 'auth.adminpassword' => 'only-for-tests-4711', 'technicalcontact_email' => 'na@example.org', 'logging.handler' => 'file', 'logging.level' => 7,
    'enable.saml20-idp' => true, 'store.type' => 'phpsession', 'session.phpsession.savepath' => '${folder}/sessions', 'session.cookie.secure' => false, 'session.cookie.samesite' => null,
    'metadatadir' => '${folder}/metadata/', 'metadata.sources' => [['type' => 'flatfile']], 'module.enable' => ['exampleauth' => true, 'saml' => true, 'core' => true], 'errorreporting' => false];`,
  );
  write(
    'authsources.php',
    `<?php $config = ['people' => ['exampleauth:UserPass', 'erika:geheim' => ['urn:oid:2.5.4.42' => ['Erika'], '${BPK2}' => ['bpk-of-erika']]]];`,
  );
  write(
    'metadata/saml20-idp-hosted.php',
    `<?php $metadata['${IDP}'] = ['host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'people',
    'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', 'attributes.NameFormat' => 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri',
    'NameIDFormat' => 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient', 'authproc' => [50 => ['class' => 'core:PHP', 'code' => '$state["saml:AuthnContextClassRef"] = "STORK-QAA-Level-3";']]];`,
  );
  write(
    'metadata/saml20-sp-remote.php',
    `<?php $metadata['${ENTITY_ID}'] = ['AssertionConsumerService' => '${ACS}', 'validate.authnrequest' => true, 'saml20.sign.response' => true, 'saml20.sign.assertion' => true,
    'assertion.encryption' => true, 'attributes' => [],
    'keys' => [['encryption' => false, 'signing' => true, 'type' => 'X509Certificate', 'X509Certificate' => '${base64(keys.signing.certificate)}'],
      ['encryption' => true, 'signing' => false, 'type' => 'X509Certificate', 'X509Certificate' => '${base64(keys.encryption.certificate)}']]];`,
  );
};

test.before(async (t) => {
  if (!existsSync(INSTALLED)) return t.fail(INSTALL);
  cpSync(INSTALLED, join(folder, 'program'), { recursive: true, dereference: true });
  const port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  await configure();
  php = spawn('php', ['-d', 'opcache.enable=0', '-S', `127.0.0.1:${port}`, '-t', join(folder, 'program', 'www')], {
    env: { ...process.env, SIMPLESAMLPHP_CONFIG_DIR: folder },
    stdio: 'ignore',
  });
  const failed = new Promise<string>((resolve) => void php?.once('error', () => resolve(INSTALL)));
  const up = (async () => {
    for (let tries = 0; tries < 100; tries += 1) {
      if (
        await fetch(origin, { redirect: 'manual' }).then(
          () => true,
          () => false,
        )
      )
        return 'up';
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return 'php does not answer';
  })();
  const state = await Promise.race([up, failed]);
  if (state !== 'up') t.fail(state);
});

test.after.always(() => {
  php?.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** A browser: cookies, redirects, forms. */
const createBrowser = () => {
  const jar = new Map<string, string>();
  const go = async (address: string, body?: URLSearchParams): Promise<{ url: string; text: string }> => {
    const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
    const answer = await fetch(address, {
      redirect: 'manual',
      headers: { cookie },
      ...(body && { method: 'POST', body }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    const location = answer.headers.get('location');
    return location === null ? { url: address, text: await answer.text() } : go(new URL(location, address).href);
  };
  return go;
};

const value = (html: string, name: string): string =>
  (new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '').replaceAll('&amp;', '&');

/** Signs in there, and reads what it answers. */
const signIn = async (t: ExecutionContext) => {
  const settings = bundIdSettings(await bundIdKeys());
  const idp = { ...settings.idp, ssoUrl: new URL(`${origin}/saml2/idp/SSOService.php`) };
  const reasons: string[] = [];
  const bridge = createBundId(
    { ...settings, idp },
    {
      now: () => new Date(),
      once: memoryMarks(),
      log: { warn: (details) => void reasons.push(String((details as { detail?: unknown }).detail)) },
    },
  );
  const question = { level: 3, pseudonym: true, read: ['names'] } as const;
  const { action, samlRequest, requestId } = await bridge.request(question, 'de');
  const go = createBrowser();
  const login = await go(action, new URLSearchParams({ SAMLRequest: samlRequest, RelayState: 'relay' }));
  const form = new URLSearchParams({
    username: 'erika',
    password: 'geheim',
    AuthState: value(login.text, 'AuthState'),
  });
  const back = await go(login.url, form);
  t.is(value(back.text, 'RelayState'), 'relay', back.text.slice(0, 2000));
  const read = () => bridge.read(value(back.text, 'SAMLResponse'), requestId, question);
  return { answer: await read(), read, reasons };
};

test.serial('it takes our request, and its answer is refused as long as it seals with AES-CBC', async (t) => {
  const { answer, reasons } = await signIn(t);
  t.deepEqual(answer, { outcome: 'untrusted' });
  t.deepEqual(reasons, ['algorithm of EncryptionMethod of the content']);
});

test.serial('it signs a citizen in, sealing with AES-GCM', async (t) => {
  // It knows both, but has no setting for it where it seals with a certificate.
  const file = join(folder, 'program/vendor/simplesamlphp/saml2/src/SAML2/EncryptedAssertion.php');
  const [before, after] = [
    'new XMLSecurityKey(XMLSecurityKey::AES128_CBC)',
    'new XMLSecurityKey(XMLSecurityKey::AES256_GCM)',
  ];
  const php = readFileSync(file, 'utf8');
  t.true(php.includes(before));
  writeFileSync(file, php.replace(before, after));
  const { answer, read, reasons } = await signIn(t);
  t.deepEqual(reasons, []);
  t.deepEqual(answer, {
    outcome: 'proven',
    pseudonym: 'bpk-of-erika',
    level: 'substantial',
    attributes: { given_name: 'Erika' },
  });
  t.deepEqual(await read(), { outcome: 'untrusted' });
});

test.serial('it refuses a request that another one signed', async (t) => {
  const keys = await bundIdKeys();
  const settings = { ...bundIdSettings(keys), signing: keys.stranger };
  const idp = { ...settings.idp, ssoUrl: new URL(`${origin}/saml2/idp/SSOService.php`) };
  const bridge = createBundId(
    { ...settings, idp },
    { now: () => new Date(), once: memoryMarks(), log: { warn: () => {} } },
  );
  const { action, samlRequest } = await bridge.request({ level: 3, pseudonym: true, read: [] }, 'de');
  const login = await createBrowser()(action, new URLSearchParams({ SAMLRequest: samlRequest, RelayState: 'relay' }));
  t.is(value(login.text, 'AuthState'), '');
});
