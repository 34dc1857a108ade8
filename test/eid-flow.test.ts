import test from 'ava';
import { decodeJwt } from 'jose';
import { de } from '../interactions/texts/de.ts';
import { type IdentityTown, startIdentityTown } from './harness/identity-town.ts';
import { addCitizen, atHome, basic, pkce, post } from './harness/relying-party.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

let place: IdentityTown;
test.before(async () => {
  place = await startIdentityTown();
});
test.after.always(() => place?.close());

const heading = (page: Answer): string => /<h1[^>]*>([^<]*)/.exec(page.text)?.[1]?.trim() ?? '';
const alert = (page: Answer): string => /role="alert"[\s\S]*?<li>([\s\S]*?)<\/li>/.exec(page.text)?.[1] ?? '';
const location = (answer: Answer): string => String(answer.headers['location'] ?? '');
const codeOf = (answer: Answer): string | null => new URL(location(answer) || 'x:').searchParams.get('code');
const PASSWORD = 'drei blaue Häuser am Fluss';

/** The registration's last page, then back to the service. */
const leave = (visitor: Visitor, page: Answer): Promise<Answer> =>
  visitor.submitTo(page, 'kennung', {}, atHome(place.town));

test.serial('a citizen registers with the Online-Ausweis, and signs in again with it', async (t) => {
  const visitor = new Visitor();
  const start = await place.begin(visitor, 'fahrkarte');
  const { back, asked } = await place.readCard(visitor, start, { card: 'hans' });
  t.deepEqual(asked.match(/<li>.*?<\/li>/g), ['<li>Art des Ausweises</li>', '<li>Pseudonym für diesen Dienst</li>']);
  const unknown = await visitor.open(back, atHome(place.town));
  t.is(heading(unknown), 'Dieser Ausweis ist hier noch nicht bekannt');
  const welcome = await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
  const done = await leave(visitor, welcome);
  t.truthy(codeOf(done), done.text);

  const again = new Visitor();
  const second = await place.byCard(again, await place.begin(again, 'fahrkarte'), { card: 'hans' });
  t.truthy(codeOf(second), second.text);
  const [identity] = await place.town.context().db('identities').select('source', 'last_used_at');
  t.is(identity.source, 'eid');
  t.truthy(identity.last_used_at);
});

test.serial('adulthood and residence are proven without date of birth and address', async (t) => {
  const visitor = new Visitor();
  const claims = JSON.stringify({ userinfo: { age_over_18: null, resident: null } });
  const start = await place.begin(visitor, 'erwachsene', { claims });
  const unknown = await place.byCard(visitor, start, { card: 'erika' });
  const welcome = await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
  const details = await leave(visitor, welcome);
  t.is(heading(details).length > 0, true);
  const { back, asked } = await place.readCard(visitor, details, { card: 'erika' });
  t.true(asked.includes('mindestens 18 Jahre alt (ja oder nein)'));
  t.true(asked.includes('wohnt in 02760507540008 (ja oder nein)'));
  t.false(/Geburtsdatum|Anschrift|Vornamen/.test(asked.replace(/<fieldset[\s\S]*<\/fieldset>/, '')));
  const consent = await visitor.open(back, atHome(place.town));
  t.true(consent.text.includes('mindestens 18'), consent.text);
  const names = await place.town.context().db('attributes').distinct('name').orderBy('name');
  t.deepEqual(
    names.map(({ name }) => name),
    ['age_over', 'resident'],
  );
});

test.serial('who is too young is told so, and nothing is stored', async (t) => {
  const visitor = new Visitor();
  const claims = JSON.stringify({ userinfo: { age_over_18: null } });
  const unknown = await place.byCard(visitor, await place.begin(visitor, 'erwachsene', { claims }), { card: 'lena' });
  const welcome = await visitor.submitTo(unknown, 'open-account', {}, atHome(place.town));
  const details = await leave(visitor, welcome);
  const before = await place.town.context().db('attributes').count();
  const answer = await place.byCard(visitor, details, { card: 'lena' });
  t.is(alert(answer), 'Der Ausweis bestätigt das nicht.');
  t.deepEqual(await place.town.context().db('attributes').count(), before);
});

