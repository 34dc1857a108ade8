/**
 * kill -9 at random points of every changing verb of the admin API: either all of it happened with its audit row, or nothing;
 * what was acknowledged is there and vouched for by a checkpoint outside of the database; repeating the command is safe.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import * as attributes from '../../accounts/attributes.ts';
import * as chain from '../../accounts/audit-chain.ts';
import * as clients from '../../accounts/clients.ts';
import * as correspondence from '../../accounts/correspondence.ts';
import * as desk from '../../accounts/desk.ts';
import type { AccountId } from '../../accounts/ids.ts';
import * as letters from '../../accounts/letters.ts';
import * as recoveries from '../../accounts/recoveries.ts';
import * as signingKeys from '../../accounts/signing-keys.ts';
import * as staff from '../../accounts/staff.ts';
import type { Role } from '../../accounts/terms.ts';
import { citizenLetters } from '../../interactions/citizen-letters.ts';
import { VERBS } from '../../provider/admin-api/api.ts';
import { PERMISSIONS } from '../../provider/admin-api/permissions.ts';
import { AdminClient } from '../harness/admin-client.ts';
import { emailOf, registrationOf } from '../harness/domain.ts';
import { freePort } from '../harness/free-port.ts';
import { makeMember, type TestMember } from '../harness/staff.ts';
import { type RunningTown, startTown, TEST_TOWN } from '../harness/town.ts';
import { scaled } from './scale.ts';

const MAIN = fileURLToPath(new URL('../../provider/main.ts', import.meta.url));
const TOWN_FILE = fileURLToPath(new URL('../../infra/towns/guetersloh/town.yaml', import.meta.url));
const KILLS = scaled(10, 1);
/** On a slow machine it all takes longer than a token lives. */
const TOKEN_SECONDS = 3600;

type Json = Record<string, unknown>;
/** One thing to be done: what is sent, the audit row it leaves, and whether it has happened. */
type Deed = {
  readonly input: Json;
  readonly event: string;
  /** Narrows the audit rows to this deed, by fields of the detail or by account. */
  readonly about: { readonly account?: string; readonly detail?: Json };
  readonly happened: () => Promise<boolean>;
  /** Another event that a repetition leaves; without one it leaves none beside the first. */
  readonly repeated?: string;
};

let town: RunningTown;
let node: Node | undefined;
let folder: string;
let people: Record<Role, { member: TestMember; client: AdminClient }>;
let second: { member: TestMember; client: AdminClient };
let count = 0;

const db = () => town.context().db;
const fresh = (): string => {
  count += 1;
  return `K-${count}`;
};

test.before(async () => {
  town = await startTown();
  folder = mkdtempSync(path.join(tmpdir(), 'admin-kill-'));
  writeFileSync(path.join(folder, 'keyring.json'), town.keyRing, { mode: 0o600 });
  const chief = await makeMember(town.context(), ['chief']);
  const hire = async (role: Role) => {
    const member = role === 'chief' ? chief : await makeMember(town.context(), [role], { by: chief.id });
    return { member, client: await AdminClient.of(town, member.account, { seconds: TOKEN_SECONDS }) };
  };
  const roles: Role[] = ['clerk', 'approver', 'operator', 'auditor', 'chief'];
  people = Object.fromEntries(await Promise.all(roles.map(async (role) => [role, await hire(role)]))) as typeof people;
  second = await hire('operator');
});
test.after.always(async () => {
  await node?.kill();
  await town?.close();
  rmSync(folder, { recursive: true, force: true });
});

class Node {
  readonly #child: ChildProcess;
  readonly #port: number;
  readonly #ended: Promise<unknown>;
  #output = '';

