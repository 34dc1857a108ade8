import test from 'ava';
import { decodeJwt } from 'jose';
import * as accounts from '../accounts/accounts.ts';
import * as identities from '../accounts/identities.ts';
import { newAccountId } from '../accounts/ids.ts';
import { type IdentityTown, startIdentityTown } from './harness/identity-town.ts';
import { atHome, authorizationUrl, basic, pkce, post } from './harness/relying-party.ts';
import { TEST_TOWN } from './harness/town.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

let place: IdentityTown;
test.before(async () => {
  place = await startIdentityTown();
});
test.after.always(() => place?.close());

const heading = (page: Answer): string => /<h1[^>]*>([^<]*)/.exec(page.text)?.[1]?.trim() ?? '';
const codeOf = (answer: Answer): string | null =>
  new URL(String(answer.headers['location'] ?? 'x:')).searchParams.get('code');

/** Goes to the staff's provider from a service for staff, and is led back. */
const asStaff = async (visitor: Visitor, person: string, start: Answer): Promise<URL> => {
  const away = await visitor.submitTo(start, 'upstream');
  const url = /href="(http:\/\/localhost:\d+\/auth\?[^"]+)"/.exec(away.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
  return place.atStaff(url, person);
};

/** The first sign-in of a member of staff: an account of its own kind is opened. */
const join = async (visitor: Visitor, person: string): Promise<Answer> => {
  const callback = await asStaff(visitor, person, await place.begin(visitor, 'dienststelle'));
  const unknown = await visitor.open(callback, atHome(place.town));
  return visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
};

const staffAccounts = () => place.town.context().db('accounts').where({ kind: 'staff' }).select('id', 'proofing');

test.beforeEach(async () => {
  const { db } = place.town.context();
  await db('identities').delete();
  await db('accounts').delete();
});

test.serial('a member of staff joins by the employer’s provider, with an account that no citizen has', async (t) => {
  const visitor = new Visitor();
  const callback = await asStaff(visitor, 'k.weber', await place.begin(visitor, 'dienststelle'));
  t.is((await new Visitor().send(callback)).status, 403);
  const unknown = await visitor.open(callback, atHome(place.town));
  t.is(heading(unknown), 'Diese Anmeldung ist hier noch nicht bekannt');
  t.true(unknown.text.includes('Dienstkonto'));
  const done = await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
  t.truthy(codeOf(done), done.text);
  t.is((await visitor.send(callback)).status, 400);
  const [account, ...more] = await staffAccounts();
  t.is(account.proofing, 'substantial');
  t.is(more.length, 0);

  // Again, and it is the same account, without a question.
  const again = new Visitor();
  const second = await asStaff(again, 'k.weber', await place.begin(again, 'dienststelle'));
  t.truthy(codeOf(await again.open(second, atHome(place.town))));
  t.is((await staffAccounts()).length, 1);
});

test.serial('acr and amr are what the policy makes of the employer’s', async (t) => {
  const tokensOf = async (person: string) => {
    const proof = pkce();
    const visitor = new Visitor();
    const claims = JSON.stringify({ id_token: { acr: null, amr: null } });
    const start = await place.begin(visitor, 'dienststelle', { code_challenge: proof.challenge, claims });
    const came = await visitor.open(await asStaff(visitor, person, start), atHome(place.town));
    const done = codeOf(came) ? came : await visitor.submitTo(came, 'open-account', {}, atHome(place.town));
    const fields = { grant_type: 'authorization_code', code: codeOf(done) ?? '', code_verifier: proof.verifier };
    const redirect_uri = 'https://dienst.example/callback';
    const answer = await post(place.town, '/token', { ...fields, redirect_uri }, basic(place.town, 'dienststelle'));
    return decodeJwt(answer.body['id_token'] ?? '');
  };
  const weber = await tokensOf('k.weber');
  t.is(weber['acr'], 'http://eidas.europa.eu/LoA/substantial');
  t.deepEqual(weber['amr'], ['mfa']);
  // An acr that the policy does not name is worth nothing.
  const yilmaz = await tokensOf('s.yilmaz');
  t.is(yilmaz['acr'], 'urn:stadtschluessel:acr:basis');
  t.deepEqual(yilmaz['amr'], []);
  t.not(weber.sub, yilmaz.sub);
});

