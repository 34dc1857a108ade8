import test from 'ava';
import fc from 'fast-check';
import * as assurance from '../accounts/assurance.ts';

const NOW = 1_800_000_000;
const HOUR = 3600;
const { ACR } = assurance;

const NOTHING: assurance.Enrolled = {
  proofing: 'basis',
  password: false,
  totp: false,
  codes: 0,
  passkeys: 0,
  strongPasskey: false,
  weakTotp: false,
  eid: false,
  bundid: false,
  staff: false,
};
const anyKind = fc.constantFrom<assurance.ProofKind>('pwd', 'otp', 'code', 'passkey', 'eid', 'bundid', 'staff');
const anyProof: fc.Arbitrary<assurance.Proof> = fc
  .record({ kind: anyKind, age: fc.nat(14 * HOUR), strength: fc.constantFrom('weak', 'usual', 'strong') })
  .map(({ kind, age, strength }) => ({ kind, at: NOW - age, ...(strength !== 'usual' && { [strength]: true }) }));
const anyProofs = fc.array(anyProof, { maxLength: 6 }).map((proofs) => assurance.joinProofs(proofs));
const anyEvidence: fc.Arbitrary<assurance.Evidence> = fc.record({
  proofs: anyProofs,
  usedAt: fc.option(
    fc.nat(2 * HOUR).map((age) => NOW - age),
    { nil: undefined },
  ),
});
const anyEnrolled: fc.Arbitrary<assurance.Enrolled> = fc.record({
  proofing: fc.constantFrom(...assurance.LEVELS),
  password: fc.boolean(),
  totp: fc.boolean(),
  codes: fc.nat(2),
  passkeys: fc.nat(2),
  strongPasskey: fc.boolean(),
  weakTotp: fc.boolean(),
  eid: fc.boolean(),
  bundid: fc.boolean(),
  staff: fc.boolean(),
});
const anyValue = fc.constantFrom(...Object.values(ACR), 'phr', 'made-up', assurance.FRESH);
const anyRequirement: fc.Arbitrary<assurance.Requirement> = fc.record({
  any: fc.array(anyValue, { maxLength: 3 }),
  essential: fc.boolean(),
  all: fc.array(fc.constantFrom(...Object.values(ACR), 'phr'), { maxLength: 1 }),
});
const rank = (level: assurance.Level): number => assurance.LEVELS.indexOf(level);
const proof = (kind: assurance.ProofKind, age = 0, weak = false): assurance.Proof => ({
  kind,
  at: NOW - age,
  ...(weak && { weak }),
});

/** Written a second time, as the table of the decision and not as code: the level of a set of fresh, strong proofs. */
const TABLE: readonly (readonly [readonly assurance.ProofKind[], assurance.Level])[] = [
  [[], 'basis'],
  [['otp'], 'basis'],
  [['code'], 'basis'],
  [['otp', 'code'], 'basis'],
  [['pwd'], 'low'],
  [['pwd', 'otp'], 'substantial'],
  [['pwd', 'code'], 'substantial'],
  [['passkey'], 'substantial'],
  [['pwd', 'passkey'], 'substantial'],
  [['bundid'], 'substantial'],
  [['eid'], 'high'],
  [['pwd', 'eid'], 'high'],
];

test('each set of factors gives its level, and never more than the proof of identity', (t) => {
  for (const [kinds, level] of TABLE) {
    const evidence = { proofs: kinds.map((kind) => proof(kind)) };
    for (const proofing of assurance.LEVELS) {
      const expected = rank(level) < rank(proofing) ? level : proofing;
      t.is(assurance.levelOf(evidence, proofing, NOW), expected, `${kinds.join('+')} proofed ${proofing}`);
    }
  }
});

test('levels end in time, by age of the proof and by idleness, and the lower one remains', (t) => {
  const level = (proofs: assurance.Proof[], usedAgo?: number) =>
    assurance.levelOf({ proofs, usedAt: usedAgo === undefined ? undefined : NOW - usedAgo }, 'high', NOW);
  const minutes = (count: number) => count * 60;
  t.is(level([proof('eid', minutes(5))], 0), 'high');
  t.is(level([proof('eid', minutes(30))], minutes(5)), 'high');
  t.is(level([proof('eid', minutes(31))], 0), 'substantial');
  t.is(level([proof('eid', minutes(6))], minutes(6)), 'substantial');
  t.is(level([proof('passkey', minutes(120))], minutes(30)), 'substantial');
  t.is(level([proof('passkey', minutes(121))], 0), 'low');
  t.is(level([proof('passkey', minutes(60))], minutes(31)), 'low');
  t.is(level([proof('pwd', minutes(121)), proof('otp', 0)], 0), 'low');
  t.is(level([proof('pwd', 12 * HOUR)], minutes(60)), 'low');
  t.is(level([proof('pwd', 12 * HOUR + 1)], 0), 'basis');
  t.is(level([proof('pwd', 2 * HOUR)], minutes(61)), 'basis');
});

