/** Every rule of the retention schedule with a moved clock; deletion, dormancy, restores. */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as activities from '../accounts/activities.ts';
import * as attempts from '../accounts/attempts.ts';
import type * as attributes from '../accounts/attributes.ts';
import * as audit from '../accounts/audit.ts';
import * as consents from '../accounts/consents.ts';
import type { Context } from '../accounts/context.ts';
import * as deletion from '../accounts/deletion.ts';
import * as devices from '../accounts/devices.ts';
import { noteUse } from '../accounts/dormancy.ts';
import * as emailCodes from '../accounts/email-codes.ts';
import { type AccountId, type ClientId, parseClientId } from '../accounts/ids.ts';
import * as letters from '../accounts/letters.ts';
import * as logoutNotices from '../accounts/logout-notices.ts';
import * as notices from '../accounts/notices.ts';
import * as recoveries from '../accounts/recoveries.ts';
import { enforceRetention, RETENTION } from '../accounts/retention.ts';
import * as securityEvents from '../accounts/security-events.ts';
import * as sessions from '../accounts/session-notes.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { citizenLetters } from '../interactions/citizen-letters.ts';
import { type Domain, emailOf, everythingStored, openDomain, registrationOf, TOWN } from './harness/domain.ts';
import { makeMember } from './harness/staff.ts';
import { TEST_TOWN } from './harness/town.ts';

const DAY = 24 * 3600;
const LIBRARY = parseClientId('bibliothek') as ClientId;
const address = { street_address: 'Markt 1', postal_code: '33330', locality: 'Gütersloh' };

const open = async (t: ExecutionContext): Promise<Domain & { parts: Parameters<typeof enforceRetention>[1] }> => {
  const domain = await openDomain();
  t.teardown(domain.database.drop);
  const { ctx, database } = domain;
  const store = createPostgresStore({ pool: database.pool, keys: ctx.keys, now: ctx.now });
  const service = registrationOf({ securityEventsUri: 'https://bibliothek.example/events' });
  return {
    ...domain,
    parts: {
      text: (language, until) => ({ subject: `schläft ${language}`, text: until.toISOString() }),
      ending: {
        service: (clientId) => (clientId === LIBRARY ? service : undefined),
        api: () => undefined,
        revoke: (account) => store.revokeAccount(account),
      },
    },
  };
};

const register = async (ctx: Context, email?: string, where?: attributes.PostalAddress): Promise<AccountId> => {
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    credential: { kind: 'password', hash: { hash: 'x', pepperVersion: 1 } },
    ...(email !== undefined && { email: emailOf(email) }),
    ...(where !== undefined && { address: where }),
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered.account;
};

const count = async (ctx: Context, table: string): Promise<number> => (await ctx.db(table)).length;

