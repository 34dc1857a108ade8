import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { DELIVERIES, LOCK_REASONS } from '../accounts/terms.ts';
import type { Cli } from './cli.ts';
import { type Args, type Command, EXIT, Refusal } from './command.ts';
import { when } from './moments.ts';
import { call } from './session.ts';

type Result = Readonly<Record<string, unknown>>;

type Remote = Omit<Command, 'run'> & {
  /** What is sent, beside the options of the same names as the API's fields. */
  readonly input?: (args: Args, cli: Cli) => Readonly<Record<string, unknown>>;
  /** How the result looks at a terminal. */
  readonly show?: (cli: Cli, result: Result, args: Args) => void;
};

/** Options that are the command line's own affair. */
const OWN = new Set(['commit', 'json', 'help', 'lang', 'output', 'folder', 'checkpoints']);

const fieldsOf = (args: Args): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(args.options).flatMap(([name, value]) =>
      OWN.has(name) || value === undefined ? [] : [[name.replaceAll('-', '_'), value]],
    ),
  );

/**
 * A command that calls the verb of the same name. At a terminal a dry run shows what would be, and asks whether to do it;
 * a script says `--commit`.
 */
export const remote = (spec: Remote): Command => ({
  ...spec,
  async run(cli, args) {
    const input = spec.input?.(args, cli) ?? fieldsOf(args);
    const ask = async (commit: boolean, confirmed = false): Promise<boolean> => {
      if (commit && 'output' in spec.options) checkOutput(cli, args);
      const result = await call(cli, spec.name, { ...input, ...(spec.changes && { commit }) });
      const { committed, ...rest } = result;
      const shown = { ...rest, ...saveLetter(cli, result, args) };
      if (args.json) cli.print(JSON.stringify(spec.changes ? { committed, ...shown } : shown, null, 2));
      else spec.show?.(cli, { ...shown, ...(spec.changes && { committed, confirmed }) }, args);
      if (spec.changes && !args.json && committed === true)
        cli.say(result['again'] === true ? cli.t.again : cli.good(cli.t.done));
      return committed === true || !spec.changes || args.json;
    };
    if (await ask(args.commit)) return EXIT.done;
    if (!cli.interactive) cli.say(cli.t.dryRun);
    else if (cli.t.commitYes.test((await cli.ask(cli.t.commitNow)).trim())) await ask(true, true);
    else cli.say(cli.t.notDone);
    return EXIT.done;
  },
});

/** Writes the letter that an answer brings to a file that only its reader opens. */
const saveLetter = (cli: Cli, result: Result, args: Args): { letter?: string } => {
  const { letter } = result;
  if (typeof letter !== 'string') return {};
  const { number } = (result['recovery'] ?? {}) as { number?: string };
  const subject = number ?? result['batch'] ?? result['kennung'] ?? 'einladung';
  const asked = args.options['output'];
  for (let copy = 1; copy < 100; copy += 1) {
    const file = typeof asked === 'string' ? asked : `brief-${subject}${copy === 1 ? '' : `-${copy}`}.pdf`;
    try {
      writeFileSync(file, Buffer.from(letter, 'base64'), { mode: 0o600, flag: 'wx' });
      return { letter: file };
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST' && typeof asked !== 'string') continue;
      throw new Refusal(EXIT.refused, cli.t.letterLost(file, code));
    }
  }
  throw new Refusal(EXIT.refused, cli.t.letterLost(`brief-${subject}.pdf`, 'EEXIST'));
};

/** Before anything is changed: a letter that cannot be kept should not be made. */
const checkOutput = (cli: Cli, args: Args): void => {
  const { output } = args.options;
  if (typeof output === 'string' && existsSync(output)) throw new Refusal(EXIT.usage, cli.t.fileExists(output));
  accessSync(typeof output === 'string' ? dirname(output) : '.', constants.W_OK);
};

/** The state of something, in the person's words. */
export const stateOf = (cli: Cli, value: unknown): string => cli.t.status[String(value)] ?? String(value ?? '');

/** One of a closed list, in the person's words. */
export const termOf = (cli: Cli, value: unknown): string => cli.t.terms[String(value)] ?? word(value);

/** Who or what, as text; nothing for what is not there. */
export const word = (value: unknown): string => (value === undefined || value === null ? '' : String(value));

