/**
 * T14: nobody learns who has an account. Known and unknown citizens at sign-in, registration, recovery and passkeys:
 * same status, headers, cookies and text, and no difference in time that a thousand tries each would show.
 */
import test, { type ExecutionContext } from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import type { App } from '../../provider/app.ts';
import { SoftPasskey } from '../harness/authenticator.ts';
import { addCitizen, atHome, authorizationUrl, pkce } from '../harness/relying-party.ts';
import { CHEAP_HASHING, type RunningTown, startTown } from '../harness/town.ts';
import { type Answer, forms, Visitor } from '../harness/visitor.ts';
import { scaled } from './scale.ts';

const PAIRS = scaled(1000, 30);
/** Tries in one interaction. */
const BATCH = 5;
/** |t| below it: no difference to be seen (the bound of leakage tests, ISO/IEC 17825). */
const BOUND = 4.5;
/** Fewer pairs on a busy machine show only a larger leak; the machinery that finds it is the same. */
const LEAK_MS = PAIRS >= 1000 ? 5 : 200;
const KNOWN = 'bekannt@buerger.example';
/** By this the leaking build of the last test tells whom to keep waiting; the real one has never heard of it. */
const MARK = 'x-planted';

let town: RunningTown;
let leaking = false;

const leaky =
  (handler: App['handler']): App['handler'] =>
  (req, res) => {
    if (leaking && req.headers[MARK] === 'known') setTimeout(() => handler(req, res), LEAK_MS);
    else handler(req, res);
  };

test.before(async () => {
  // Cheap hashes, so that they hide no other difference; that real ones cost the same for all is accounts-passwords' matter.
  town = await startTown({ around: leaky, hashing: CHEAP_HASHING });
  const account = await addCitizen(town, KNOWN, 'ein bekanntes langes Passwort');
  const ctx = town.context();
  const rp = { id: new URL(town.issuer).hostname, origin: town.issuer, name: 'Teststadt' };
  const handle = (await accounts.load(ctx, account))?.passkeyHandle ?? Buffer.alloc(0);
  const challenge = Buffer.alloc(32, 3).toString('base64url');
  const made = new SoftPasskey(handle).create({ challenge, origin: rp.origin, rpId: rp.id });
  const created = await passkeys.verifyCreation(rp, challenge, made);
  if (created.outcome !== 'ok') throw new Error(created.reason);
  await passkeys.add(ctx, account, created.passkey);
});
test.serial.beforeEach(() => {
  leaking = false;
});
test.after.always(() => town?.close());

/** Of each tail of the differences this part is cut off: pauses of the machine. */
const TRIMMED = 0.1;

/**
 * t of the differences between the two of each pair, which were sent one right after the other: a machine that grows slow
 * hits both alike. Trimmed mean and winsorized variance (Yuen 1974).
 */
const tOf = ({ known, unknown }: Times): number => {
  const differences = known.map((ms, at) => ms - (unknown[at] ?? 0)).sort((a, b) => a - b);
  const count = differences.length;
  const cut = Math.floor(count * TRIMMED);
  const [low = 0, high = 0] = [differences[cut], differences[count - 1 - cut]];
  const kept = differences.slice(cut, count - cut);
  const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length;
  const clamped = differences.map((value) => Math.min(high, Math.max(low, value)));
  const middle = clamped.reduce((sum, value) => sum + value, 0) / count;
  const variance = clamped.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (count - 1);
  return Math.abs(mean) / (Math.sqrt(variance / count) / (1 - 2 * TRIMMED));
};

/** What an answer shows, without what is random in each. */
const shown = ({ status, headers, text, url }: Answer, identifier: string): unknown => ({
  status,
  headers: Object.keys(headers).sort(),
  cookies: (headers['set-cookie'] as string[] | undefined)?.map((cookie) => cookie.replace(/=[^;]*/, '')),
  text: text
    .replaceAll(identifier, 'IDENTIFIER')
    .replaceAll(url.pathname, 'PATH')
    .replaceAll(/value="[^"]*"/g, 'value')
    .replaceAll(/interaction\/[\w-]+/g, 'interaction')
    // Options: which passkeys, how many and over which way is another matter for each citizen, the unknown ones included.
    .replaceAll(/"allowCredentials":\[\{.*?\}\]/g, '"allowCredentials":[…]')
    .replaceAll(/"(challenge|ceremony)":"[\w-]+"/g, '"$1":"…"'),
});

