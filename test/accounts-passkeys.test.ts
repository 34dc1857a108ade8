import test from 'ava';
import fc from 'fast-check';
import * as accounts from '../accounts/accounts.ts';
import * as activities from '../accounts/activities.ts';
import type { Context } from '../accounts/context.ts';
import * as passkeys from '../accounts/passkeys.ts';
import { SoftPasskey } from './harness/authenticator.ts';
import { openDomain, TOWN } from './harness/domain.ts';

const RP = { id: 'schluessel.example', origin: 'https://schluessel.example', name: 'Stadtschlüssel' };
const ceremony = (challenge: string) => ({ challenge, origin: RP.origin, rpId: RP.id });

const register = async (ctx: Context) => {
  const handle = accounts.newPasskeyHandle();
  const device = new SoftPasskey(handle);
  const who = { handle, name: 'GT-0000-0000-0', displayName: '', exclude: [] };
  const { challenge } = await passkeys.creationOptions(ctx, RP, who);
  const created = await passkeys.verifyCreation(RP, challenge, device.create(ceremony(challenge)));
  if (created.outcome !== 'ok') throw new Error(created.reason);
  const credential = { kind: 'passkey', handle, passkey: created.passkey } as const;
  const registered = await accounts.register(ctx, { town: TOWN, language: 'de', credential });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return { device, handle, account: registered.account };
};

test('the options ask for user verification and name what the account already has', async (t) => {
  const domain = await openDomain();
  const handle = accounts.newPasskeyHandle();
  const exclude = [{ credentialId: 'AAAA', transports: ['usb'] }];
  const who = { handle, name: 'erika', displayName: 'Erika', exclude };
  const { options, challenge } = await passkeys.creationOptions(domain.ctx, RP, who);
  t.is(options.challenge, challenge);
  t.is(options.user.id, handle.toString('base64url'));
  t.is(options.attestation, 'none');
  t.deepEqual(
    options.pubKeyCredParams.map(({ alg }) => alg),
    [-7, -8, -257],
  );
  t.is(options.authenticatorSelection?.userVerification, 'required');
  t.is(options.authenticatorSelection?.residentKey, 'preferred');
  t.deepEqual(
    options.excludeCredentials?.map(({ id }) => id),
    ['AAAA'],
  );
  const request = await passkeys.requestOptions(RP);
  t.is(request.options.userVerification, 'required');
  t.is(request.options.rpId, RP.id);
  t.is(request.options.allowCredentials, undefined);
  t.not(request.challenge, (await passkeys.requestOptions(RP)).challenge);
  await domain.database.drop();
});

test('a citizen signs in with a passkey, with or without the handle of a discoverable one', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device, account } = await register(ctx);
  const { challenge } = await passkeys.requestOptions(RP);
  const proven = { outcome: 'proven', account, userVerified: true } as const;
  t.deepEqual(await passkeys.verify(ctx, RP, challenge, device.get(ceremony(challenge))), proven);
  t.deepEqual(
    await passkeys.verify(ctx, RP, challenge, device.get(ceremony(challenge), { userHandle: undefined })),
    proven,
  );
  const [listed] = await passkeys.list(ctx, account);
  t.deepEqual(listed?.lastUsedAt, new Date('2026-11-21T00:00:00Z'), 'the day, no finer');
  t.deepEqual(listed?.transports, ['internal', 'hybrid']);
  await domain.database.drop();
});

test('a creation without user verification, for another origin, host, challenge or type is refused', async (t) => {
  const device = new SoftPasskey(accounts.newPasskeyHandle());
  const challenge = Buffer.alloc(32, 7).toString('base64url');
  const good = ceremony(challenge);
  const outcome = async (response: unknown) => (await passkeys.verifyCreation(RP, challenge, response)).outcome;
  t.is(await outcome(device.create(good)), 'ok');
  t.is(await outcome(device.create(good, { userVerified: false })), 'wrong');
  t.is(await outcome(device.create({ ...good, origin: 'https://schluessel.example.evil' })), 'wrong');
  t.is(await outcome(device.create({ ...good, rpId: 'evil.example' })), 'wrong');
  t.is(await outcome(device.create(ceremony('AAAA'))), 'wrong');
  t.is(await outcome(device.create(good, { type: 'webauthn.get' })), 'wrong');
  t.is(await outcome({ ...device.create(good), rawId: 'AAAA' }), 'wrong');
  for (const nonsense of [null, 'x', [], {}, { id: 'a', rawId: 'a', type: 'public-key', response: null }]) {
    t.is(await outcome(nonsense), 'wrong');
  }
});

