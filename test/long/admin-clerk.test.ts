/** A clerk's bad day at the terminal: wrong inputs, connections that break off, stolen files; and every verb for scripts. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import path from 'node:path';
import test from 'ava';
import * as accounts from '../../accounts/accounts.ts';
import type { Role } from '../../accounts/terms.ts';
import { EXIT } from '../../admin-cli/command.ts';
import { VERBS } from '../../provider/admin-api/api.ts';
import { AdminClient } from '../harness/admin-client.ts';
import { makeMember, type TestMember } from '../harness/staff.ts';
import { Terminal } from '../harness/terminal.ts';
import { type RunningTown, startTown, TEST_TOWN } from '../harness/town.ts';

type Cut = 'before' | 'head' | 'half';
type Desk = { readonly member: TestMember; readonly terminal: Terminal; readonly session: string };

let town: RunningTown;
let cut: Cut | undefined;
const desks = new Map<Role, Desk>();

/** Lets the server do its work, and breaks the connection while it answers. */
const breaking = (res: ServerResponse, how: Cut): void => {
  const { end } = res;
  res.end = ((chunk: string) => {
    res.end = end;
    const text = String(chunk ?? '');
    if (how === 'before') res.destroy();
    else if (how === 'head') res.write('', () => res.destroy());
    else res.write(text.slice(0, Math.floor(text.length / 2)), () => res.destroy());
    return res;
  }) as ServerResponse['end'];
};

test.before(async () => {
  town = await startTown({
    around: (handler) => (req, res) => {
      if (cut !== undefined && req.url?.startsWith('/admin/api/')) breaking(res, cut);
      handler(req, res);
    },
  });
  const chief = await makeMember(town.context(), ['chief']);
  for (const role of ['chief', 'clerk', 'approver', 'operator', 'auditor'] as const) {
    const member = role === 'chief' ? chief : await makeMember(town.context(), [role], { by: chief.id });
    const session = await (await AdminClient.of(town, member.account, { seconds: 3600 })).session();
    const terminal = new Terminal(town);
    terminal.keep(session);
    desks.set(role, { member, terminal, session });
  }
});
test.after.always(async () => {
  for (const { terminal } of desks.values()) terminal.close();
  await town?.close();
});

const at = (role: Role): Desk => {
  const desk = desks.get(role);
  if (desk === undefined) throw new Error(role);
  return desk;
};