test('a weak factor carries no more than the one that it was added with', (t) => {
  t.is(assurance.levelOf({ proofs: [proof('passkey', 0, true)] }, 'high', NOW), 'low');
  t.is(assurance.levelOf({ proofs: [proof('pwd'), proof('otp', 0, true)] }, 'high', NOW), 'low');
  t.is(assurance.levelOf({ proofs: [proof('pwd', 0, true), proof('otp')] }, 'high', NOW), 'low');
  t.is(assurance.levelOf({ proofs: [proof('bundid', 0, true)] }, 'high', NOW), 'low');
});

test('BundID and the staff’s provider carry the highest level where they vouch for it, and nothing else does', (t) => {
  for (const kind of ['bundid', 'staff'] as const) {
    const strong = { ...proof(kind), strong: true };
    t.is(assurance.levelOf({ proofs: [strong] }, 'high', NOW), 'high');
    t.is(assurance.levelOf({ proofs: [strong] }, 'substantial', NOW), 'substantial');
    t.is(assurance.levelOf({ proofs: [{ ...strong, at: NOW - 31 * 60 }], usedAt: NOW }, 'high', NOW), 'substantial');
    t.is(assurance.levelOf({ proofs: [proof(kind)] }, 'high', NOW), 'substantial');
  }
  t.is(assurance.levelOf({ proofs: [{ ...proof('passkey'), strong: true }] }, 'high', NOW), 'substantial');
  t.is(assurance.levelOf({ proofs: [{ ...proof('pwd'), strong: true }] }, 'high', NOW), 'low');
});

test('a source is asked for the level that the request needs, and for a wish only once somebody is known', (t) => {
  const needs = (any: string[], essential: boolean, all: string[], wishes: boolean) =>
    assurance.levelNeeded({ any, essential, all }, wishes);
  t.is(needs([], false, [], true), 'basis');
  t.is(needs([ACR.high], false, [], false), 'basis');
  t.is(needs([ACR.high], false, [], true), 'high');
  t.is(needs([ACR.high, ACR.low], true, [], false), 'low', 'the least of what would do');
  t.is(needs([ACR.low], true, [ACR.substantial], false), 'substantial');
  t.is(needs(['phr', 'made-up'], true, ['phr'], true), 'basis');
});

test('the acr is never above the evidence, whatever is asked for', (t) => {
  fc.assert(
    fc.property(anyEvidence, anyEnrolled, anyRequirement, (evidence, has, requirement) => {
      const acr = assurance.grantedAcr(requirement, evidence, has, NOW);
      const level = assurance.levelOf(evidence, has.proofing, NOW);
      t.true(rank(level) <= rank(has.proofing));
      if (acr === 'phr') {
        t.true(evidence.proofs.some(({ kind }) => kind === 'passkey'));
        return;
      }
      const said = assurance.LEVELS.find((one) => ACR[one] === acr);
      if (said === undefined) return t.fail(`an acr that is none: ${acr}`);
      t.true(rank(said) <= rank(level));
    }),
    { numRuns: 5000 },
  );
});

test('of several values the first that is covered is given, and a higher level covers a lower one', (t) => {
  const evidence = { proofs: [proof('passkey')] };
  const has = { ...NOTHING, proofing: 'substantial', passkeys: 1, strongPasskey: true } as const;
  const granted = (any: string[]) => assurance.grantedAcr({ any, essential: true, all: [] }, evidence, has, NOW);
  t.is(granted([ACR.high, ACR.low, ACR.substantial]), ACR.low);
  t.is(granted([ACR.high, 'phr']), 'phr');
  t.is(granted([ACR.basis]), ACR.basis);
  t.is(granted(['made-up', ACR.high]), ACR.substantial, 'none is covered: the level itself');
  t.is(granted([assurance.FRESH]), ACR.substantial, 'what our own pages ask for is nobody else’s');
});

test('more proofs never mean less, and what is met is bound', (t) => {
  fc.assert(
    fc.property(anyEvidence, anyKind, anyEnrolled, anyRequirement, (evidence, kind, has, requirement) => {
      const more = { ...evidence, proofs: assurance.joinProofs(evidence.proofs, [{ kind, at: NOW }]) };
      t.true(rank(assurance.levelOf(more, has.proofing, NOW)) >= rank(assurance.levelOf(evidence, has.proofing, NOW)));
      if (assurance.isMet(requirement, evidence, has, NOW)) t.true(assurance.isBound(requirement, evidence, has, NOW));
    }),
    { numRuns: 3000 },
  );
});