/** The options by which an account is named. */
export const ACCOUNT = {
  kennung: {
    type: 'string',
    value: 'KENNUNG',
    text: { de: 'Bürgerkennung, wie GT-4F7K-29QX-C', en: 'Bürgerkennung, like GT-4F7K-29QX-C' },
  },
  email: {
    type: 'string',
    value: 'ADRESSE',
    text: { de: 'E-Mail-Adresse des Kontos', en: 'e-mail address of the account' },
  },
  pseudonym: {
    type: 'string',
    value: 'SUB',
    text: { de: 'Pseudonym, das ein Dienst nennt', en: 'pseudonym that a service quotes' },
  },
} as const satisfies Command['options'];

/** An account, named by a word on its own. */
export const WHO = {
  name: 'WER',
  text: { de: 'Bürgerkennung, E-Mail-Adresse oder Pseudonym', en: 'Bürgerkennung, e-mail address or pseudonym' },
  required: true,
  unless: ['kennung', 'email', 'pseudonym'],
} as const satisfies NonNullable<Command['positional']>;

/** A pseudonym has 43 characters of base64url; nothing else that names an account is as long without an @. */
const PSEUDONYM = /^[A-Za-z0-9_-]{43}$/;

/** The fields of a command whose account may be named by a word. */
export const withAccount = (args: Args): Record<string, unknown> => {
  const [who] = args.words;
  if (who === undefined) return fieldsOf(args);
  const field = who.includes('@') ? 'email' : PSEUDONYM.test(who) ? 'pseudonym' : 'kennung';
  return { ...fieldsOf(args), [field]: who };
};

/** A member's roles; those that do not act yet with the moment from which they do. */
export const rolesOf = (cli: Cli, member: Readonly<Record<string, unknown>>): string => {
  const waiting = (member['waiting'] ?? []) as { role: string; from: string }[];
  const roles = (member['roles'] as string[]).filter((role) => !waiting.some((one) => one.role === role));
  return [...roles, ...waiting.map(({ role, from }) => cli.t.roleFrom(role, when(cli, from)))].join(', ');
};

/** Where a letter is written to. */
export const OUTPUT = {
  output: { type: 'string', value: 'DATEI', text: { de: 'Datei für den Brief', en: 'file for the letter' } },
} as const satisfies Command['options'];

/** The number of the case in the citizens' office. */
export const TICKET = {
  ticket: {
    type: 'string',
    required: true,
    value: 'NR',
    text: { de: 'Ticketnummer des Bürgerbüros', en: 'ticket number of the office' },
  },
} as const satisfies Command['options'];

/** Why an account is locked, unlocked or closed. */
export const WHY = {
  reason: { type: 'string', required: true, values: LOCK_REASONS, text: { de: 'Grund', en: 'reason' } },
  ...TICKET,
} as const satisfies Command['options'];

/** A service, named by a word on its own. */
export const SERVICE = {
  name: 'DIENST',
  text: { de: 'client_id des Dienstes', en: 'client_id of the service' },
  required: true,
} as const satisfies NonNullable<Command['positional']>;

/** A member of staff, named by a word on its own. */
export const MEMBER = {
  name: 'E-MAIL',
  text: { de: 'dienstliche E-Mail-Adresse', en: 'office e-mail address' },
  required: true,
} as const satisfies NonNullable<Command['positional']>;

export const DELIVERY = {
  delivery: {
    type: 'string',
    values: DELIVERIES,
    text: {
      de: 'aushändigen (24 Stunden gültig) oder per Post (21 Tage)',
      en: 'hand over (valid 24 hours) or by post (21 days)',
    },
  },
} as const satisfies Command['options'];

type RecoveryView = Readonly<Record<string, unknown>>;

/** A recovery, one fact a line. */
export const showRecovery = (cli: Cli, recovery: RecoveryView): void => {
  const w = cli.t.words;
  cli.facts([
    [w.number, word(recovery['number'])],
    [w.status, recovery['status'] === undefined ? '' : stateOf(cli, recovery['status'])],
    [w.kennung, word(recovery['kennung'])],
    [w.name, word(recovery['name'])],
    [w.evidence, termOf(cli, recovery['evidence'])],
    [w.reason, termOf(cli, recovery['reason'])],
    [w.ticket, word(recovery['ticket'])],
    [w.openedBy, word(recovery['openedBy'])],
    [w.openedAt, when(cli, recovery['openedAt'])],
    [w.waitsUntil, when(cli, recovery['waitsUntil'])],
    [w.approvedBy, word(recovery['approvedBy'])],
    [w.approvedAt, when(cli, recovery['approvedAt'])],
    [w.validFrom, when(cli, recovery['validFrom'])],
    [w.expiresAt, when(cli, recovery['expiresAt'])],
    [w.endedAt, when(cli, recovery['endedAt'])],
  ]);
};
