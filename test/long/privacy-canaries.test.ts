/**
 * Twenty citizens whose every detail stands nowhere else in the world go the whole way: registration, services of two
 * organisations, consent, an authenticator app, deletion. Everything that was ever written is searched before and after.
 */
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { generateSync } from 'otplib';
import * as accounts from '../../accounts/accounts.ts';
import type { ClaimUse } from '../../accounts/town.ts';
import { takeBackup } from '../../infra/backup/backup.ts';
import { postgresProgram } from '../../infra/backup/settings.ts';
import { newIdentity } from '../../infra/backup/shares.ts';
import { throwAway } from '../../infra/backup/throw-away.ts';
import { de } from '../../interactions/texts/de.ts';
import { startCluster } from '../harness/cluster.ts';
import { hasRedis, startRedis, type TestRedis } from '../harness/redis.ts';
import { atHome, authorizationUrl, obtainCode, pkce, redeem, userinfo } from '../harness/relying-party.ts';
import { searchFiles, searchIn } from '../harness/search.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { Visitor } from '../harness/visitor.ts';
import { registerAt } from '../harness/walk-in.ts';

const CANARIES = 20;
const PASSWORD = 'zwanzig bunte Kanarienvögel singen';

const word = (): string => randomBytes(6).toString('hex');
const canaries = Array.from({ length: CANARIES }, (_, n) => ({
  email: `kanari.${word()}@buerger.example`,
  givenName: `Piep${word()}`,
  familyName: `Vogel${word()}`,
  // Of a century in which no other date of these tests lies.
  birthdate: `19${10 + n}-0${1 + randomInt(9)}-${10 + randomInt(18)}`,
  street: `Käfiggasse${word()} 7`,
}));
/** What came into being on the way: TOTP secrets, pseudonyms, codes, tokens, names of accounts. */
const born: string[] = [];
const texts = (): string[] => [
  ...canaries.flatMap((one) => [one.email, one.givenName, one.familyName, one.birthdate, one.street]),
  ...born,
];

const required = (claim: string): ClaimUse => ({
  claim,
  required: true,
  purpose: { de: 'Zweck', en: 'Purpose' },
  legalBasis: { de: 'Gesetz', en: 'Law' },
});

const hasPrograms = await promisify(execFile)(postgresProgram(process.env, 'pg_dump'), ['--version']).then(
  () => true,
  () => false,
);

let town: RunningTown;
let redis: TestRedis | undefined;
let directory: string;
const backups = mkdtempSync(join(tmpdir(), 'schluessel-canaries-'));
const endings: (() => Promise<void>)[] = [];

test.before(async () => {
  // The machine's own Postgres, where there is one: the embedded one comes without pg_dump.
  const server = hasPrograms ? await throwAway(process.env) : await startCluster();
  endings.push(() => server.end());
  redis = hasRedis() ? await startRedis() : undefined;
  await redis?.client.config('SET', 'appendonly', 'yes');
  town = await startTown({
    server: server.url,
    deletionSeconds: 0,
    ...(redis && { redisUrl: redis.url }),
    registered: (registration) =>
      registration.clientId === 'portal'
        ? { ...registration, claims: [...registration.claims, required('birthdate'), required('address')] }
        : registration,
  });
  const { rows } = await town.database.pool.query('SHOW data_directory');
  directory = rows[0].data_directory;
});

test.after.always(async () => {
  await town?.close();
  await redis?.end();
  for (const end of endings) await end();
  rmSync(backups, { recursive: true, force: true });
});

/** Files and write-ahead log, dump and log of Redis, logs, mails without recipients, an encrypted backup and a plain dump. */
const everywhere = async (): Promise<string[]> => {
  const { pool, url } = town.database;
  await pool.query('CHECKPOINT');
  const found: string[] = [];
  if (redis !== undefined) {
    const [, folder = ''] = (await redis.client.config('GET', 'dir')) as string[];
    await redis.client.save();
    found.push(...searchFiles(folder, texts()));
  }
  if (hasPrograms) {
    const { recipient } = await newIdentity();
    await takeBackup({ ...process.env, DATABASE_URL: url, BACKUP_FOLDER: backups, BACKUP_RECIPIENT: recipient });
    found.push(...searchFiles(backups, texts()));
  }
  const { rows: tables } = await pool.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
  const dump: string[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query(`SELECT t::text AS line FROM ${name} t`);
    dump.push(...rows.map(({ line }) => line));
  }
  const mails = town.mail.mails.map(({ subject, text }) => `${subject}\n${text}`).join('\n');
  const places: [string, Buffer][] = [
    ['logs', Buffer.from(town.logged.join('\n'))],
    ['mails', Buffer.from(mails)],
    ['dump', Buffer.from(dump.join('\n'))],
  ];
  return [...found, ...searchFiles(directory, texts()), ...searchIn(places, texts())];
};

