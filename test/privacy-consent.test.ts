/** The page that asks for permission, as a citizen meets it: what is shown, left out, remembered, and asked again. */
import test from 'ava';
import * as attributes from '../accounts/attributes.ts';
import * as clients from '../accounts/clients.ts';
import type { Registration } from '../accounts/town.ts';
import { addCitizen, atHome, authorizationUrl, pkce, redeem, userinfo } from './harness/relying-party.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { type Answer, Visitor } from './harness/visitor.ts';

const CREDENTIALS = { email: 'wahl@buerger.example', password: 'zehn grüne Regentonnen' };
const SCOPE = 'openid email profile';

let town: RunningTown;
const visitor = new Visitor();

test.before(async () => {
  town = await startTown();
  const account = await addCitizen(town, CREDENTIALS.email, CREDENTIALS.password);
  await attributes.record(town.context(), account, { given_name: 'Wanda', family_name: 'Wahlfrei' }, 'self');
});

test.after.always(() => town?.close());

/** Goes to the portal; its answer, or the page that stands before it. */
const visit = async (proof = pkce()): Promise<{ page: Answer; proof: typeof proof }> => {
  let page = await visitor.open(authorizationUrl(town, 'portal', proof, { scope: SCOPE }), atHome(town));
  if (page.text.includes('name="identifier"')) {
    const { email: identifier, password } = CREDENTIALS;
    page = await visitor.submit(page, { identifier, password }, atHome(town));
  }
  return { page, proof };
};

const isAsked = ({ text }: Answer): boolean => text.includes('/consent"');

const learned = async (page: Answer, proof: ReturnType<typeof pkce>): Promise<string[]> => {
  const code = new URL(String(page.headers['location'])).searchParams.get('code') ?? '';
  const { body } = await redeem(town, 'portal', code, proof.verifier);
  return Object.keys((await userinfo(town, body['access_token'] ?? '')).body).sort();
};

/** Puts a changed registration of the portal in force, and waits until the running provider knows it. */
const register = async (change: (registration: Registration) => Registration): Promise<void> => {
  const changed = town.registrations.map((one) => (one.clientId === 'portal' ? change(one) : one));
  await clients.apply(
    town.context(),
    changed.map((registration) => ({ registration })),
  );
  const { name, description } = changed.find(({ clientId }) => clientId === 'portal') ?? {};
  for (const end = Date.now() + 15_000; ; ) {
    const { text } = await visitor.open(new URL('/', town.issuer), atHome(town));
    if (text.includes(`>${name?.de}<`) && text.includes(`>${description?.de}<`)) return;
    if (Date.now() > end) throw new Error('the registration is not in force');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

test.serial(
  'the very values, purposes and legal bases are shown; what is optional is left out unless ticked',
  async (t) => {
    const { page, proof } = await visit();
    t.true(isAsked(page));
    for (const shown of [
      'Wanda',
      'Wahlfrei',
      CREDENTIALS.email,
      'Damit wir Ihren Antrag bearbeiten',
      'Art. 6 Abs. 1',
    ]) {
      t.true(page.text.includes(shown), shown);
    }
    const boxes = [...page.text.matchAll(/name="claim\.([^"]+)"[^>]*>/g)];
    t.deepEqual(
      boxes.map(([, claim]) => claim),
      ['email'],
      'what is required has no box',
    );
    t.false(
      boxes.some(([tag]) => tag.includes('checked')),
      'nothing is ticked beforehand',
    );
    const back = await visitor.submitTo(page, 'consent', {}, atHome(town));
    t.deepEqual(await learned(back, proof), ['family_name', 'given_name', 'sub']);
  },
);

test.serial('the decision is remembered, what was left out included', async (t) => {
  const { page, proof } = await visit();
  t.false(isAsked(page));
  t.deepEqual(await learned(page, proof), ['family_name', 'given_name', 'sub']);
});

test.serial('another address of the service is no reason to ask again; another purpose is', async (t) => {
  await register((portal) => ({
    ...portal,
    description: { de: 'Umgezogen', en: 'Moved' },
    contacts: ['neu@stadt.example'],
    redirectUris: [...portal.redirectUris, 'https://portal.neu.example/callback'],
  }));
  t.false(isAsked((await visit()).page));
  await register((portal) => ({
    ...portal,
    name: { de: 'Portal neu', en: 'Portal new' },
    claims: portal.claims.map((use) => ({ ...use, purpose: { de: 'Werbung', en: 'Advertising' } })),
  }));
  const { page, proof } = await visit();
  t.true(isAsked(page));
  t.true(page.text.includes('Werbung'));
  const back = await visitor.submitTo(page, 'consent', { 'claim.email': 'yes' }, atHome(town));
  t.deepEqual(await learned(back, proof), ['email', 'family_name', 'given_name', 'sub']);
  t.false(isAsked((await visit()).page));
});

test.serial('a page that shows an older registration decides nothing', async (t) => {
  await register((portal) => ({ ...portal, name: { de: 'Portal zwei', en: 'Portal two' } }));
  const { page } = await visit();
  t.true(isAsked(page));
  await register((portal) => ({
    ...portal,
    name: { de: 'Portal drei', en: 'Portal three' },
    claims: portal.claims.map((use) => ({ ...use, purpose: { de: 'Verkauf', en: 'Sale' } })),
  }));
  const back = await visitor.submitTo(page, 'consent', {}, atHome(town));
  t.true(isAsked(back), 'asked once more');
  t.true(back.text.includes('Verkauf'));
});