test.serial('to a service for staff no citizen exists, and to the others no member of staff', async (t) => {
  const citizen = new Visitor();
  const unknown = await place.byCard(citizen, await place.begin(citizen, 'fahrkarte'), { card: 'hans' });
  const welcome = await citizen.submitTo(unknown, 'open-account', {}, atHome(place.town));
  t.truthy(codeOf(await citizen.submitTo(welcome, 'kennung', {}, atHome(place.town))));
  const refused = await place.begin(citizen, 'dienststelle');
  t.is(heading(refused), 'Anmelden als Mitarbeiterin oder Mitarbeiter');

  const staff = new Visitor();
  t.truthy(codeOf(await join(staff, 'k.weber')));
  t.truthy(codeOf(await place.begin(staff, 'dienststelle')), 'the session goes on there');
  t.is(heading(await place.begin(staff, 'fahrkarte')), 'Anmelden');
  // The citizen's own pages are nobody's who is not one.
  const konto = await staff.open(new URL('/konto', place.town.issuer), atHome(place.town));
  t.is(heading(konto), 'Anmelden');
});

test.serial('the administration takes no other provider’s word, even in a running session', async (t) => {
  const staff = new Visitor();
  t.truthy(codeOf(await join(staff, 'k.weber')));
  const url = authorizationUrl(place.town, 'fahrkarte', pkce(), {
    client_id: 'verwaltung',
    redirect_uri: 'http://127.0.0.1:9/callback',
    scope: 'openid',
  });
  const page = await staff.open(url, atHome(place.town));
  t.is(codeOf(page), null);
  t.false(page.text.includes('/upstream"'));
});

test.serial('who has a staff account with a passkey links the employer’s provider to it', async (t) => {
  const ctx = place.town.context();
  const account = newAccountId();
  await accounts.insert(ctx, account, { town: TEST_TOWN, language: 'de', kind: 'staff' });
  const issuer = place.staffIssuer();
  const proof = { source: 'staff', issuer, identifier: 'k.weber', level: 'none', attributes: {} } as const;
  const mail = { linked: { subject: 's', text: 't' }, email: undefined };
  t.is((await identities.link(ctx, account, 1, proof, mail)).outcome, 'linked');
  const visitor = new Visitor();
  const callback = await asStaff(visitor, 'k.weber', await place.begin(visitor, 'dienststelle'));
  const done = await visitor.open(callback, atHome(place.town));
  t.truthy(codeOf(done), done.text);
  t.is((await staffAccounts()).length, 1);
});

test.serial('who goes back at the employer’s provider is told so, and nothing is opened', async (t) => {
  const visitor = new Visitor();
  const callback = await asStaff(visitor, '', await place.begin(visitor, 'dienststelle'));
  const page = await visitor.open(callback, atHome(place.town));
  t.regex(page.text, /Sie haben den Vorgang abgebrochen/);
  t.is((await staffAccounts()).length, 0);
});

test.serial('a sign-out at the employer’s provider ends the sessions here', async (t) => {
  const [weber, yilmaz] = [new Visitor(), new Visitor()];
  t.truthy(codeOf(await join(weber, 'k.weber')));
  t.truthy(codeOf(await join(yilmaz, 's.yilmaz')));
  t.truthy(codeOf(await place.begin(weber, 'dienststelle')));
  // The other end is the employer's own provider, which signs the person out and tells its services.
  await place.signOutAtStaff('k.weber');
  t.is(heading(await place.begin(weber, 'dienststelle')), 'Anmelden als Mitarbeiterin oder Mitarbeiter');
  t.truthy(codeOf(await place.begin(yilmaz, 'dienststelle')), 'nobody else is signed out');
});