/** Sets up an authenticator app on the citizen's own page; its secret. */
const enrolTotp = async (visitor: Visitor): Promise<string> => {
  const page = await visitor.open(new URL('/konto/app', town.issuer), atHome(town));
  const secret = (/<code>([A-Z2-7 ]{32,})<\/code>/.exec(page.text)?.[1] ?? '').replaceAll(' ', '');
  const done = await visitor.submitTo(page, 'enrol', { code: generateSync({ secret }) }, atHome(town));
  if (secret === '' || !done.text.includes(de.konto.done))
    throw new Error(`not enrolled:\n${done.text.slice(0, 3000)}`);
  return secret;
};

/** Lets a redirect from the provider end at the service, with a code. */
const codeFor = async (visitor: Visitor, name: 'bibliothek' | 'strom', verifier: ReturnType<typeof pkce>) => {
  const answer = await visitor.open(authorizationUrl(town, name, verifier), atHome(town));
  return new URL(String(answer.headers['location'])).searchParams.get('code') ?? '';
};

const visitors: { visitor: Visitor; secret: string }[] = [];

test.serial(
  'the canaries fly: registration, consent, tokens, userinfo, other organisations, an app for codes',
  async (t) => {
    t.timeout(600_000);
    for (const canary of canaries) {
      const data = { ...canary, password: PASSWORD, address: [canary.street, '33330', 'Teststadt'] as const };
      const claims = JSON.stringify({ userinfo: { birthdate: null, address: null } });
      const { visitor, code, proof } = await registerAt(town, 'portal', data, {
        scope: 'openid email profile',
        claims,
      });
      const { body } = await redeem(town, 'portal', code, proof.verifier);
      const info = (await userinfo(town, body['access_token'] ?? '')).body as Record<string, unknown>;
      t.like(info, { email: canary.email, given_name: canary.givenName, birthdate: canary.birthdate });
      t.is((info['address'] as { street_address: string }).street_address, canary.street);
      born.push(code, body['access_token'] ?? '', body['id_token'] ?? '', String(info['sub']));
      for (const name of ['bibliothek', 'strom'] as const) {
        const other = pkce();
        const second = await redeem(town, name, await codeFor(visitor, name, other), other.verifier);
        const { sub } = (await userinfo(town, second.body['access_token'] ?? '')).body;
        born.push(second.body['access_token'] ?? '', sub ?? '');
      }
      const secret = await enrolTotp(visitor);
      born.push(secret);
      visitors.push({ visitor, secret });
    }
    t.is(born.filter((one) => /^[A-Z2-7]{32}$/.test(one)).length, CANARIES);
    t.true(
      born.every((one) => one.length > 20),
      'nothing is missing',
    );
  },
);

test.serial('none of them lies anywhere, in plain, base64, hex or as in a URL', async (t) => {
  t.timeout(600_000);
  t.deepEqual(await everywhere(), []);
  if (!hasPrograms) t.log('pg_dump is not installed: no encrypted backup was made');
});

test.serial('all of them delete their accounts, and after that neither', async (t) => {
  t.timeout(600_000);
  // A step of the app counts once, and setting it up has used one.
  await new Promise((resolve) => setTimeout(resolve, 30_000 - (Date.now() % 30_000) + 100));
  for (const { visitor, secret } of visitors) {
    const daten = new URL('/konto/daten', town.issuer);
    let page = await visitor.submitTo(await visitor.open(daten, atHome(town)), 'delete', {}, atHome(town));
    // Password and app: both are asked for again before the account goes.
    for (let asked = 0; asked < 2 && page.text.includes('name="password"'); asked += 1) {
      page = await visitor.submit(page, { password: PASSWORD }, atHome(town));
    }
    if (page.text.includes('name="code"')) {
      page = await visitor.submit(page, { code: generateSync({ secret }) }, atHome(town));
    }
    if (page.text.includes('/delete"')) page = await visitor.submitTo(page, 'delete', {}, atHome(town));
    t.true(page.text.includes('/keep"') || page.status !== 200, page.text.slice(-3000));
  }
  const left = async (): Promise<number> => Number((await town.context().db('accounts').count())[0]?.['count']);
  for (const end = Date.now() + 120_000; (await left()) > 0; ) {
    if (Date.now() > end) throw new Error(`${await left()} accounts are still there`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  for (const { email } of canaries) {
    t.is(await accounts.findByIdentifier(town.context(), email), undefined);
  }
  await t.throwsAsync(
    obtainCode(town, new Visitor(), 'bibliothek', pkce(), { email: canaries[0]?.email ?? '', password: PASSWORD }),
  );
  t.deepEqual(await everywhere(), []);
});

test.serial('the same search finds one that escapes, wherever it lies', async (t) => {
  t.timeout(600_000);
  const escaped = `Entflogen${word()}`;
  born.push(escaped);
  await town.database.pool.query('CREATE TABLE escaped (plain text)');
  await town.database.pool.query('INSERT INTO escaped VALUES ($1)', [Buffer.from(escaped).toString('hex')]);
  await redis?.client.set('escaped', escaped);
  const hits = (await everywhere()).join('\n');
  for (const place of ['pg_wal', 'in dump', ...(redis === undefined ? [] : ['dump.rdb', 'aof'])]) {
    t.true(hits.includes(place), `${place}: ${hits}`);
  }
});