test('what is missing is asked for only where it leads there, and what the account does not have is never asked for', (t) => {
  fc.assert(
    fc.property(anyEvidence, anyEnrolled, anyRequirement, (evidence, has, requirement) => {
      const missing = assurance.missingFor(requirement, evidence, has, NOW);
      t.is(missing === 'nothing', assurance.isMet(requirement, evidence, has, NOW));
      if (missing === 'second-factor') t.true(has.totp || has.codes > 0);
      if (missing === 'passkey') t.true(has.passkeys > 0);
      if (missing === 'primary') t.true(has.password || has.passkeys > 0 || has.eid || has.bundid || has.staff);
    }),
    { numRuns: 3000 },
  );
});

test('a running session is asked for nothing but what it lacks', (t) => {
  const has = { ...NOTHING, proofing: 'substantial', password: true, totp: true, codes: 3 } as const;
  const wants = (value: string): assurance.Requirement => ({ any: [value], essential: true, all: [] });
  const missing = (proofs: assurance.Proof[], value: string, more = {}) =>
    assurance.missingFor(wants(value), { proofs }, { ...has, ...more }, NOW);
  t.is(missing([proof('pwd')], ACR.low), 'nothing');
  t.is(missing([proof('pwd', HOUR / 4)], ACR.substantial), 'second-factor');
  t.is(missing([proof('pwd', 3 * HOUR), proof('otp', 3 * HOUR)], ACR.substantial), 'primary');
  t.is(missing([proof('pwd')], ACR.high), 'unreachable');
  t.is(missing([proof('pwd')], 'phr'), 'unreachable');
  t.is(missing([proof('pwd')], 'phr', { passkeys: 1, strongPasskey: true }), 'passkey');
  t.is(missing([proof('pwd')], ACR.substantial, { proofing: 'basis' }), 'unreachable');
});

test('proofs survive being written down; anything else written there counts for nothing', (t) => {
  fc.assert(
    fc.property(anyProofs, (proofs) => {
      t.deepEqual(assurance.decodeProofs(assurance.encodeProofs(proofs)), proofs);
    }),
  );
  fc.assert(
    fc.property(fc.string(), (line) => {
      for (const { kind, at } of assurance.decodeProofs(line))
        t.true(line.includes(`${kind}@${String(at).slice(0, 1)}`) || at === 0);
    }),
  );
  t.deepEqual(assurance.decodeProofs('http://eidas.europa.eu/LoA/high'), []);
  t.deepEqual(assurance.decodeProofs(undefined), []);
});

test('a service reads in amr what was shown, no more', (t) => {
  t.deepEqual(assurance.amrOf([proof('pwd')]), ['pwd']);
  t.deepEqual(assurance.amrOf([proof('pwd'), proof('otp')]), ['pwd', 'otp', 'mfa']);
  t.deepEqual(assurance.amrOf([proof('passkey')]), ['pop', 'user', 'mfa']);
  t.deepEqual(assurance.amrOf([proof('eid')]), ['sc', 'pin', 'mfa']);
  t.deepEqual(assurance.amrOf([proof('bundid', 0, true)]), []);
  t.is(assurance.authTimeOf([proof('pwd', 50), proof('otp')]), NOW - 50, 'a second factor by itself is no sign-in');
});

test('a request says what it must have and what it would like; broken ones ask for nothing', (t) => {
  const claims = (acr: unknown) => JSON.stringify({ id_token: { acr } });
  const read = (params: Record<string, unknown>, registration?: { minAcr: string }) =>
    assurance.requirementOf(params, registration);
  t.deepEqual(read({ acr_values: `${ACR.high} ${ACR.low}` }), { any: [ACR.high, ACR.low], essential: false, all: [] });
  t.deepEqual(read({ claims: claims({ essential: true, value: ACR.low }) }).any, [ACR.low]);
  t.true(read({ claims: claims({ essential: true, values: [ACR.low] }), acr_values: ACR.high }).essential);
  t.false(read({ claims: claims({ values: [ACR.low] }) }).essential);
  t.deepEqual(read({}, { minAcr: ACR.low }).all, [ACR.low]);
  for (const broken of ['{', '[]', '{"id_token":5}', '{"id_token":{"acr":"x"}}', '{"id_token":{"acr":[1]}}']) {
    t.deepEqual(read({ claims: broken }).any, [], broken);
  }
  t.deepEqual(read({ acr_values: assurance.FRESH }).any, [], 'only our own pages may ask for it');
  t.deepEqual(read({ acr_values: assurance.FRESH, client_id: assurance.OWN_CLIENT }).all, [assurance.FRESH]);
});