test('an assertion that differs in any respect proves nothing', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device } = await register(ctx);
  const other = await register(ctx);
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  const good = ceremony(challenge);
  const outcome = async (response: unknown, rp = RP) => (await passkeys.verify(ctx, rp, challenge, response)).outcome;
  const valid = device.get(good);
  t.is(await outcome(valid), 'proven');
  const wrong: [string, unknown][] = [
    ['without user verification', device.get(good, { userVerified: false })],
    ['foreign origin', device.get({ ...good, origin: 'https://evil.example' })],
    ['other port', device.get({ ...good, origin: 'https://schluessel.example:8443' })],
    ['foreign host', device.get({ ...good, rpId: 'example' })],
    ['other challenge', device.get(ceremony(Buffer.alloc(32, 8).toString('base64url')))],
    ['type of a creation', device.get(good, { type: 'webauthn.create' })],
    ['handle of another citizen', device.get(good, { userHandle: other.handle })],
    ['empty handle', device.get(good, { userHandle: Buffer.alloc(0) })],
    ['unknown passkey', new SoftPasskey(other.handle).get(good)],
    ['rawId of another', { ...valid, rawId: other.device.credentialId.toString('base64url') }],
    ['id of another', { ...valid, id: other.device.credentialId.toString('base64url') }],
    ['both ids of another', { ...other.device.get(good), response: valid['response'] }],
    ['a password credential', { ...valid, type: 'password' }],
    ['the answer to a creation', device.create(good)],
  ];
  for (const [what, response] of wrong) t.is(await outcome(response), 'wrong', what);
  await domain.database.drop();
});

test('no changed byte of an assertion is overlooked: each byte of each part, by each of its bits somewhere', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device } = await register(ctx);
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  const good = device.get(ceremony(challenge));
  let tried = 0;
  for (const name of ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'] as const) {
    const response = good['response'] as Record<string, string>;
    const whole = Buffer.from(response[name] ?? '', 'base64url');
    for (let at = 0; at < whole.length; at += 1) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      const changed = { ...good, response: { ...response, [name]: bytes.toString('base64url') } };
      t.is((await passkeys.verify(ctx, RP, challenge, changed)).outcome, 'wrong', `${name} ${at}`);
      tried += 1;
    }
    for (const length of [0, 1, whole.length - 1]) {
      const cut = { ...good, response: { ...response, [name]: whole.subarray(0, length).toString('base64url') } };
      t.is((await passkeys.verify(ctx, RP, challenge, cut)).outcome, 'wrong', `${name} cut to ${length}`);
    }
  }
  t.true(tried > 250, String(tried));
  t.is((await passkeys.verify(ctx, RP, challenge, good)).outcome, 'proven', 'and the one they were made from is good');
  await domain.database.drop();
});

test('whatever stands in a field of an assertion, it proves nothing and breaks nothing', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device } = await register(ctx);
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  const path = fc.constantFrom<readonly string[]>(
    ...[['id'], ['rawId'], ['type'], ['response'], ['clientExtensionResults']],
    ...['clientDataJSON', 'authenticatorData', 'signature'].map((name) => ['response', name]),
  );
  const value = fc.oneof(
    fc.string(),
    fc.constant(null),
    fc.integer(),
    fc.array(fc.string()),
    fc.object(),
    fc.base64String(),
  );
  await fc.assert(
    fc.asyncProperty(path, value, async (where, anything) => {
      const changed = structuredClone(device.get(ceremony(challenge))) as Record<string, Record<string, unknown>>;
      const [first = '', second] = where;
      fc.pre(!(first === 'clientExtensionResults' && typeof anything === 'object' && anything !== null));
      if (second === undefined) (changed as Record<string, unknown>)[first] = anything;
      else (changed[first] ?? {})[second] = anything;
      t.is((await passkeys.verify(ctx, RP, challenge, changed)).outcome, 'wrong', where.join('.'));
    }),
    { numRuns: 300 },
  );
  await domain.database.drop();
});

test('made-up ids cannot be told from real ones by what a sign-in with them says', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device, account } = await register(ctx);
  const kennung = (await accounts.load(ctx, account))?.kennung ?? '';
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  const outcome = async (credentialId: string) => {
    const forged = new SoftPasskey(Buffer.alloc(32)).get(ceremony(challenge));
    return passkeys.verify(ctx, RP, challenge, { ...forged, id: credentialId, rawId: credentialId });
  };
  for (const identifier of [kennung, 'niemand@buerger.example', 'wieder.niemand@buerger.example', 'x']) {
    for (const { credentialId } of await passkeys.allowedFor(ctx, identifier)) {
      t.deepEqual(await outcome(credentialId), { outcome: 'wrong' }, identifier);
    }
  }
  t.deepEqual(await outcome(device.credentialId.toString('base64url')), { outcome: 'wrong' });
  const stranger = new SoftPasskey(Buffer.alloc(32)).credentialId.toString('base64url');
  t.deepEqual(
    await outcome(stranger),
    { outcome: 'wrong', unknown: stranger },
    'what was never named here may be forgotten',
  );
  await domain.database.drop();
});