const citizen = async (): Promise<string> => {
  const registered = await accounts.register(town.context(), {
    town: TEST_TOWN,
    language: 'de',
    credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  return registered.kennung;
};

const opening = (kennung: string, ticket = 'B-1'): string[] => [
  ...['recovery', 'open', kennung, '--evidence', 'eid-at-counter', '--reason', 'device-lost', '--ticket', ticket],
];

const db = () => town.context().db;

/** Everything but that somebody searched. */
const changes = async (): Promise<number> => (await db()('audit').whereNot({ event: 'account-searched' })).length;

test.serial('a wrong input is told in the reader’s language, with its exit code, and changes nothing', async (t) => {
  const kennung = await citizen();
  const { terminal } = at('clerk');
  const before = await changes();
  const WRONG: [args: string[], code: number, de: RegExp, en: RegExp][] = [
    [
      ['recovery'],
      EXIT.usage,
      /„recovery“ gibt es nicht[\s\S]*recovery open/,
      /no command “recovery”[\s\S]*recovery open/,
    ],
    [['recovery', 'opne', kennung], EXIT.usage, /gibt es nicht/, /no command/],
    [['frobnicate'], EXIT.usage, /gibt es nicht/, /no command/],
    [
      ['account', 'find', kennung, '--tikcet', 'B'],
      EXIT.usage,
      /Option --tikcet gibt es hier nicht/,
      /no option --tikcet/,
    ],
    [['account', 'find', '--email'], EXIT.usage, /Zu --email fehlt die Angabe/, /--email needs a value/],
    [['account', 'find', '--email', '--json'], EXIT.usage, /Zu --email fehlt die Angabe/, /--email needs a value/],
    [['recovery', 'list', '--all=yes'], EXIT.usage, /--all steht für sich allein/, /--all stands alone/],
    [['account', 'find', kennung, 'more'], EXIT.usage, /„more“ ist zu viel/, /“more” is too much/],
    [['account', 'find'], EXIT.usage, /WER fehlt/, /WER is missing/],
    [['account', 'find', kennung, '--email', 'a@b.example'], EXIT.refused, /genau eines/, /exactly one/],
    [['account', 'find', 'GT-0000-0000-0'], EXIT.refused, /Konto gibt es nicht/, /no such account/],
    [['account', 'find', '@@'], EXIT.refused, /Konto gibt es nicht/, /no such account/],
    [opening(kennung, '../x y'), EXIT.usage, /Ticketnummer \(höchstens 40/, /ticket number \(at most 40/],
    [[...opening(kennung), '--evidence', 'copy'], EXIT.usage, /--evidence muss eines davon/, /--evidence must be one/],
    [['recovery', 'show', 'R-1'], EXIT.usage, /Nummer \(wie R-/, /number \(like R-/],
    [['recovery', 'show', 'R-7K3F-29QX'], EXIT.refused, /Das gibt es nicht/, /no such thing/],
    [['letters', 'done', 'x'], EXIT.usage, /Stapel \(wie B-/, /batch \(like B-/],
    [['letters', 'print', '--limit', 'viele'], EXIT.usage, /--limit/, /--limit/],
    [
      ['account', 'unlock', kennung, '--reason', 'other', '--ticket', 'B'],
      EXIT.notPermitted,
      /erlauben/,
      /do not permit/,
    ],
    [['audit', 'verify', '--checkpoints', 'nirgends.jsonl'], EXIT.usage, /nirgends.jsonl gibt es nicht/, /nirgends/],
    [['login', 'nicht::eine adresse'], EXIT.usage, /Welcher Server/, /Which server/],
  ];
  for (const [args, code, german, english] of WRONG) {
    const [de, en] = await Promise.all([terminal.run(...args), terminal.run(...args, '--lang', 'en')]);
    const name = `${args.join(' ')}: ${de.stderr} ${en.stderr}`;
    t.is(de.code, code, name);
    t.is(en.code, code, name);
    t.regex(de.stderr, german, name);
    t.regex(en.stderr, english, name);
    t.is(de.stdout + en.stdout, '', name);
    t.notRegex(de.stderr + en.stderr, /\n {4}at |Error:/, 'no stack');
  }
  t.is(await changes(), before);
  t.log(`${WRONG.length} wrong inputs in two languages`);
});

test.serial('wherever a connection breaks off in a change, repeating the command is safe', async (t) => {
  const { terminal } = at('clerk');
  for (const how of ['before', 'head', 'half'] as const) {
    const open = [...opening(await citizen(), `B-${how}`), '--commit'];
    cut = how;
    const lost = await terminal.run(...open);
    cut = undefined;
    t.is(lost.code, EXIT.unavailable, `${how}: ${lost.stderr}`);
    t.regex(lost.stderr, /wiederholen Sie ihn genauso: Nichts geschieht doppelt/, how);
    const again = await terminal.run(...open);
    t.is(again.code, EXIT.done, again.stderr);
    t.regex(again.stderr, /War schon so/, how);
    const cases = await db()('recoveries')
      .where({ ticket: `B-${how}` })
      .select('id', 'number');
    t.is(cases.length, 1, how);
    const { id, number } = cases[0] as { id: string; number: string };

    // The letter is lost with the answer: a new one takes its place.
    const { terminal: other } = at('approver');
    cut = how;
    t.is((await other.run('recovery', 'approve', number, '--commit')).code, EXIT.unavailable);
    cut = undefined;
    const renewed = await other.run('recovery', 'approve', number, '--commit', '--output', `${how}.pdf`);
    t.is(renewed.code, EXIT.done, renewed.stderr);
    t.regex(renewed.stderr, /Ein neuer Code/);
    const codes = await db()('letter_codes').where({ recovery_id: id });
    t.deepEqual(codes.map((code) => code.replaced_at === null).sort(), [false, true], 'one code is good');
  }
});

test.serial('a letter that cannot be kept is not made', async (t) => {
  const { terminal } = at('approver');
  const opened = await at('clerk').terminal.run(...opening(await citizen(), 'B-9'), '--commit');
  const number = /R-\w{4}-\w{4}/.exec(opened.stdout)?.[0] ?? '';
  writeFileSync(path.join(terminal.work, 'da.pdf'), 'x');
  const before = await changes();
  for (const [file, said] of [
    ['da.pdf', /da\.pdf gibt es schon/],
    ['nirgends/brief.pdf', /nirgends gibt es nicht/],
  ] as const) {
    const refused = await terminal.run('recovery', 'approve', number, '--commit', '--output', file);
    t.is(refused.code, EXIT.usage, refused.stderr);
    t.regex(refused.stderr, said);
  }
  t.is(await changes(), before);
  t.is(readFileSync(path.join(terminal.work, 'da.pdf'), 'utf8'), 'x');
});

test.serial('a stolen token is of no use without its key, and neither is the key of another', async (t) => {
  const { terminal, session } = at('clerk');
  const stolen = JSON.parse(session);
  const own = JSON.parse(at('approver').session);
  const thief = new Terminal(town);
  try {
    thief.keep(JSON.stringify({ ...stolen, publicKey: own.publicKey, privateKey: own.privateKey }));
    const tried = await thief.run('recovery', 'list');
    t.is(tried.code, EXIT.signIn, tried.stderr);
    t.is(tried.stdout, '');
    const { privateKey: _, ...without } = stolen;
    thief.keep(JSON.stringify(without));
    t.not((await thief.run('recovery', 'list')).code, EXIT.done);
    thief.keep('{');
    t.is((await thief.run('recovery', 'list')).code, EXIT.signIn, 'a broken file');
  } finally {
    thief.close();
  }
  t.is((await terminal.run('recovery', 'list')).code, EXIT.done);
});

test.serial('every verb answers scripts with one JSON text, and nothing else', async (t) => {
  const [one, two, three] = await Promise.all([citizen(), citizen(), citizen()]);
  const ids = Object.fromEntries([...desks].map(([role, { member }]) => [role, member.email]));
  const open = await at('clerk').terminal.run(...opening(three, 'B-7'), '--commit', '--json');
  const { number } = (JSON.parse(open.stdout) as { recovery: { number: string } }).recovery;
  const file = path.join(at('operator').terminal.work, 'town.yaml');
  writeFileSync(file, 'id: teststadt\n');
  const why = ['--reason', 'citizen-asked', '--ticket', 'B-8'];
  const person = ['--given-name', 'A', '--family-name', 'B', '--evidence', 'passport', '--ticket', 'B-3'];
  const LINES: Record<string, [Role, ...string[]]> = {
    'me show': ['clerk'],
    'staff list': ['chief'],
    'staff invite': ['chief', 'neu@stadt.example', '--name', 'N', '--roles', 'clerk'],
    'staff grant': ['chief', ids['clerk'] ?? '', '--role', 'auditor'],
    'staff revoke': ['chief', ids['auditor'] ?? ''],
    'recovery open': ['clerk', ...opening(one, 'B-6').slice(2)],
    'recovery approve': ['approver', number],
    'recovery reject': ['approver', number],
    'recovery cancel': ['clerk', number],
    'recovery list': ['clerk'],
    'recovery show': ['auditor', number],
    'account find': ['clerk', two],
    'account show': ['clerk', two],
    'account create': ['clerk', ...person],
    'account lock': ['clerk', two, ...why],
    'account unlock': ['approver', two, ...why],
    'letters list': ['clerk'],
    'letters print': ['clerk'],
    'client list': ['operator'],
    'client show': ['auditor', 'portal'],
    'client rotate-secret': ['operator', 'portal'],
    'client diagnose': ['operator', 'portal'],
    'keys list': ['operator'],
    'keys rotate': ['operator'],
    'notices list': ['operator'],
    'notices retry': ['operator'],
    'audit search': ['auditor', '--ticket', 'B-7'],
    'audit verify': ['auditor'],
    doctor: ['operator'],
  };
  for (const [verb, [role, ...args]] of Object.entries(LINES)) {
    const ran = await at(role).terminal.run(...verb.split(' '), ...args, '--json');
    const name = `${verb}: ${ran.code} ${ran.stdout.slice(0, 200)} ${ran.stderr}`;
    t.true(ran.code === EXIT.done || (verb === 'doctor' && ran.code === EXIT.faults), name);
    const parsed = JSON.parse(ran.stdout) as Record<string, unknown>;
    if (VERBS[verb as keyof typeof VERBS].changes) t.false(parsed['committed'], name);
    // A dry run may say so, a long one how far it is; nothing else belongs there.
    t.true(
      ran.stderr.split('\n').every((line) => line === '' || /Probelauf|Untersuche/.test(line)),
      name,
    );
  }
  const lines = (await at('auditor').terminal.run('audit', 'export')).stdout.trim().split('\n');
  t.true(lines.length > 5 && lines.every((line) => typeof JSON.parse(line) === 'object'));
  rmSync(file);
  t.log(`${Object.keys(LINES).length} verbs as JSON, and the audit as ${lines.length} lines of it`);
});
