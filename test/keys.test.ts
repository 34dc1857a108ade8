import { createHmac } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { hmacOf, signerOf } from '../keys/hmac.ts';
import { newKeyRing, parseKeyRing } from '../keys/key-ring.ts';
import { createKeys } from '../keys/keys.ts';
import { needsNewSigningKey, newSigningKey, SIGNING_KEY_SETTINGS, signingKeyState } from '../keys/signing-keys.ts';
import { freshRing } from './harness/domain.ts';

const ACCOUNT = '6b2f5c1e-0d5e-4f0e-9c3a-1d2f3a4b5c6d';
const OTHER = '7c3f5c1e-0d5e-4f0e-9c3a-1d2f3a4b5c6e';

test('a new key ring is read back, and no two are alike', (t) => {
  const text = newKeyRing();
  const ring = parseKeyRing(text);
  t.false('faults' in ring);
  t.not(text, newKeyRing());
});

test('a keyed hash is HMAC-SHA-256, each part with its length before it', (t) => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 100 }),
    fc.uint8Array({ maxLength: 6000 }).map((bytes) => Buffer.from(bytes)),
  );
  const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(key, fc.array(fc.array(part, { maxLength: 4 }), { minLength: 1, maxLength: 4 }), (secret, messages) => {
      const keyed = hmacOf(secret);
      for (const parts of messages) {
        const expected = createHmac('sha256', secret);
        for (const one of parts) {
          const length = Buffer.alloc(4);
          length.writeUInt32BE(Buffer.byteLength(one));
          expected.update(length).update(one);
        }
        t.deepEqual(keyed(...parts), expected.digest());
      }
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(key, fc.string({ unit: 'grapheme', maxLength: 5000 }), (secret, text) => {
      t.is(signerOf(secret)(text), createHmac('sha256', secret).update(text).digest('base64url'));
    }),
    { numRuns: 50 },
  );
  t.throws(() => hmacOf(Buffer.alloc(65)));
});

test('a key ring is refused with all its faults at once, none of which quotes a key', (t) => {
  const ring = JSON.parse(newKeyRing());
  const faulty = {
    keyEncryption: { current: 2, versions: { 1: ring.keyEncryption.versions[1], x: 'y' } },
    pseudonym: ring.index,
    index: ring.index,
    pepper: { current: 1, versions: { 1: 'A'.repeat(43) } },
    cookies: [ring.cookies[0]],
    surprise: true,
  };
  const read = parseKeyRing(JSON.stringify(faulty));
  if (!('faults' in read)) return t.fail();
  const text = read.faults.join('\n');
  for (const place of ['keyEncryption.current', 'keyEncryption.versions', 'index', 'pepper.versions.1', 'cookies']) {
    t.true(text.includes(place), place);
  }
  t.true(text.includes('unknown field'));
  t.false(text.includes(ring.index));
  t.deepEqual(parseKeyRing('{'), { faults: ['the key ring is not valid JSON'] });
  for (const text of ['null', '[]', '3', '{}']) t.true('faults' in parseKeyRing(text), text);
});

test('a key must be exactly 32 bytes of canonical base64url', (t) => {
  const ring = JSON.parse(newKeyRing());
  for (const wrong of [
    '',
    ring.index.slice(1),
    `${ring.index}=`,
    `${ring.index}A`,
    ring.index.replace(/.$/, '_'),
    7,
    null,
  ]) {
    if (wrong === ring.index) continue;
    t.true('faults' in parseKeyRing(JSON.stringify({ ...ring, index: wrong })), String(wrong));
  }
});

