import { fileURLToPath } from 'node:url';
import test from 'ava';
import { loadTown } from '../adapters/town.ts';
import { basic, post } from './harness/relying-party.ts';
import { startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';
import { registerAt } from './harness/walk-in.ts';

const KLEINSTADT = fileURLToPath(new URL('towns/kleinstadt/town.yaml', import.meta.url));
const CALLBACK = 'https://freibad.kleinstadt.example/callback';

test('another town is two files: its name, languages, services and claims are all over the pages', async (t) => {
  const loaded = loadTown(KLEINSTADT);
  if ('faults' in loaded) throw new Error(JSON.stringify(loaded.faults));
  const town = await startTown({ town: loaded.town, registrations: loaded.registrations });
  t.teardown(town.close);

  const start = await new Visitor().send(new URL('/', town.issuer), { headers: { 'accept-language': 'fr' } });
  t.is(start.status, 200);
  t.regex(start.text, /<html lang="en">/, 'its first language is the default');
  t.regex(start.text, /Little Town/);
  t.regex(start.text, /Pool pass/);
  t.notRegex(start.text, /Gütersloh|Teststadt/);
  for (const address of Object.values(loaded.town.pages)) t.true(start.text.includes(address), address);

  const { code, proof, pages } = await registerAt(
    town,
    'fahrkarte',
    { givenName: 'Uwe', familyName: 'Klein', password: 'im Freibad ist es nass' },
    { client_id: 'freibad', redirect_uri: CALLBACK, claims: JSON.stringify({ userinfo: { age_over_16: null } }) },
  );
  const text = pages.map((page) => page.text).join('\n');
  t.regex(text, /Freibadkarte/);
  t.regex(text, /Ermäßigung/);
  t.regex(text, /KL-\w{4}-\w{4}-\w/, 'the Kennung carries the town’s letters');
  t.notRegex(text, /Gütersloh/);

  const tokens = await post(
    town,
    '/token',
    { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: proof.verifier },
    basic(town, 'freibad'),
  );
  t.is(tokens.status, 200, JSON.stringify(tokens.body));
  const info = await new Visitor().send(new URL('/userinfo', town.issuer), {
    headers: { authorization: `Bearer ${tokens.body['access_token']}`, accept: 'application/json' },
  });
  const { sub, ...claims } = JSON.parse(info.text);
  t.truthy(sub);
  t.deepEqual(claims, { age_over_16: true }, 'the age is derived, the date of birth stays here');
});