type Given = Awaited<ReturnType<typeof open>>;
/** For each rule: something it is about, and the seconds after which that is gone; a second less keeps it. */
const EXPIRIES: Record<string, { table: string; seconds: number; make: (given: Given) => Promise<void> }> = {
  activities: {
    table: 'activities',
    // Kept to the end of the ninetieth day; the clock of the tests stands at ten.
    seconds: 90 * DAY - 10 * 3600,
    make: async ({ ctx }) => audit.record(ctx, 'sign-in-refused', { detail: { method: 'password', reason: 'wrong' } }),
  },
  attempts: {
    table: 'attempts',
    seconds: 900,
    make: async ({ ctx }) => {
      await attempts.reserve(ctx, [{ kind: 'address', key: '192.0.2.1', limit: 5, windowSeconds: 900 }]);
    },
  },
  sessions: {
    table: 'sessions',
    // Dated by the day after the last use, which begins in fourteen hours.
    seconds: DAY + 14 * 3600,
    make: async ({ ctx }) => sessions.begin(ctx, { uid: 'u', account: await register(ctx), device: 'Firefox' }),
  },
  devices: {
    table: 'known_devices',
    // Dated by the day, which had begun ten hours before.
    seconds: 400 * DAY - 10 * 3600,
    make: async ({ ctx }) => {
      await devices.remember(ctx, await register(ctx), {
        id: devices.newDevice(),
        name: 'Firefox',
        keep: true,
        signedIn: false,
      });
    },
  },
  codes: {
    table: 'email_codes',
    seconds: 600,
    make: async ({ ctx }) => {
      const texts = { code: () => ({ subject: '', text: '' }), known: () => ({ subject: '', text: '' }) };
      await emailCodes.send(ctx, 'browser', emailOf('a@beispiel.example'), texts);
    },
  },
  notices: {
    table: 'notices',
    seconds: 4 * DAY,
    make: ({ ctx }) => notices.enqueue(ctx, { to: 'a@beispiel.example', subject: '', text: '' }),
  },
  logoutNotices: {
    table: 'logout_notices',
    seconds: DAY,
    make: async ({ ctx }) =>
      logoutNotices.enqueue(ctx, { clientId: LIBRARY, accountId: await register(ctx), sid: 'x' }),
  },
  securityEvents: {
    table: 'security_events',
    seconds: 14 * DAY,
    make: async ({ ctx }) => {
      const service = { organisation: 'o', securityEventsUri: 'https://s.example/', clientId: LIBRARY };
      await securityEvents.enqueue(ctx, await register(ctx), service, 'account-purged', {
        spreadSeconds: securityEvents.SPREAD_SECONDS,
      });
    },
  },
  audit: {
    table: 'audit',
    // Dated by the day, which had begun ten hours before.
    seconds: 731 * DAY - 10 * 3600,
    make: async ({ ctx }) => {
      await ctx.db('audit').insert({ at: new Date('2026-11-21T00:00:00Z'), event: 'signed-out', actor: '{}' });
    },
  },
  recoveries: {
    table: 'recoveries',
    seconds: 731 * DAY,
    make: async ({ ctx }) => {
      const by = await makeMember(ctx, ['chief']);
      const account = await register(ctx);
      const wanted = { account, reason: 'other', ticket: 'T', evidence: 'passport' } as const;
      const mails = citizenLetters(TEST_TOWN, new URL('https://login.example'));
      const opened = await recoveries.open(ctx, by.id, wanted, recoveries.WAIT_HOURS, mails);
      if (opened.outcome !== 'opened') throw new Error(opened.outcome);
      await recoveries.stopBy(ctx, by.id, opened.recovery.number, 'cancelled', mails);
    },
  },
  letterCodes: {
    table: 'letter_codes',
    seconds: (3 + 90) * DAY,
    make: async ({ ctx }) => void (await makeMember(ctx, ['chief'])),
  },
  tombstones: {
    table: 'tombstones',
    seconds: 90 * DAY - 10 * 3600,
    make: async ({ ctx }) => ctx.db('tombstones').insert({ account_id: randomUUID(), gone_on: '2026-11-21' }),
  },
  letters: {
    table: 'letters',
    seconds: 30 * DAY,
    make: async ({ ctx }) => {
      const account = await register(ctx, undefined, address);
      await ctx.db('letters').insert({ id: randomUUID(), account_id: account, sealed: '', created_at: ctx.now() });
      await ctx.db('letters').update({ printed_at: ctx.now() });
    },
  },
  account: {
    table: 'accounts',
    seconds: 14 * DAY,
    make: async ({ ctx }) => {
      await deletion.request(ctx, await register(ctx), () => undefined);
    },
  },
};
/** Enforced elsewhere and tested there, or never over by themselves. */
const ELSEWHERE = ['dormant', 'artifacts', 'consents', 'backups'];

test('every rule of the schedule is tested', (t) => {
  t.deepEqual([...Object.keys(EXPIRIES), ...ELSEWHERE].sort(), Object.keys(RETENTION).sort());
  for (const [name, rule] of Object.entries(RETENTION)) {
    t.is(rule.enforce === undefined, ['artifacts', 'consents', 'backups'].includes(name), name);
    t.true(rule.what.de.length > 5 && (rule.what['en'] ?? '').length > 5 && rule.kept.de.length > 5, name);
  }
});

for (const [name, { table, seconds, make }] of Object.entries(EXPIRIES)) {
  test(`the schedule forgets in time: ${name}`, async (t) => {
    const given = await open(t);
    const { ctx, parts, pass } = given;
    await make(given);
    t.is(await count(ctx, table), 1);
    pass(seconds - 1);
    t.is(await RETENTION[name]?.enforce?.(ctx, parts), 0);
    t.is(await count(ctx, table), 1);
    pass(1);
    t.is((await enforceRetention(ctx, parts))[name], 1);
    t.is(await count(ctx, table), 0);
  });
}

test('sessions, grants and tokens are gone soon after they have expired', async (t) => {
  const { ctx, database, pass } = await open(t);
  const store = createPostgresStore({ pool: database.pool, keys: ctx.keys, now: ctx.now });
  const account = randomUUID();
  const exp = Math.floor(ctx.now().getTime() / 1000) + 3600;
  await store.adapterFor('Grant').upsert('g', { accountId: account, clientId: 'bibliothek', exp }, 3600);
  await store.adapterFor('AccessToken').upsert('t', { grantId: 'g', accountId: account, exp }, 600);
  await store.adapterFor('Session').upsert('s', { uid: 'u', accountId: account, exp }, 3600);
  pass(3599);
  t.is((await store.purgeExpired(100)) > 0, true, 'the token');
  t.truthy(await store.adapterFor('Grant').find('g'));
  pass(1);
  t.is(await store.adapterFor('Grant').find('g'), undefined);
  t.is(await store.adapterFor('Session').find('s'), undefined);
  pass(3 * 3600);
  await store.purgeExpired(100);
  for (const table of ['oidc_grants', 'oidc_sessions', 'oidc_session_ids', 'oidc_lasting']) {
    t.is(await count(ctx, table), 0, table);
  }
});