test('a sealed column opens for its own account and column only, and not with any byte changed', (t) => {
  const keys = createKeys(freshRing());
  const { wrapped, version } = keys.newDataKey(ACCOUNT);
  const dataKey = keys.openDataKey(ACCOUNT, wrapped, version);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (plain) => {
      const sealed = keys.seal(dataKey, ACCOUNT, 'email', plain);
      t.is(keys.open(dataKey, ACCOUNT, 'email', sealed), plain);
      t.throws(() => keys.open(dataKey, OTHER, 'email', sealed));
      t.throws(() => keys.open(dataKey, ACCOUNT, 'name', sealed));
    }),
    { numRuns: 50 },
  );
  const sealed = keys.seal(dataKey, ACCOUNT, 'email', 'erika@example.org');
  for (let position = 0; position < sealed.length; position += 1) {
    const changed = Buffer.from(sealed);
    changed[position] = (changed[position] ?? 0) ^ 1;
    t.throws(() => keys.open(dataKey, ACCOUNT, 'email', changed), undefined, `byte ${position}`);
  }
  t.throws(() => keys.open(dataKey, ACCOUNT, 'email', Buffer.alloc(0)));
  t.notDeepEqual(sealed, keys.seal(dataKey, ACCOUNT, 'email', 'erika@example.org'));
});

test('a data key opens for its own account and version only', (t) => {
  const keys = createKeys(freshRing());
  const { wrapped, version } = keys.newDataKey(ACCOUNT);
  t.throws(() => keys.openDataKey(OTHER, wrapped, version));
  t.throws(() => keys.openDataKey(ACCOUNT, wrapped, version + 1));
  t.throws(() => createKeys(freshRing()).openDataKey(ACCOUNT, wrapped, version));
});

test('what is sealed without an account opens for its own purpose and id only', (t) => {
  const keys = createKeys(freshRing());
  const sealed = keys.sealShared('notice', 'id-1', 'text');
  t.is(keys.openShared('notice', 'id-1', sealed), 'text');
  t.throws(() => keys.openShared('session', 'id-1', sealed));
  t.throws(() => keys.openShared('notice', 'id-2', sealed));
  t.is(keys.openShared('notice', Buffer.from([1]), keys.sealShared('notice', Buffer.from([1]), 'ü')), 'ü');
});

test('renewing the key-encryption key, the pepper or the cookie keys changes nothing else', (t) => {
  const ring = freshRing();
  const fresh = freshRing();
  const before = createKeys(ring);
  const after = createKeys({
    ...ring,
    keyEncryption: {
      current: 2,
      versions: new Map([...ring.keyEncryption.versions, [2, fresh.keyEncryption.versions.get(1) ?? Buffer.alloc(0)]]),
    },
    pepper: {
      current: 2,
      versions: new Map([...ring.pepper.versions, [2, fresh.pepper.versions.get(1) ?? Buffer.alloc(0)]]),
    },
    cookies: [...fresh.cookies, ...ring.cookies],
  });
  t.is(after.subject('stadt', ACCOUNT), before.subject('stadt', ACCOUNT));
  t.deepEqual(after.index('email', 'a'), before.index('email', 'a'));
  const { wrapped, version } = before.newDataKey(ACCOUNT);
  t.notThrows(() => after.openDataKey(ACCOUNT, wrapped, version));
  t.is(after.newDataKey(ACCOUNT).version, 2);
  t.is(after.openShared('notice', 'x', before.sealShared('notice', 'x', 'text')), 'text');
  t.throws(() => before.openShared('notice', 'x', after.sealShared('notice', 'x', 'text')));
  t.is(after.pepper().version, 2);
  t.deepEqual(after.pepper(1), before.pepper());
  t.throws(() => after.pepper(3));
  t.true(after.checkFormToken('browser', before.formToken('browser')));
});

test('subjects and indexes differ by sector, kind and key, and no concatenation makes two meet', (t) => {
  const keys = createKeys(freshRing());
  const subject = keys.subject('stadt', ACCOUNT);
  t.regex(subject, /^[A-Za-z0-9_-]{43}$/);
  t.is(subject, keys.subject('stadt', ACCOUNT));
  t.not(subject, keys.subject('bibliothek', ACCOUNT));
  t.not(subject, keys.subject('stadt', OTHER));
  t.not(subject, createKeys(freshRing()).subject('stadt', ACCOUNT));
  t.notDeepEqual(keys.index('ab', 'c'), keys.index('a', 'bc'));
  t.is(keys.index('email', '').length, 32);
});