  constructor(port: number) {
    this.#port = port;
    this.#child = spawn(process.execPath, [MAIN], {
      env: {
        PATH: process.env['PATH'],
        ISSUER: town.issuer,
        PORT: String(port),
        DATABASE_URL: town.database.url,
        SMTP_URL: 'smtp://127.0.0.1:9',
        TOWN_FILE,
        TRUSTED_PROXIES: '127.0.0.1/32',
        KEYRING_FILE: path.join(folder, 'keyring.json'),
        AUDIT_CHECKPOINTS: path.join(folder, 'checkpoints.jsonl'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'exit');
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
  }

  static async start(): Promise<Node> {
    const node = new Node(await freePort());
    const deadline = Date.now() + 120_000;
    while (!node.#output.includes('listening')) {
      if (node.#child.exitCode !== null || Date.now() > deadline) throw new Error(node.#output);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return node;
  }

  /** The status and body of a committed verb; undefined if the connection was lost. */
  async call(client: AdminClient, verb: string, input: Json): Promise<{ status: number; body: Json } | undefined> {
    const proof = await client.proof(verb);
    const body = JSON.stringify({ ...input, commit: true });
    const { host } = new URL(town.issuer);
    return new Promise((resolve) => {
      const req = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          path: `/admin/api/${verb.replace(' ', '/')}`,
          method: 'POST',
          agent: false,
          headers: {
            host,
            'x-forwarded-proto': 'https',
            'x-forwarded-for': '192.0.2.7',
            authorization: `DPoP ${client.token}`,
            dpop: proof,
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.on('error', () => resolve(undefined));
          res.on('aborted', () => resolve(undefined));
          res.on('end', () =>
            resolve({ status: res.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as Json }),
          );
        },
      );
      req.on('error', () => resolve(undefined));
      req.end(body);
    });
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    // What the process left in its transactions is rolled back once Postgres notices that it is gone.
    for (;;) {
      const { rows } = await db().raw(
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'stadtschluessel' AND datname = current_database()",
      );
      if (rows.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const citizen = async (): Promise<{ id: AccountId; kennung: string }> => {
  const registered = await accounts.register(town.context(), {
    town: { id: 'guetersloh' },
    language: 'de',
    credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  const address = { street_address: 'Am Markt 1', postal_code: '33330', locality: 'Gütersloh' };
  await attributes.record(town.context(), registered.account, { address }, 'self');
  return { id: registered.account, kennung: registered.kennung };
};

const status = async (table: string, where: Json): Promise<unknown> =>
  (await db()(table).where(where).first('status'))?.status;

const opened = async () => {
  const { id } = await citizen();
  const wanted = { account: id, reason: 'other', ticket: fresh(), evidence: 'passport' } as const;
  const mails = citizenLetters(TEST_TOWN, new URL(town.issuer));
  const found = await recoveries.open(town.context(), people.clerk.member.id, wanted, recoveries.WAIT_HOURS, mails);
  if (found.outcome !== 'opened') throw new Error(found.outcome);
  return { id, number: found.recovery.number };
};

const ending = async (event: string, end: string): Promise<Deed> => {
  const { id, number } = await opened();
  return {
    input: { number },
    event,
    about: { account: id },
    happened: async () => (await status('recoveries', { number })) === end,
  };
};

const statusDeed = async (event: string, end: string, before: (id: AccountId) => Promise<unknown>): Promise<Deed> => {
  const { id, kennung } = await citizen();
  await before(id);
  return {
    input: { kennung, reason: 'other', ticket: fresh() },
    event,
    about: { account: id },
    happened: async () => (await status('accounts', { id })) === end,
  };
};

const lock = (id: AccountId) =>
  desk.lock(town.context(), people.clerk.member.id, id, { reason: 'other', ticket: 'T' }, []);

const silent = () => ({ subject: 'x', text: 'x' });

/** A colleague whose roles wait. */
const newcomer = async (roles: Role[], waitHours = 24): Promise<{ id: string; email: string }> => {
  const email = `${fresh().toLowerCase()}@stadt.example`;
  const wanted = { name: 'Neu', email: emailOf(email), language: 'de', roles };
  const invited = await staff.invite(town.context(), second.member.id, wanted, waitHours, () => silent);
  if (invited.outcome !== 'invited') throw new Error(invited.outcome);
  return { id: invited.staff, email };
};

const rolesOf = async (id: string): Promise<number> => (await db()('staff_roles').where({ staff_id: id })).length;

const file = (clientId: string) => ({
  name: `${clientId}.yaml`,
  text: `client_id: ${clientId}
organisation: stadt
name: { de: X, en: X }
description: { de: X, en: X }
kind: web
token_endpoint_auth_method: client_secret_basic
redirect_uris: [https://${clientId}.example/callback]
contacts: [technik@stadt.example]
`,
});

const proposal = async (): Promise<Deed> => {
  const clientId = `k${fresh().slice(2)}`;
  return {
    input: { files: [file(clientId)] },
    event: 'services-proposed',
    about: { detail: { added: [clientId] } },
    happened: async () =>
      (await db()('service_proposals').whereRaw('registrations::text LIKE ?', [`%"${clientId}"%`])).length > 0,
  };
};

const DEEDS: Readonly<Record<string, () => Promise<Deed>>> = {
  'recovery open': async () => {
    const { id, kennung } = await citizen();
    return {
      input: { kennung, evidence: 'passport', reason: 'other', ticket: fresh() },
      event: 'recovery-opened',
      about: { account: id },
      happened: async () => (await db()('recoveries').where({ account_id: id })).length === 1,
    };
  },
  'recovery approve': async () => {
    const { id, number } = await opened();
    return {
      input: { number },
      event: 'recovery-approved',
      about: { account: id },
      repeated: 'recovery-letter-renewed',
      happened: async () =>
        (await status('recoveries', { number })) === 'approved' &&
        (await db()('letter_codes').where({ account_id: id }).whereNull('replaced_at')).length === 1,
    };
  },
  'recovery reject': () => ending('recovery-rejected', 'rejected'),
  'recovery cancel': () => ending('recovery-cancelled', 'cancelled'),
  'account create': async () => {
    const ticket = fresh();
    const before = (await db()('letter_codes').where({ purpose: 'activation', replaced_at: null })).length;
    return {
      input: { given_name: 'A', family_name: 'B', evidence: 'passport', ticket },
      event: 'account-created',
      about: { detail: { ticket } },
      happened: async () =>
        (await db()('letter_codes').where({ purpose: 'activation', replaced_at: null })).length === before + 1,
    };
  },
  'account lock': () => statusDeed('account-locked', 'locked', async () => {}),
  'account unlock': () => statusDeed('account-unlocked', 'active', lock),
  'account close': () => statusDeed('account-closed-by-staff', 'closed', lock),
  'letters print': async () => {
    await db()('letters').update({ printed_at: new Date() });
    const { id } = await citizen();
    await correspondence.tell(town.context(), { id }, { subject: fresh(), text: 'x' });
    const taken = () => db()('letters').where({ account_id: id }).first('batch', 'taken_by');
    return {
      input: {},
      event: 'letters-taken',
      about: { detail: { letters: 1 } },
      happened: async () => (await taken())?.batch !== null,
    };
  },
  'letters done': async () => {
    await db()('letters').update({ printed_at: new Date() });
    const { id } = await citizen();
    await correspondence.tell(town.context(), { id }, { subject: fresh(), text: 'x' });
    const batch = (await letters.take(town.context(), people.auditor.member.id, 1))?.number ?? '';
    return {
      input: { batch },
      event: 'letters-printed',
      about: { detail: { batch } },
      happened: async () => (await db()('letters').where({ batch }).whereNull('printed_at')).length === 0,
    };
  },
  'staff invite': async () => {
    const email = `${fresh().toLowerCase()}@stadt.example`;
    return {
      input: { name: 'Neu', email, roles: ['clerk'] },
      event: 'staff-invited',
      about: {},
      repeated: 'staff-invited',
      happened: async () => (await staff.find(town.context(), emailOf(email))) !== undefined,
    };
  },
  'staff grant': async () => {
    const { id, email } = await newcomer(['clerk']);
    return {
      input: { email, role: 'auditor' },
      event: 'staff-role-granted',
      about: { detail: { staff: id } },
      happened: async () => (await rolesOf(id)) === 2,
    };
  },
  'staff confirm': async () => {
    const { id, email } = await newcomer(['clerk']);
    return {
      input: { email },
      event: 'staff-role-confirmed',
      about: { detail: { staff: id } },
      happened: async () =>
        (await db()('staff_roles').where({ staff_id: id, confirmed_by: people.chief.member.id })).length === 1,
    };
  },
  'staff object': async () => {
    const { id, email } = await newcomer(['clerk']);
    return {
      input: { email },
      event: 'staff-objected',
      about: { detail: { staff: id } },
      happened: async () => (await rolesOf(id)) === 0,
    };
  },
  'staff revoke': async () => {
    const { id, email } = await newcomer(['clerk'], 0);
    return {
      input: { email },
      event: 'staff-ended',
      about: { detail: { staff: id } },
      happened: async () => (await rolesOf(id)) === 0,
    };
  },
  'client apply': proposal,
  'client approve': async () => {
    const { input } = await proposal();
    const answer = await second.client.call('client list');
    if (answer.status !== 200) throw new Error('no list');
    const [wanted] = input['files'] as { name: string }[];
    const clientId = wanted?.name.replace('.yaml', '') ?? '';
    const registration = registrationOf({ clientId, organisation: 'stadt' });
    const { propose } = await import('../../accounts/service-proposals.ts');
    const { number } = await propose(town.context(), second.member.id, [registration], {
      added: [clientId],
      changed: [],
      removed: [],
    });
    return {
      input: { number },
      event: 'services-approved',
      about: { detail: { proposal: number } },
      happened: async () =>
        (await status('service_proposals', { number })) === 'applied' &&
        (await db()('clients').where({ client_id: clientId })).length === 1,
    };
  },
  'client rotate-secret': async () => {
    const clientId = `r${fresh().slice(2)}`;
    const registered = (await clients.all(town.context())).map(({ registration }) => ({ registration }));
    await clients.apply(town.context(), [
      ...registered,
      { registration: registrationOf({ clientId }), secret: clients.newClientSecret() },
    ]);
    return {
      input: { client: clientId },
      event: 'client-secret-added',
      about: { detail: { client: clientId } },
      repeated: 'client-secret-added',
      happened: async () => (await clients.find(town.context(), clientId as never))?.secrets.length === 2,
    };
  },
  'keys rotate': async () => {
    await db()('signing_keys')
      .where({ alg: 'ES256' })
      .update({ created_at: new Date(Date.now() - 3 * 24 * 3600_000) });
    const began = new Date();
    return {
      input: {},
      event: 'signing-key-rotated',
      about: {},
      happened: async () => (await db()('signing_keys').where('created_at', '>=', began)).length > 0,
    };
  },
  'keys revoke': async () => {
    const current = (await signingKeys.list(town.context())).find(({ state }) => state === 'current');
    const kid = current?.kid ?? '';
    return {
      input: { kid },
      event: 'signing-key-revoked',
      about: { detail: { kid } },
      // A revoked key is removed with the next look at the keys.
      happened: async () => (await db()('signing_keys').where({ kid }).whereNull('revoked_at')).length === 0,
    };
  },
  'notices retry': async () => {
    await db()('notices').update({ last_error: 'EAWAY', due_at: new Date(Date.now() + 3_600_000) });
    await correspondence.tell(
      town.context(),
      { id: 'x' as never, email: 'x@stadt.example' },
      { subject: 'x', text: 'x' },
    );
    await db()('notices').update({ last_error: 'EAWAY', due_at: new Date(Date.now() + 3_600_000) });
    return {
      input: {},
      event: 'notices-retried',
      about: {},
      // The mail server stays away: what was tried again has failed again by then.
      repeated: 'notices-retried',
      happened: async () =>
        (
          await db()('notices')
            .where('due_at', '>', new Date(Date.now() + 1_800_000))
            .where({ last_error: 'EAWAY' })
        ).length === 0,
    };
  },
};

test.serial('kill -9 at random points of every changing verb: all of it with its audit row, or nothing', async (t) => {
  t.timeout(29 * 60_000);
  const changing = Object.entries(VERBS).flatMap(([name, verb]) => (verb.changes ? [name] : []));
  t.deepEqual(Object.keys(DEEDS).sort(), changing.sort(), 'every changing verb is here');
  const tally = { happened: 0, nothing: 0, acknowledged: 0 };
  node = await Node.start();
  for (const [verb, prepare] of Object.entries(DEEDS)) {
    const [role] = PERMISSIONS[verb as keyof typeof PERMISSIONS];
    const { client } = people[verb === 'staff object' ? 'auditor' : role];
    // How long it takes, with nobody in the way.
    const began = performance.now();
    const usual = await node.call(client, verb, (await prepare()).input);
    t.is(usual?.status, 200, `${verb}: ${JSON.stringify(usual?.body).slice(0, 200)}`);
    const milliseconds = Math.max(20, performance.now() - began);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const deed = await prepare();
      const since = Number((await db()('audit').max('seq as seq'))[0]?.seq ?? 0);
      const rows = async (event: string): Promise<number> => {
        const query = db()('audit').where({ event }).where('seq', '>', since);
        if (deed.about.account !== undefined) query.where({ account_id: deed.about.account });
        if (deed.about.detail !== undefined) query.whereRaw('detail @> ?::jsonb', [JSON.stringify(deed.about.detail)]);
        return (await query).length;
      };
      const answering = node.call(client, verb, deed.input);
      await new Promise((resolve) => setTimeout(resolve, randomInt(0, Math.ceil(milliseconds * 1.3))));
      const [answer] = await Promise.all([answering, node.kill()]);
      const [happened, audited] = [await deed.happened(), await rows(deed.event)];
      const name = `${verb}, kill ${kill}`;
      t.is(audited, happened ? 1 : 0, `${name}: the audit says what is`);
      if (answer?.status === 200) {
        tally.acknowledged += 1;
        t.true(happened, `${name}: what was acknowledged is there`);
        const kept = readFileSync(path.join(folder, 'checkpoints.jsonl'), 'utf8').trim().split('\n');
        const last = Math.max(...kept.map((line) => chain.parseCheckpoint(line)?.position ?? 0));
        const [{ position }] = (await db()('audit_chain')
          .join('audit', 'audit.seq', 'audit_chain.seq')
          .where('audit.seq', '>', since)
          .where({ event: deed.event })
          .max('position as position')) as [{ position: string }];
        t.true(last >= Number(position), `${name}: and a checkpoint vouches for it`);
      }
      tally[happened ? 'happened' : 'nothing'] += 1;
      node = await Node.start();
      const again = await node.call(client, verb, deed.input);
      t.true(
        again?.status === 200 || (again?.status === 409 && happened),
        `${name}: repeated ${again?.status} ${JSON.stringify(again?.body).slice(0, 150)}`,
      );
      t.true(await deed.happened(), `${name}: repeated, it has happened`);
      if (deed.repeated !== deed.event) t.is(await rows(deed.event), 1, `${name}: once`);
    }
  }
  const kept = readFileSync(path.join(folder, 'checkpoints.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .flatMap((line) => chain.parseCheckpoint(line) ?? []);
  await chain.advance(town.context());
  t.deepEqual((await chain.verify(town.context(), kept)).faults, []);
  t.log(
    `${KILLS * changing.length} kills: ${tally.happened} happened, ${tally.nothing} did not, ${tally.acknowledged} acknowledged before`,
  );
});
