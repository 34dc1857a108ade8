import test from 'ava';
import { type Cluster, startCluster } from './harness/cluster.ts';
import { redeem, userinfo } from './harness/relying-party.ts';
import { searchFiles } from './harness/search.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { registerAt } from './harness/walk-in.ts';

const CITIZEN = {
  email: 'Friederike.Kanarienvogel@buerger.example',
  givenName: 'Friederike',
  familyName: 'Kanarienvogel-Löwenzahn',
  password: 'sieben Kanarienvögel singen',
  address: ['Pfefferminzgasse 17', '33330', 'Teststadt'],
} as const;

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

/** Where one of the texts lies in the data directory, write-ahead log included. */
const search = async (texts: readonly string[]): Promise<string[]> => {
  await town.database.pool.query('CHECKPOINT');
  return searchFiles(cluster.directory, texts);
};

test.serial(
  'no file of the database holds a name, an address, a password, a code or a token of a citizen',
  async (t) => {
    const { code, proof } = await registerAt(town, 'portal', CITIZEN, { scope: 'openid email profile' });
    const { body } = await redeem(town, 'portal', code, proof.verifier);
    const info = (await userinfo(town, body['access_token'] ?? '')).body;
    t.is(info['given_name'], CITIZEN.givenName, 'the provider itself can read them');
    t.is(info['email']?.toLowerCase(), CITIZEN.email.toLowerCase());
    const mailed = /\b\d{6,8}\b/.exec(town.mail.mails[0]?.text ?? '')?.[0] ?? '';
    t.regex(mailed, /^\d+$/);

    const texts = [
      CITIZEN.email,
      'Friederike.Kanarienvogel',
      CITIZEN.givenName,
      CITIZEN.familyName,
      'Kanarienvogel',
      CITIZEN.password,
      'Pfefferminzgasse',
      code,
      body['access_token'] ?? '',
      body['id_token'] ?? '',
      info['sub'] ?? '',
      proof.verifier,
    ];
    t.true(texts.every((text) => text.length > 8));
    t.deepEqual(await search(texts), []);
    t.deepEqual(
      town.logged.filter((line) => texts.some((text) => line.includes(text))),
      [],
    );
  },
);

test.serial('the search finds a text that does lie there, in each of its forms', async (t) => {
  const { pool } = town.database;
  await pool.query('CREATE TABLE planted (plain text, bytes bytea)');
  await pool.query('INSERT INTO planted VALUES ($1, NULL)', ['gepflanzt: Wacholderdrossel']);
  t.true((await search(['Wacholderdrossel'])).some((hit) => hit.includes('utf8 in base')));
  for (const encode of [
    (text: string) => Buffer.from(text).toString('base64'),
    (text: string) => Buffer.from(`x${text}`).toString('base64url'),
    (text: string) => Buffer.from(`xy${text}z`).toString('base64'),
    (text: string) => Buffer.from(text).toString('hex'),
    (text: string) => text.toLowerCase(),
  ]) {
    const word = `Nachtigall${Math.random().toString(36).slice(2, 10)}`;
    await pool.query('INSERT INTO planted VALUES ($1, NULL)', [`x ${encode(word)} y`]);
    t.true((await search([word])).length > 0, encode(word));
  }
  await pool.query('INSERT INTO planted VALUES (NULL, $1)', [Buffer.from('Zaunkönigin')]);
  t.true((await search(['Zaunkönigin'])).length > 0);
  await pool.query('DELETE FROM planted');
  t.true((await search(['Wacholderdrossel'])).length > 0, 'what was deleted still lies in the files');
});