/** A page to try on, and what is sent from it for an identifier. */
type Probe = {
  readonly way: readonly string[];
  readonly action: string;
  readonly fields: (identifier: string, turn: number, ask: Ask) => Promise<Record<string, string>>;
};
type Ask = (action: string, fields: Record<string, string>) => Promise<Answer>;

const forged = async (identifier: string, ask: Ask): Promise<Record<string, string>> => {
  const { options, ceremony } = JSON.parse((await ask('passkey-options', { identifier })).text);
  const rpId = new URL(town.issuer).hostname;
  const key = new SoftPasskey(Buffer.alloc(32)).get({ challenge: options.challenge, origin: town.issuer, rpId });
  const { id } = options.allowCredentials[0];
  const { userHandle: _, ...response } = key['response'] as Record<string, string>;
  return { ceremony, response: JSON.stringify({ ...key, id, rawId: id, response }) };
};

const PROBES: Readonly<Record<string, Probe>> = {
  'a sign-in with a wrong password': {
    way: [],
    action: 'sign-in',
    fields: async (identifier, turn) => ({ identifier, password: `falsch und lang genug ${turn}` }),
  },
  'a registration with an address': { way: ['register'], action: 'email', fields: async (email) => ({ email }) },
  'a forgotten password with a wrong code': {
    way: ['forgotten'],
    action: 'recovery-code',
    fields: async (identifier, turn) => ({ identifier, backup_code: `AAAA-BBBB-CCCC-DDD${turn}` }),
  },
  'the passkeys that an identifier may use': {
    way: [],
    action: 'passkey-options',
    fields: async (identifier) => ({ identifier }),
  },
  'a sign-in with a forged passkey': {
    way: [],
    action: 'passkey',
    fields: (identifier, _turn, ask) => forged(identifier, ask),
  },
};

type Times = { readonly known: number[]; readonly unknown: number[] };

const run = async (t: ExecutionContext, probe: Probe, pairs: number): Promise<Times> => {
  const times: Times = { known: [], unknown: [] };
  for (let done = 0; done < pairs; done += BATCH) {
    // Waiting times are another test's matter.
    await town.context().db('attempts').delete();
    const visitor = new Visitor();
    let page = await visitor.open(authorizationUrl(town, 'fahrkarte', pkce()), atHome(town));
    for (const action of probe.way) page = await visitor.submitTo(page, action, {}, atHome(town));
    const base = /^\/interaction\/[\w-]+/.exec(page.url.pathname)?.[0] ?? '';
    const token = forms(page)[0]?.fields.find(([name]) => name === 'token')?.[1] ?? '';
    const send = (action: string, fields: Record<string, string>, mark = ''): Promise<Answer> =>
      visitor.send(new URL(`${base}/${action}`, town.issuer), {
        method: 'POST',
        body: new URLSearchParams({ token, ...fields }),
        headers: { [MARK]: mark },
      });
    for (let turn = 0; turn < BATCH; turn += 1) {
      const seen: Record<string, unknown> = {};
      const kinds = Math.random() < 0.5 ? (['known', 'unknown'] as const) : (['unknown', 'known'] as const);
      for (const kind of kinds) {
        // Of the same length: nothing but being known is different.
        const identifier = kind === 'known' ? KNOWN : `f${String(done + turn).padStart(6, '0')}@buerger.example`;
        const fields = await probe.fields(identifier, turn, send);
        const start = performance.now();
        const answer = await send(probe.action, fields, kind);
        times[kind].push(performance.now() - start);
        const after = answer.status === 303 ? await visitor.follow(answer, atHome(town)) : undefined;
        seen[kind] = [shown(answer, identifier), after && shown(after, identifier)];
        // On to the code of the mail: back again, for the next address.
        if (probe.action === 'email') await send('back', {});
      }
      t.deepEqual(seen['known'], seen['unknown']);
    }
  }
  return times;
};

for (const [name, probe] of Object.entries(PROBES)) {
  test.serial(`${name} says nothing about whether the account exists, not even by the time it takes`, async (t) => {
    const times = await run(t, probe, PAIRS);
    const value = tOf(times);
    t.log(`|t| = ${value.toFixed(2)} over ${times.known.length} pairs`);
    t.true(value < BOUND, `|t| = ${value}`);
  });

  test.serial(`${name}: a build that takes ${LEAK_MS} ms longer for those who exist is caught`, async (t) => {
    leaking = true;
    const times = await run(t, probe, PAIRS);
    const value = tOf(times);
    t.log(`|t| = ${value.toFixed(2)} over ${times.known.length} pairs`);
    t.true(value > BOUND, `|t| = ${value}`);
  });
}