test.serial('every answer that is no yes leads back to the sign-in with a word about it', async (t) => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ how: 'cancel' }, /abgebrochen/],
    [{ how: 'break' }, /Verbindung/],
    [{ how: 'deny' }, /Diese Art von Ausweis reicht hier nicht/],
    [{ card: 'gesperrt' }, /gesperrt oder abgelaufen/],
    [{ card: 'stufe' }, /nicht sicher genug/],
    [{ how: 'answer:/common#internalError' }, /nicht geklappt/],
  ];
  for (const [choice, words] of cases) {
    const visitor = new Visitor();
    const page = await place.byCard(visitor, await place.begin(visitor, 'fahrkarte'), choice);
    t.is(heading(page), 'Anmelden');
    t.regex(alert(page), words);
  }
});

test.serial('only the browser that began can finish, and a hit without its cookie changes nothing', async (t) => {
  const visitor = new Visitor();
  const start = await place.begin(visitor, 'fahrkarte');
  const { back } = await place.readCard(visitor, start, { card: 'hans' });
  const stranger = await new Visitor().send(back);
  t.is(stranger.status, 403);
  t.is(heading(stranger), 'Dieser Vorgang wurde in einem anderen Browser begonnen');
  const own = await visitor.open(back, atHome(place.town));
  t.truthy(codeOf(own), own.text);
});

test.serial('a browser that has begun something of its own ends the exchange of another one', async (t) => {
  const victim = new Visitor();
  const { back } = await place.readCard(victim, await place.begin(victim, 'fahrkarte'), { card: 'hans' });
  const attacker = new Visitor();
  await attacker.submitTo(await place.begin(attacker, 'fahrkarte'), 'eid');
  t.is((await attacker.send(back)).status, 403);
  const own = await victim.open(back, atHome(place.town));
  t.is(own.status, 400);
  t.is(codeOf(own), null);
});

test.serial('a way back is good once, and one that was made up not at all', async (t) => {
  const visitor = new Visitor();
  const { back } = await place.readCard(visitor, await place.begin(visitor, 'fahrkarte'), { card: 'hans' });
  t.is((await visitor.send(back)).status, 303);
  t.is((await visitor.send(back)).status, 400);
  for (const r of ['', 'x', 'A'.repeat(22), '../..', '%00']) {
    const lost = await visitor.send(new URL(`/eid/refresh?r=${r}`, place.town.issuer));
    t.is(lost.status, 400);
    t.true(lost.text.includes('/entwickler/fehler#exchange_not_found'));
  }
  t.is((await visitor.send(new URL(`/eid/refresh?r=a&r=b`, place.town.issuer))).status, 400);
});

test.serial('a TC token is given once, to whoever knows its address, and to nobody else', async (t) => {
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
  const address = place.tcTokenOf(away);
  t.regex(address, /\/eid\/tc-token\?t=[A-Za-z0-9_-]{22}$/);
  const first = await new Visitor().send(address);
  t.is(first.headers['content-type'], 'text/xml; charset=utf-8');
  t.is(first.headers['cache-control'], 'no-store');
  t.is((await new Visitor().send(address)).status, 404);
  t.is((await new Visitor().send(new URL('/eid/tc-token', place.town.issuer))).status, 404);
});

test.serial('what the address says about success is worth nothing', async (t) => {
  const visitor = new Visitor();
  const away = await visitor.submitTo(await place.begin(visitor, 'fahrkarte'), 'eid');
  const token = (await new Visitor().send(place.tcTokenOf(away))).text;
  const refresh = /<RefreshAddress>([^<]+)/.exec(token)?.[1]?.replaceAll('&amp;', '&') ?? '';
  // No card was read.
  const page = await visitor.open(`${refresh}&ResultMajor=ok`, atHome(place.town));
  t.is(heading(page), 'Anmelden');
  t.regex(alert(page), /nicht gelesen/);
});

test.serial('a password account takes a card, which then signs in to it', async (t) => {
  const email = 'karin@buerger.example';
  await addCitizen(place.town, email, PASSWORD);
  const visitor = new Visitor();
  const unknown = await place.byCard(visitor, await place.begin(visitor, 'fahrkarte'), { card: 'titel' });
  const signIn = await visitor.submitTo(unknown, 'link-account', {}, atHome(place.town));
  const link = await visitor.submit(signIn, { identifier: email, password: PASSWORD }, atHome(place.town));
  t.is(heading(link), 'Ausweis mit dem Konto verknüpfen?');
  t.true(link.text.includes(email));
  const done = await visitor.submitTo(link, 'link', {}, atHome(place.town));
  t.truthy(codeOf(done), done.text);
  const mail = await place.town.mail.next(email);
  t.regex(mail.text, /Ausweis oder eine BundID verknüpft/);
  const again = new Visitor();
  t.truthy(codeOf(await place.byCard(again, await place.begin(again, 'fahrkarte'), { card: 'titel' })));
});

