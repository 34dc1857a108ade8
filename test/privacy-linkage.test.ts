/** Whether two organisations can find out that they serve the same people; with 500 citizens in test/long/. */
import test from 'ava';
import { beyondChance, link, type Received } from './harness/linkage.ts';
import { addCitizens, startLinkageTown, visitBoth } from './harness/linkage-visits.ts';
import type { RunningTown } from './harness/town.ts';

const CITIZENS = 40;

let town: RunningTown;
let ours: Received[];
let theirs: Received[];

test.before(async () => {
  town = await startLinkageTown();
  [ours, theirs] = await visitBoth(town, ['bibliothek', 'fahrkarte'], await addCitizens(town, CITIZENS));
});

test.after.always(() => town?.close());

test('two organisations cannot match their visitors better than chance', (t) => {
  const attacks = link(ours, theirs);
  t.true(attacks.size > 200, 'the attacker has much to try');
  for (const needed of [
    'callback.code',
    'callback.iss',
    'token.id_token.sub',
    'token.id_token.sid',
    'token.id_token.auth_time',
    'token.id_token.header.kid',
    'token.body.refresh_token',
    'token.body.expires_in',
    'token.headers.x-request-id',
    'jwt.access_token.sub',
    'jwt.access_token.jti',
    'api.body.sub',
    'api.body.iat',
    'second.id_token.sid',
    'error.error',
    'logout_token.sub',
    'logout_token.iat',
    'userinfo.body.sub',
  ]) {
    t.true(
      ours.every((one) => one[needed] !== undefined),
      needed,
    );
  }
  const limit = beyondChance(attacks.size);
  for (const [way, right] of attacks) t.true(right < limit, `${way}: ${right} of ${CITIZENS}, chance reaches ${limit}`);
});

const hash = (at: number): string => Buffer.from(`${at * 7919 + 13}`).toString('base64url');
/** Marks that a careless provider might leave. */
const MARKS: Record<string, (one: Received, at: number, side: number) => Received> = {
  'the same header': (one, at) => ({ ...one, 'userinfo.headers.etag': `W/"${hash(at)}"` }),
  'the end of the subject': (one, at) => ({
    ...one,
    'token.id_token.sub': String(one['token.id_token.sub']).slice(0, 35) + hash(at * 1e6),
  }),
  'a value in different places': (one, at, side) => ({
    ...one,
    [side === 0 ? 'jwt.access_token.jti' : 'logout_token.jti']: hash(at),
  }),
  'a lifetime of tokens': (one, at) => ({ ...one, 'token.id_token.exp': Number(one['token.id_token.iat']) + 600 + at }),
  'a time of the account': (one, at) => ({ ...one, 'userinfo.body.updated_at': 1_700_000_000 + at * 977 }),
  'an order': (one, at, side) => ({ ...one, 'token.body.n': side * 100_000 + at * 3 + side }),
};

for (const [name, plant] of Object.entries(MARKS)) {
  test(`the same attacker finds a planted mark: ${name}`, (t) => {
    const attacks = link(
      ours.map((one, at) => plant(one, at, 0)),
      theirs.map((one, at) => plant(one, at, 1)),
    );
    const best = Math.max(...attacks.values());
    t.true(best >= CITIZENS * 0.9, `${best} of ${CITIZENS}`);
  });
}