test('a form token is good for its own browser only', (t) => {
  const keys = createKeys(freshRing());
  const token = keys.formToken('one');
  t.true(keys.checkFormToken('one', token));
  for (const wrong of ['', token.slice(1), `${token}x`, token.replace(/.$/, '!'), 'é'.repeat(43)]) {
    t.false(keys.checkFormToken('one', wrong));
  }
  t.false(keys.checkFormToken('two', token));
});

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test('a signing key is published a day before it signs and until its last token is over', (t) => {
  const start = new Date('2026-01-01T00:00:00Z').getTime();
  const keys: { createdAt: Date }[] = [];
  const seen = new Map<object, string[]>();
  for (let hour = 0; hour < 24 * 120; hour += 1) {
    const now = new Date(start + hour * HOUR_MS);
    if (needsNewSigningKey(keys, now)) keys.push({ createdAt: now });
    const states = keys.map((key) => signingKeyState(key, keys, now));
    t.is(states.filter((state) => state === 'current').length, 1);
    keys.forEach((key, position) => {
      const history = seen.get(key) ?? [];
      const state = states[position] ?? '';
      if (history.at(-1) !== state) history.push(state);
      seen.set(key, history);
    });
  }
  const [first, second] = keys;
  if (first === undefined || second === undefined) return t.fail();
  t.deepEqual(seen.get(first), ['current', 'retired', 'gone']);
  t.deepEqual(seen.get(second), ['next', 'current', 'retired', 'gone']);
  const at = (ms: number): string => signingKeyState(second, keys, new Date(second.createdAt.getTime() + ms));
  t.is(second.createdAt.getTime() - first.createdAt.getTime(), 29 * DAY_MS);
  t.is(at(DAY_MS - 1), 'next');
  t.is(at(DAY_MS), 'current');
  const handover = 30 * DAY_MS;
  t.is(at(handover), 'retired');
  t.is(at(handover + 25 * HOUR_MS - 1), 'retired');
  t.is(at(handover + 25 * HOUR_MS), 'gone');
});

test('when the current signing key is revoked, the next one signs at once', (t) => {
  const now = new Date('2026-01-31T00:00:00Z');
  const compromised = { createdAt: new Date('2026-01-01T00:00:00Z'), revokedAt: now };
  const next = { createdAt: new Date('2026-01-30T12:00:00Z') };
  const keys = [next, compromised];
  t.is(signingKeyState(compromised, keys, now), 'gone');
  t.is(signingKeyState(next, keys, now), 'current');
  t.is(signingKeyState(compromised, keys, new Date(now.getTime() - 1)), 'current');
  t.true(needsNewSigningKey([compromised], now));
});

test('at any time exactly one of any signing keys in service is current', (t) => {
  const offset = fc.integer({ min: 0, max: 90 * 24 });
  fc.assert(
    fc.property(fc.array(offset, { minLength: 1, maxLength: 6 }), offset, (created, at) => {
      const keys = created.map((hour) => ({ createdAt: new Date(hour * HOUR_MS) }));
      const now = new Date(at * HOUR_MS);
      t.is(keys.filter((key) => signingKeyState(key, keys, now, SIGNING_KEY_SETTINGS) === 'current').length, 1);
    }),
  );
});

test('a new signing key is ES256, named by its thumbprint, and its public half holds no secret', async (t) => {
  const key = await newSigningKey('ES256');
  t.is(key.publicJwk.kid, key.kid);
  t.is(key.publicJwk.crv, 'P-256');
  t.is(key.publicJwk.d, undefined);
  t.is(typeof key.privateJwk.d, 'string');
});