test('an account goes after fourteen days, with its key, its services told once each within a day', async (t) => {
  const domain = await open(t);
  const { ctx, parts, pass } = domain;
  const account = await register(ctx, 'erika@beispiel.example', address);
  const other = await register(ctx, 'max@beispiel.example');
  await consents.record(ctx, account, registrationOf(), { given: ['given_name'], refused: [] });
  await consents.record(ctx, account, registrationOf({ clientId: 'fort' }), { given: ['given_name'], refused: [] });
  await audit.record(ctx, 'sign-in-proven', { account, detail: { method: 'password' } });
  const [before] = await ctx.db('accounts').where({ id: account }).select('data_key', 'data_key_version');

  const mail = (due: Date) => ({ to: 'erika@beispiel.example', subject: 'x', text: due.toISOString() });
  const asked = await deletion.request(ctx, account, mail);
  t.is(asked.outcome, 'requested');
  pass(DAY);
  t.deepEqual(await deletion.request(ctx, account, mail), asked, 'asking again changes nothing');
  t.is(await count(ctx, 'notices'), 1);
  t.true(await deletion.withdraw(ctx, account));
  t.false(await deletion.withdraw(ctx, account));
  pass(20 * DAY);
  t.is(await deletion.purgeDue(ctx, parts.ending), 0, 'the citizen has changed their mind');

  await deletion.request(ctx, account, () => undefined);
  pass(14 * DAY);
  t.false(await deletion.withdraw(ctx, account), 'too late');
  t.is(await deletion.purgeDue(ctx, parts.ending), 1);
  t.is(await accounts.load(ctx, account), undefined);
  t.truthy(await accounts.load(ctx, other));
  t.deepEqual(await activities.list(ctx, account), []);
  t.is(await count(ctx, 'activities'), 0);
  t.is(await count(ctx, 'consents'), 0);
  t.is((await ctx.db('attributes').where({ account_id: account })).length, 0);
  const stored = await everythingStored(domain);
  t.false(stored.includes(before.data_key.toString('hex')), 'the data key is nowhere');

  pass(DAY);
  const [event, ...more] = await securityEvents.takeDue(ctx, 10);
  t.deepEqual(more, [], 'a service that is gone, or takes no events, is not told');
  t.is(event?.event, 'account-purged');
  t.is(event?.subject, ctx.keys.subject('stadtbibliothek', account));
  const rows = await ctx.db('audit').where({ account_id: account }).orderBy('seq').select('event');
  t.deepEqual(rows.at(-1), { event: 'account-purged' });
});

test('what services are told of a deletion is spread over a day', async (t) => {
  const { ctx } = await open(t);
  const account = await register(ctx);
  const service = { organisation: 'o', securityEventsUri: 'https://s.example/', clientId: LIBRARY };
  for (let n = 0; n < 60; n += 1) {
    await securityEvents.enqueue(ctx, account, service, 'account-purged', {
      spreadSeconds: securityEvents.SPREAD_SECONDS,
    });
  }
  const hours = (await ctx.db('security_events').select('due_at')).map(
    ({ due_at }) => (due_at.getTime() - ctx.now().getTime()) / 3_600_000,
  );
  t.true(Math.min(...hours) >= 0 && Math.max(...hours) <= 24);
  t.true(hours.filter((hour) => hour < 8).length > 5 && hours.filter((hour) => hour > 16).length > 5);
  t.is(new Set((await ctx.db('security_events').select('created_at')).map(String)).size, 1);
});

test('a sleeping account is told twice, then goes; one that wakes up stays', async (t) => {
  const { ctx, parts, pass } = await open(t);
  const sleeper = await register(ctx, 'schlaf@beispiel.example');
  const waker = await register(ctx, 'wach@beispiel.example');
  const mails = async (): Promise<string[]> => {
    await enforceRetention(ctx, parts);
    const sent = (await notices.takeDue(ctx, 10)).map(({ to }) => to).sort();
    await ctx.db('notices').delete();
    return sent;
  };
  const month = async (): Promise<string> => {
    const [row] = await ctx.db('accounts').where({ id: waker }).select(ctx.db.raw('used_month::text AS month'));
    return row.month;
  };
  // Used in November 2026: 22 whole months later is October 2028.
  pass((new Date('2028-09-30T10:00:00Z').getTime() - ctx.now().getTime()) / 1000);
  t.deepEqual(await mails(), []);
  pass(DAY);
  t.deepEqual(await mails(), ['schlaf@beispiel.example', 'wach@beispiel.example'], '22 months');
  t.deepEqual(await mails(), [], 'told once');
  pass(40 * DAY);
  t.is(await month(), '2026-11-01');
  await noteUse(ctx, waker, { used_month: '2026-11-01' });
  t.is(await month(), '2028-11-01');
  t.deepEqual(await mails(), ['schlaf@beispiel.example'], '23 months');
  pass(25 * DAY);
  await enforceRetention(ctx, parts);
  t.is(await count(ctx, 'accounts'), 2, 'not before four weeks after the second notice');
  pass(10 * DAY);
  t.is((await enforceRetention(ctx, parts))['dormant'], 1);
  t.is(await accounts.load(ctx, sleeper), undefined);
  t.truthy(await accounts.load(ctx, waker));
});