test.serial('a new card of the same person is compared by name, and takes the old one’s place', async (t) => {
  const email = 'erika@buerger.example';
  await addCitizen(place.town, email, PASSWORD);
  const { db } = place.town.context();
  // The account that the card opened in a test before is not this one's.
  await db('identities').delete();
  const linkBy = async (card: string) => {
    const visitor = new Visitor();
    const unknown = await place.byCard(visitor, await place.begin(visitor, 'fahrkarte'), { card });
    const signIn = await visitor.submitTo(unknown, 'link-account', {}, atHome(place.town));
    const link = await visitor.submit(signIn, { identifier: email, password: PASSWORD }, atHome(place.town));
    return { visitor, link, after: await visitor.submitTo(link, 'link', {}, atHome(place.town)) };
  };
  t.truthy(codeOf((await linkBy('erika')).after));
  const { visitor, after } = await linkBy('erika-neu');
  t.regex(alert(after), /neue Karte/);
  const named = await place.byCard(visitor, after, { card: 'erika-neu' });
  t.truthy(codeOf(await visitor.submitTo(named, 'link', {}, atHome(place.town))));
  t.is((await db('identities').whereNull('retired_at')).length, 1);
  const old = new Visitor();
  const refused = await place.byCard(old, await place.begin(old, 'fahrkarte'), { card: 'erika' });
  t.regex(alert(refused), /durch eine neuere ersetzt/);
  const names = await db('attributes').distinct('name').orderBy('name');
  t.true(names.some(({ name }) => name === 'birthdate'));
});

test.serial('a consent page is not reached by an identity alone, and no code is given for half a way', async (t) => {
  const visitor = new Visitor();
  const unknown = await place.byCard(visitor, await place.begin(visitor, 'fahrkarte'), { card: 'ohne' });
  const linking = await visitor.submitTo(unknown, 'link-account', {}, atHome(place.town));
  t.is(heading(linking), 'Anmelden');
  const resumed = await visitor.send(
    new URL(linking.url.pathname.replace('/interaction/', '/auth/'), place.town.issuer),
  );
  t.false(location(resumed).includes('code='));
});

test.serial('a password account steps up to high with a card, and the service is told so', async (t) => {
  const email = 'otto@buerger.example';
  await addCitizen(place.town, email, PASSWORD);
  await place.town.context().db('identities').delete();
  const proof = pkce();
  const visitor = new Visitor();
  const claims = JSON.stringify({ id_token: { acr: null } });
  const start = await place.begin(visitor, 'hoch', { code_challenge: proof.challenge, claims });
  const missing = await visitor.submit(start, { identifier: email, password: PASSWORD }, atHome(place.town));
  t.is(heading(missing), de.levelMissing.title);
  const link = await place.byCard(visitor, missing, { card: 'hans' });
  t.is(heading(link), 'Ausweis mit dem Konto verknüpfen?');
  const done = await visitor.submitTo(link, 'link', {}, atHome(place.town));
  const code = codeOf(done) ?? '';
  const fields = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: 'https://dienst.example/callback',
    code_verifier: proof.verifier,
  };
  const tokens = await post(place.town, '/token', fields, basic(place.town, 'hoch'));
  t.like(decodeJwt(tokens.body['id_token'] ?? ''), { acr: 'http://eidas.europa.eu/LoA/high' });

  // Again, in another browser: the card alone reaches it, the password alone does not.
  const again = new Visitor();
  t.truthy(codeOf(await place.byCard(again, await place.begin(again, 'hoch'), { card: 'hans' })));
  const without = new Visitor();
  const asked = await without.submit(
    await place.begin(without, 'hoch'),
    { identifier: email, password: PASSWORD },
    atHome(place.town),
  );
  t.is(codeOf(asked), null);
  const card = await place.byCard(without, asked, { card: 'hans' });
  t.truthy(codeOf(card), card.text);
});