test('a passkey that the browser makes by itself needs no touch; any other one does, and each sign-in', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const device = new SoftPasskey(accounts.newPasskeyHandle());
  const challenge = Buffer.alloc(32, 7).toString('base64url');
  const untouched = device.create(ceremony(challenge), { userPresent: false, userVerified: false });
  t.is((await passkeys.verifyCreation(RP, challenge, untouched)).outcome, 'wrong');
  t.is((await passkeys.verifyCreation(RP, challenge, untouched, { automatic: true })).outcome, 'ok');
  const { device: known } = await register(ctx);
  const quirks = [{ userPresent: false }, { userVerified: false }, { userPresent: false, userVerified: false }];
  for (const quirk of quirks) {
    const answer = known.get(ceremony(challenge), quirk);
    t.is((await passkeys.verify(ctx, RP, challenge, answer)).outcome, 'wrong', JSON.stringify(quirk));
  }
  await domain.database.drop();
});

test('one signature has one encoding: of all lengths that BER allows only that of DER is taken', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device } = await register(ctx);
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  for (let first = 0; first < 256; first += 1) {
    const assertion = device.get(ceremony(challenge));
    const response = assertion['response'] as Record<string, string>;
    const bytes = Buffer.from(response['signature'] ?? '', 'base64url');
    const right = bytes[1] === first;
    bytes[1] = first;
    const changed = { ...assertion, response: { ...response, signature: bytes.toString('base64url') } };
    t.is((await passkeys.verify(ctx, RP, challenge, changed)).outcome, right ? 'proven' : 'wrong', `length ${first}`);
  }
  await domain.database.drop();
});

test('a counter that does not rise tells of a copied authenticator; parallel assertions cannot pass each other', async (t) => {
  const domain = await openDomain({ max: 20 });
  const { ctx } = domain;
  const { device, account } = await register(ctx);
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  const use = async (counter: number) =>
    (await passkeys.verify(ctx, RP, challenge, device.get(ceremony(challenge), { counter }))).outcome;
  t.is(await use(0), 'proven');
  t.is(await use(0), 'proven');
  t.is(await use(5), 'proven');
  t.is(await use(5), 'wrong');
  t.is(await use(4), 'wrong');
  t.is(await use(0), 'wrong');
  const parallel = await Promise.all(Array.from({ length: 10 }, () => use(6)));
  t.is(parallel.filter((outcome) => outcome === 'proven').length, 1);
  const refused = (await activities.list(ctx, account)).find(({ event }) => event === 'sign-in-refused');
  t.deepEqual(refused?.detail, { method: 'passkey', reason: 'counter' });
  await domain.database.drop();
});

test('a locked account is not opened by its passkey', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { device, account } = await register(ctx);
  await ctx.db('accounts').where({ id: account }).update({ status: 'locked' });
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  t.deepEqual(await passkeys.verify(ctx, RP, challenge, device.get(ceremony(challenge))), { outcome: 'wrong' });
  await domain.database.drop();
});

test('another passkey is added once, and belongs to one account', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const { account, handle } = await register(ctx);
  const other = await register(ctx);
  const challenge = Buffer.alloc(32, 9).toString('base64url');
  const created = await passkeys.verifyCreation(RP, challenge, new SoftPasskey(handle).create(ceremony(challenge)));
  if (created.outcome !== 'ok') return t.fail();
  t.deepEqual(await passkeys.add(ctx, account, created.passkey), { outcome: 'added' });
  t.deepEqual(await passkeys.add(ctx, account, created.passkey), { outcome: 'passkey-taken' });
  t.deepEqual(await passkeys.add(ctx, other.account, created.passkey), { outcome: 'passkey-taken' });
  const [first] = await passkeys.list(ctx, account);
  t.is((await passkeys.list(ctx, account)).length, 2);
  for (const id of ['', 'x', "x'--", crypto.randomUUID()])
    t.deepEqual(await passkeys.rename(ctx, account, id, 'Telefon'), { outcome: 'unknown' });
  t.deepEqual(await passkeys.rename(ctx, other.account, first?.id ?? '', 'Telefon'), { outcome: 'unknown' });
  t.deepEqual(await passkeys.rename(ctx, account, first?.id ?? '', 'Telefon'), { outcome: 'renamed' });
  t.is((await accounts.load(ctx, account))?.credentialState, 2);
  await domain.database.drop();
});
