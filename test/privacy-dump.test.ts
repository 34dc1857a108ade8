/**
 * Somebody has a dump of the database and everything that two organisations know, but not the keys. Whatever rows have an
 * id or hash in common belongs together, and every time in them is held against the services' logs.
 */
import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import type pg from 'pg';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as consents from '../accounts/consents.ts';
import { createPostgresStore } from '../adapters/oidc-store-postgres.ts';
import { serviceWith } from './harness/registration.ts';
import {
  addCitizen,
  atHome,
  authorizationUrl,
  basic,
  obtainCode,
  pkce,
  post,
  userinfo,
} from './harness/relying-party.ts';
import { searchIn } from './harness/search.ts';
import { type RunningTown, startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

const CITIZENS = 6;
const PASSWORD = 'vierzehn blaue Briefkästen';
/** An app of a third organisation: what it is granted lasts for weeks, and so stands in every dump. */
const APP = serviceWith('wochenapp', {
  organisation: 'werke',
  kind: 'native',
  redirectUris: ['https://app.stadt.example/callback'],
  authMethod: 'none',
  refreshTokens: true,
});

type Row = { readonly table: string; readonly values: Record<string, unknown> };
/** What a service's log says of one visit: under which pseudonym, from when to when. */
type Visit = { readonly citizen: number; readonly service: string; readonly subject: string; from: number; to: number };

let town: RunningTown;
const visits: Visit[] = [];
const tokens: string[] = [];

const dump = async (pool: pg.Pool): Promise<Row[]> => {
  const { rows: tables } = await pool.query("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
  const all: Row[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query(`SELECT * FROM ${name}`);
    all.push(...rows.map((values) => ({ table: name, values })));
  }
  return all;
};

const visit = async (citizen: number, service: 'bibliothek' | 'fahrkarte' | 'wochenapp'): Promise<void> => {
  const proof = pkce();
  const visitor = new Visitor();
  const from = Date.now();
  const app = { client_id: 'wochenapp', redirect_uri: APP.redirectUris[0] };
  const credentials = { email: `dump${citizen}@buerger.example`, password: PASSWORD };
  const name = service === 'wochenapp' ? 'bibliothek' : service;
  const code = await obtainCode(town, visitor, name, proof, credentials, service === 'wochenapp' ? app : {});
  const fields = {
    grant_type: 'authorization_code',
    code,
    code_verifier: proof.verifier,
    redirect_uri: service === 'wochenapp' ? (APP.redirectUris[0] ?? '') : `${town.services[name].origin}/callback`,
  };
  const { body } =
    service === 'wochenapp'
      ? await post(town, '/token', { ...fields, client_id: 'wochenapp' })
      : await post(town, '/token', fields, basic(town, name));
  const subject = String((await userinfo(town, body['access_token'] ?? '')).body['sub']);
  tokens.push(...Object.values(body).filter((value) => typeof value === 'string' && value.length > 20), subject);
  visits.push({ citizen, service, subject, from, to: Date.now() });
  await wait(30);
};

test.before(async () => {
  town = await startTown({ registrations: [APP] });
  for (let n = 0; n < CITIZENS; n += 1) {
    const account = await addCitizen(town, `dump${n}@buerger.example`, PASSWORD);
    const address = { street_address: `Nachtigallenweg ${n}`, postal_code: '33330', locality: 'Teststadt' };
    await attributes.record(town.context(), account, { given_name: `Dietlinde${n}`, address }, 'self');
  }
  const all = Array.from({ length: CITIZENS }, (_, n) => n);
  for (const service of ['bibliothek', 'wochenapp', 'fahrkarte'] as const) {
    for (const citizen of all.toSorted(() => Math.random() - 0.5)) await visit(citizen, service);
  }
});

test.after.always(() => town?.close());

/** Rows that have an id or hash in common, however many steps lie between them. */
const families = (rows: readonly Row[]): Row[][] => {
  const parent = rows.map((_, at) => at);
  const root = (at: number): number => {
    let current = at;
    while (parent[current] !== current) current = parent[current] ?? current;
    return current;
  };
  const owners = new Map<string, number>();
  const keysOf = (value: unknown): string[] => {
    if (Buffer.isBuffer(value)) return value.length >= 8 ? [value.toString('hex')] : [];
    // Names of events and claims are shared by everybody; ids have digits in them.
    if (typeof value === 'string') return value.length >= 20 && /\d/.test(value) ? [value] : [];
    return Array.isArray(value) ? value.flatMap(keysOf) : [];
  };
  rows.forEach(({ values }, at) => {
    for (const key of Object.values(values).flatMap(keysOf)) {
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, at);
      else parent[root(at)] = root(owner);
    }
  });
  const grouped = new Map<number, Row[]>();
  rows.forEach((row, at) => {
    grouped.set(root(at), [...(grouped.get(root(at)) ?? []), row]);
  });
  return [...grouped.values()];
};

/** How far a time in a row may lie from the visit: as it is, or by one of the provider's lifetimes later. */
const LIFETIMES = [0, 60, 600, 3600, 12 * 3600, 13 * 3600, 30 * 86_400, 30 * 86_400 + 3600, 90 * 86_400];

/** Pairs of pseudonyms at different organisations that rows of one family lead to. */
const linked = (rows: readonly Row[]): Set<string> => {
  const pairs = new Set<string>();
  for (const family of families(rows)) {
    const times = family.flatMap(({ values }) =>
      Object.values(values).flatMap((value) => (value instanceof Date ? [value.getTime()] : [])),
    );
    const seen = visits.filter(({ from, to }) =>
      times.some((time) => LIFETIMES.some((life) => time - life * 1000 >= from - 15 && time - life * 1000 <= to + 15)),
    );
    for (const one of seen) {
      for (const other of seen) if (one.service < other.service) pairs.add(`${one.subject} ${other.subject}`);
    }
  }
  return pairs;
};

/** As a backup of the night finds it: sessions and tokens of the day are over, and cleared away. */
const cleared = async (): Promise<Row[]> => {
  const night = () => new Date(Date.now() + 15 * 3_600_000);
  const store = createPostgresStore({ pool: town.database.pool, keys: town.keys, now: night });
  for (let removed = 1; removed > 0; ) removed = await store.purgeExpired(1000);
  return dump(town.database.pool);
};

test.serial(
  'without the keys a dump holds no name, address or pseudonym, and no service beside a citizen',
  async (t) => {
    const rows = await dump(town.database.pool);
    const { rows: texts } = await town.database.pool.query(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
    );
    const contents: [string, Buffer][] = [];
    for (const { name } of texts) {
      const { rows: lines } = await town.database.pool.query(`SELECT t::text AS line FROM ${name} t`);
      contents.push([name, Buffer.from(lines.map(({ line }) => line).join('\n'))]);
    }
    const people = Array.from({ length: CITIZENS }, (_, n) => [
      `dump${n}@buerger`,
      `Dietlinde${n}`,
      `Nachtigallenweg ${n}`,
    ]);
    t.deepEqual(searchIn(contents, [...people.flat(), ...tokens]), []);
    // A service is named in its registration and nowhere else.
    for (const { table, values } of rows) {
      // What is registered, what staff did, and by which protections (not who, not when) services were used at all.
      if (table === 'clients' || table === 'audit' || table === 'client_shapes') continue;
      t.notRegex(JSON.stringify(values), /bibliothek|fahrkarte|wochenapp/, table);
    }
    const known = await consents.list(
      town.context(),
      (await accounts.findByIdentifier(town.context(), 'dump0@buerger.example')) ??
        t.fail('no account') ??
        ('' as never),
    );
    t.deepEqual(
      known.map(({ clientId }) => String(clientId)).sort(),
      ['bibliothek', 'fahrkarte', 'wochenapp'],
      'with the keys',
    );
  },
);

test.serial('the same attacker finds times that were planted beside an account', async (t) => {
  const rows = await cleared();
  const ids = rows.flatMap(({ table, values }) => (table === 'accounts' ? [String(values['id'])] : []));
  const planted = visits.map(
    ({ citizen, from }): Row => ({ table: 'used', values: { account_id: ids[citizen], at: new Date(from + 20) } }),
  );
  // On a quick machine visits follow one another so closely that the attacker takes some for one another besides.
  t.true(linked([...rows, ...planted]).size >= CITIZENS * 3);
});

test.serial('a dump and the logs of all services link no two pseudonyms', async (t) => {
  t.is(visits.length, CITIZENS * 3);
  const rows = await cleared();
  t.is(rows.filter(({ table }) => table === 'oidc_grants').length, CITIZENS, 'what apps were granted is still there');
  t.deepEqual([...linked(rows)], []);
});

test.serial(
  'an app that a citizen is not signed in to is asked to sign in; no end of a grant is finer than an hour',
  async (t) => {
    const visitor = new Visitor();
    const proof = pkce();
    const page = await visitor.open(
      authorizationUrl(town, 'bibliothek', proof, { client_id: 'wochenapp', redirect_uri: APP.redirectUris[0] }),
      atHome(town),
    );
    t.is(page.status, 200);
    const { rows } = await town.database.pool.query('SELECT expires_at FROM oidc_grants');
    t.true(rows.length >= CITIZENS);
    for (const { expires_at } of rows) t.is(expires_at.getTime() % 3_600_000, 0);
  },
);
