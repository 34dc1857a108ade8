import test from 'ava';
import { type Cluster, startCluster } from './harness/cluster.ts';
import { addCitizen, atHome, authorizationUrl, obtainCode, pkce, redeem, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'otto@buerger.example', password: 'vier grüne Äpfel im Korb' };
/** A person waits no longer for bad news. */
const DEADLINE_MS = 3500;

let cluster: Cluster;
let town: RunningTown;

test.before(async () => {
  cluster = await startCluster();
  town = await startTown({ server: cluster.url });
  await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
});

test.after.always(async () => {
  await cluster?.thaw();
  await town?.close();
  await cluster?.end();
});

const timed = async (work: Promise<Answer>): Promise<Answer & { ms: number }> => {
  const start = performance.now();
  const answer = await work;
  return { ...answer, ms: performance.now() - start };
};

const recovered = async (): Promise<number> => {
  const start = Date.now();
  for (;;) {
    try {
      await obtainCode(town, new Visitor(), 'fahrkarte', pkce(), CREDENTIALS);
      return Date.now() - start;
    } catch (error) {
      if (Date.now() - start > 20_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
};

const outages: [name: string, begin: () => Promise<void>, end: () => Promise<void>][] = [
  ['is stopped', () => cluster.stop(), () => cluster.start()],
  ['has crashed', () => cluster.kill(), () => cluster.start()],
  ['hangs', () => cluster.freeze(), () => cluster.thaw()],
];

for (const [name, begin, end] of outages) {
  test.serial(
    `when the database ${name}, everybody is told within 3 s and all goes on by itself afterwards`,
    async (t) => {
      const visitor = new Visitor();
      const proof = pkce();
      const page = await visitor.open(authorizationUrl(town, 'fahrkarte', proof), atHome(town));
      const signedIn = new Visitor();
      const code = await obtainCode(town, signedIn, 'fahrkarte', proof, CREDENTIALS);
      const spare = await obtainCode(town, signedIn, 'fahrkarte', proof);
      const { body } = await redeem(town, 'fahrkarte', spare, proof.verifier);

      await begin();
      try {
        const answers = {
          'a new sign-in': await timed(new Visitor().send(authorizationUrl(town, 'fahrkarte', pkce()))),
          'a sign-in under way': await timed(visitor.send(page.url)),
          'a password': await timed(
            visitor.submit(page, { identifier: CREDENTIALS.email, password: CREDENTIALS.password }, atHome(town)),
          ),
          'a session': await timed(signedIn.send(authorizationUrl(town, 'fahrkarte', pkce()))),
        };
        for (const [what, answer] of Object.entries(answers)) {
          t.is(answer.status, 503, what);
          t.regex(String(answer.headers['retry-after']), /^\d+$/, what);
          t.true(answer.ms < DEADLINE_MS, `${what}: ${answer.ms} ms`);
          t.regex(answer.text, /<h1/, `${what}: a page for a person`);
          t.notRegex(answer.text, /ECONNREFUSED|postgres|127\.0\.0\.1/i, what);
        }
        for (const tokens of [
          await redeem(town, 'fahrkarte', code, proof.verifier),
          await userinfo(town, body['access_token'] ?? ''),
        ]) {
          t.is(tokens.status, 503);
          t.regex(String(tokens.headers['retry-after']), /^\d+$/);
          t.is(tokens.body['error'], 'temporarily_unavailable');
        }
        for (const path of ['/.well-known/openid-configuration', '/jwks', '/']) {
          const answer = await timed(new Visitor().send(new URL(path, town.issuer)));
          t.is(answer.status, 200, path);
          t.true(answer.ms < 500, `${path}: ${answer.ms} ms`);
        }
      } finally {
        await end();
      }

      t.true((await recovered()) < 10_000);
      t.is((await userinfo(town, body['access_token'] ?? '')).status, 200, 'what was acknowledged is still there');
      const again = await obtainCode(town, signedIn, 'fahrkarte', proof);
      t.is((await redeem(town, 'fahrkarte', again, proof.verifier)).status, 200, 'and so is the session');
    },
  );
}
