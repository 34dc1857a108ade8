/**
 * Twenty canaries of each kind: names, addresses, birthdays and the like that stand nowhere else in the world. After a
 * flow none of them lies anywhere in plain, and after the deletion not even the keys bring one back.
 */
import { randomBytes } from 'node:crypto';
import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as deletion from '../accounts/deletion.ts';
import type { AccountId } from '../accounts/ids.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { deletionMail } from '../interactions/texts/privacy-mails.ts';
import { type Cluster, startCluster } from './harness/cluster.ts';
import { addCitizen, obtainCode, pkce, redeem, userinfo } from './harness/relying-party.ts';
import { searchFiles, searchIn } from './harness/search.ts';
import { type RunningTown, startTown, TEST_TOWN } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';
import { registerAt } from './harness/walk-in.ts';

const CANARIES = 20;
const PASSWORD = 'zwanzig gelbe Kanarienvögel';

type Canary = {
  readonly email: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly birthdate: string;
  readonly street: string;
  account?: AccountId;
};

const word = (): string => randomBytes(6).toString('hex');
const canaries: Canary[] = Array.from({ length: CANARIES }, (_, n) => ({
  email: `kanari.${word()}@buerger.example`,
  givenName: `Piep${word()}`,
  familyName: `Vogel${word()}`,
  birthdate: `19${10 + n}-0${1 + (n % 9)}-1${n % 10}`,
  street: `Käfiggasse${word()} 7`,
}));
/** Pseudonyms, sids, codes and tokens that the services got. */
const secrets: string[] = [];

let cluster: Cluster;
let town: RunningTown;

test.before(async () => {
  cluster = await startCluster();
  town = await startTown({ server: cluster.url });
});

test.after.always(async () => {
  await town?.close();
  await cluster?.end();
});

/** Everything that is ever written: files and write-ahead log, logs, mails without their recipients, a logical backup. */
const everywhere = async (texts: readonly string[]): Promise<string[]> => {
  const { pool } = town.database;
  await pool.query('CHECKPOINT');
  const { rows: tables } = await pool.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
  const backup: string[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query(`SELECT t::text AS line FROM ${name} t`);
    backup.push(...rows.map(({ line }) => line));
  }
  const mails = town.mail.mails.map(({ subject, text }) => `${subject}\n${text}`).join('\n');
  return [
    ...searchFiles(cluster.directory, texts),
    ...searchIn(
      [
        ['logs', Buffer.from(town.logged.join('\n'))],
        ['mails', Buffer.from(mails)],
        ['backup', Buffer.from(backup.join('\n'))],
      ],
      texts,
    ),
  ];
};

const texts = (): string[] => [
  ...canaries.flatMap((one) => [one.email, one.givenName, one.familyName, one.birthdate, one.street]),
  ...secrets,
];

test.serial('the canaries fly: registration, sign-in, consent, tokens, userinfo', async (t) => {
  for (const [n, canary] of canaries.entries()) {
    if (n === 0) {
      const data = {
        email: canary.email,
        givenName: canary.givenName,
        familyName: canary.familyName,
        password: PASSWORD,
      };
      const walk = await registerAt(town, 'portal', data, { scope: 'openid email profile' });
      const { body } = await redeem(town, 'portal', walk.code, walk.proof.verifier);
      const info = (await userinfo(town, body['access_token'] ?? '')).body;
      t.is(info['given_name'], canary.givenName);
      secrets.push(walk.code, body['access_token'] ?? '', body['id_token'] ?? '', info['sub'] ?? '');
      const found = await accounts.findByIdentifier(town.context(), canary.email);
      if (found !== undefined) canary.account = found;
    } else {
      canary.account = await addCitizen(town, canary.email, PASSWORD);
    }
    if (canary.account === undefined) return t.fail();
    const { givenName: given_name, familyName: family_name, birthdate, street: street_address } = canary;
    const address = { street_address, postal_code: '33330', locality: 'Teststadt' };
    const person = { given_name, family_name, birthdate, address };
    await attributes.record(town.context(), canary.account, person, 'self');
    if (n % 5 !== 1) continue;
    const proof = pkce();
    const code = await obtainCode(town, new Visitor(), 'bibliothek', proof, {
      email: canary.email,
      password: PASSWORD,
    });
    const { body } = await redeem(town, 'bibliothek', code, proof.verifier);
    const info = (await userinfo(town, body['access_token'] ?? '')).body;
    secrets.push(code, body['access_token'] ?? '', info['sub'] ?? '');
  }
  for (const sector of ['stadt', 'buecherei']) {
    for (const { account } of canaries) if (account !== undefined) secrets.push(town.keys.subject(sector, account));
  }
  t.true(secrets.every((secret) => secret.length > 20));
});

test.serial('none of them lies anywhere in plain', async (t) => {
  t.deepEqual(await everywhere(texts()), []);
});

test.serial('after the deletion neither', async (t) => {
  const store = createPostgresStore({ pool: town.database.pool, keys: town.keys });
  const ending = {
    service: (clientId: string) => town.registrations.find((one) => one.clientId === clientId),
    api: () => undefined,
    revoke: (account: AccountId) => store.revokeAccount(account),
  };
  const place = { town: TEST_TOWN, issuer: new URL(town.issuer) };
  for (const { account, email } of canaries) {
    if (account === undefined) return t.fail();
    await deletion.request(town.context(), account, (due) => ({ to: email, ...deletionMail(place, 'de', due) }));
  }
  for (const { email } of canaries.slice(1)) t.regex((await town.mail.next(email)).subject, /gelöscht/);
  const later = { ...town.context(), now: () => new Date(Date.now() + 15 * 86_400_000) };
  t.is(await deletion.purgeDue(later, ending), CANARIES);
  t.deepEqual(await everywhere(texts()), []);
});

test.serial('after the deletion the key ring opens nothing of them either', async (t) => {
  const ids = canaries.map(({ account }) => account);
  const { rows: columns } = await town.database.pool.query(
    `SELECT table_name AS name, column_name AS column FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'uuid' AND column_name IN ('account_id', 'id', 'accountid')`,
  );
  const left: string[] = [];
  for (const { name, column } of columns) {
    const { rows } = await town.database.pool.query(`SELECT 1 FROM ${name} WHERE ${column} = ANY ($1)`, [ids]);
    if (rows.length > 0) left.push(name);
  }
  t.deepEqual(left.sort(), ['audit', 'tombstones'], 'nothing sealed is left, only that there was an account');
});

test.serial('the search would find a canary that escapes', async (t) => {
  const escaped = `Entflogen${word()}`;
  await town.database.pool.query('CREATE TABLE escaped (plain text)');
  await town.database.pool.query('INSERT INTO escaped VALUES ($1)', [Buffer.from(`x${escaped}`).toString('base64')]);
  const hits = await everywhere([escaped]);
  t.true(hits.some((hit) => hit.includes('in backup')) && hits.some((hit) => hit.includes('pg_wal')), hits.join('\n'));
});
