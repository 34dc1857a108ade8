/** Tabs that open a service for the first time at the same moment: one grant, one name for the session, all codes good. */
import test from 'ava';
import { decodeJwt } from 'jose';
import * as consents from '../accounts/consents.ts';
import { parseAccountId } from '../accounts/ids.ts';
import { addCitizen, atHome, authorizationUrl, obtainCode, pkce, redeem, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const PASSWORD = 'sechs blaue Fische im Teich';
const TABS = 8;

let town: RunningTown;

test.before(async () => {
  town = await startTown();
});
test.after.always(() => town?.close());

const grants = async (account: string): Promise<number> =>
  Number((await town.context().db('oidc_grants').where({ account_id: account }).count())[0]?.['count']);

/** A citizen who has consented to the portal, and whose session began at another service. */
const signedIn = async (email: string): Promise<{ account: string; visitor: Visitor }> => {
  const account = await addCitizen(town, email, PASSWORD);
  const id = parseAccountId(account);
  const portal = town.registrations.find(({ clientId }) => clientId === 'portal');
  if (id === undefined || portal === undefined) throw new Error('no account or service');
  const given = portal.claims.map(({ claim }) => claim);
  await consents.record(town.context(), id, portal, { given, refused: [] });
  const visitor = new Visitor();
  await obtainCode(town, visitor, 'bibliothek', pkce(), { email, password: PASSWORD });
  return { account, visitor };
};

test('a running session: tabs of one service share a grant, whatever each of them asks for', async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const { account, visitor } = await signedIn(`tabs${round}@buerger.example`);
    const proof = pkce();
    const scopes = Array.from({ length: TABS }, (_, tab) => (tab % 2 === 0 ? 'openid' : 'openid email profile'));
    const codes = await Promise.all(
      scopes.map((scope) => obtainCode(town, visitor, 'portal', proof, undefined, { scope })),
    );
    t.is(await grants(account), 2, 'one for each service');
    const tokens = await Promise.all(codes.map((code) => redeem(town, 'portal', code, proof.verifier)));
    const sids = new Set(tokens.map(({ body }) => decodeJwt(body['id_token'] ?? '')['sid']));
    t.is(sids.size, 1);
    t.is(typeof [...sids][0], 'string');
    for (const [tab, { body }] of tokens.entries()) {
      const { status, body: told } = await userinfo(town, body['access_token'] ?? '');
      t.is(status, 200);
      t.is('email' in told, tab % 2 === 1);
    }
  }
});

test('a sign-in in two tabs at once makes one grant, too', async (t) => {
  const { account, visitor } = await signedIn('zweimal@buerger.example');
  const proof = pkce();
  // Asked to show themselves again: the session gets a new id in both tabs.
  const url = authorizationUrl(town, 'fahrkarte', proof, { prompt: 'login' });
  const pages = [await visitor.open(url, atHome(town)), await visitor.open(url, atHome(town))];
  const values = { identifier: 'zweimal@buerger.example', password: PASSWORD };
  // Passwords are hashed one after the other; at the end of the sign-in both tabs arrive with the same session.
  const sent = await Promise.all(pages.map((page) => visitor.submit(page, values, () => false)));
  const ends = await Promise.all(sent.map((answer) => visitor.follow(answer, atHome(town))));
  for (const { status, headers, text } of ends) t.true(headers['location'] !== undefined, `${status} ${text}`);
  const codes = ends.map(({ headers }) => new URL(String(headers['location'])).searchParams.get('code') ?? '');
  const tokens = await Promise.all(codes.map((code) => redeem(town, 'fahrkarte', code, proof.verifier)));
  t.deepEqual(
    tokens.map(({ status }) => status),
    [200, 200],
  );
  t.is(new Set(tokens.map(({ body }) => decodeJwt(body['id_token'] ?? '')['sid'])).size, 1);
  t.is(await grants(account), 2);
});

test('a service that was left alone is known by another name when it is opened again', async (t) => {
  const { account, visitor } = await signedIn('abgemeldet@buerger.example');
  const proof = pkce();
  const enter = async (): Promise<{ sid: unknown; token: string }> => {
    const { body } = await redeem(
      town,
      'fahrkarte',
      await obtainCode(town, visitor, 'fahrkarte', proof),
      proof.verifier,
    );
    return { sid: decodeJwt(body['id_token'] ?? '')['sid'], token: body['access_token'] ?? '' };
  };
  const first = await enter();
  const page = await visitor.open(new URL('/session/end?client_id=fahrkarte', town.issuer));
  t.is((await visitor.submitTo(page, 'confirm', {})).status, 200);
  t.is((await userinfo(town, first.token)).status, 401);
  const second = await enter();
  t.not(second.sid, first.sid);
  t.is((await userinfo(town, first.token)).status, 401);
  t.is((await userinfo(town, second.token)).status, 200);
  t.is(await grants(account), 2);
});