test('notices that went out late leave the citizen the same time', async (t) => {
  const { ctx, parts, pass } = await open(t);
  await register(ctx, 'spaet@beispiel.example');
  pass(1200 * DAY); // the operator had switched the rule off
  for (const expected of [1, 2, 2]) {
    await enforceRetention(ctx, parts);
    await enforceRetention(ctx, parts);
    const [row] = await ctx.db('accounts').select('dormancy_notices');
    t.is(row.dormancy_notices, expected);
    pass(expected === 1 ? 28 * DAY : 13 * DAY);
  }
  pass(2 * DAY);
  t.is((await enforceRetention(ctx, parts))['dormant'], 1);
});

test('without e-mail a letter is written, and until it is printed nothing is deleted; without any channel, never', async (t) => {
  const { ctx, parts, pass } = await open(t);
  const byLetter = await register(ctx, undefined, address);
  const silent = await register(ctx);
  pass(1200 * DAY);
  for (let turn = 0; turn < 4; turn += 1) {
    await enforceRetention(ctx, parts);
    pass(40 * DAY);
  }
  t.is(await count(ctx, 'accounts'), 2);
  t.is(await count(ctx, 'letters'), 2);
  const clerk = (await makeMember(ctx, ['chief'])).id;
  const taken = await letters.take(ctx, clerk, 10);
  t.is((await enforceRetention(ctx, parts))['dormant'] ?? 0, 0, 'taken, but not on paper yet');
  const printed = taken?.letters ?? [];
  t.is(printed.length, 2);
  await letters.printed(ctx, taken?.number ?? '');
  t.is(await letters.take(ctx, clerk, 10), undefined);
  t.deepEqual(printed[0]?.address, address);
  t.is((await enforceRetention(ctx, parts))['dormant'], 1);
  t.is(await accounts.load(ctx, byLetter), undefined);
  t.truthy(await accounts.load(ctx, silent));
});

test('after a restore the tombstones make the database forget again', async (t) => {
  const { ctx, parts, pass } = await open(t);
  const gone = await register(ctx, 'fort@beispiel.example');
  const stays = await register(ctx, 'da@beispiel.example');
  await consents.record(ctx, gone, registrationOf(), { given: ['given_name'], refused: [] });
  const backup = await ctx.db('accounts').where({ id: gone });
  await deletion.request(ctx, gone, () => undefined);
  pass(14 * DAY);
  await deletion.purgeDue(ctx, parts.ending);
  const tombstones = await deletion.exportTombstones(ctx);
  t.deepEqual(JSON.parse(tombstones), { account: gone, gone_on: '2026-12-05' });

  await ctx.db('tombstones').delete();
  await ctx.db('security_events').delete();
  await ctx.db('accounts').insert(backup);
  t.truthy(await accounts.load(ctx, gone));
  await t.throwsAsync(deletion.replayTombstones(ctx, `${tombstones}{"account":"x"}\n`, parts.ending));
  t.truthy(await accounts.load(ctx, gone), 'a broken file does nothing');
  t.is(await deletion.replayTombstones(ctx, tombstones, parts.ending), 1);
  t.is(await accounts.load(ctx, gone), undefined);
  t.truthy(await accounts.load(ctx, stays));
  t.is(await count(ctx, 'security_events'), 0, 'services were told before');
  t.is(await deletion.replayTombstones(ctx, tombstones, parts.ending), 0);
});

test('a network address is kept as part of a hash that changes every day', async (t) => {
  const { ctx, pass } = await open(t);
  const bucket = { kind: 'address', key: '192.0.2.7', limit: 9, windowSeconds: DAY * 3 } as const;
  await attempts.reserve(ctx, [bucket]);
  await attempts.reserve(ctx, [bucket]);
  pass(DAY);
  await attempts.reserve(ctx, [bucket]);
  const rows = await ctx.db('attempts').orderBy('count').select('bucket', 'count');
  t.deepEqual(
    rows.map((row) => [row.bucket.length, row.count]),
    [
      [8, 1],
      [8, 2],
    ],
  );
});
