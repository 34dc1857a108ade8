import * as audit from './audit.ts';
import type { Context } from './context.ts';
import { type Ending, purgeDue, REGRET_DAYS } from './deletion.ts';
import { DORMANT_MONTHS, type DormancyText, enforce } from './dormancy.ts';
import type { Text } from './town.ts';

/** What the rules need from outside. */
export type RetentionParts = { readonly text: DormancyText; readonly ending: Ending };

type Rule = {
  readonly what: Text;
  readonly kept: Text;
  /** Removes what is over and says how many; absent where the store of the protocol does it (adapters/oidc-store.ts). */
  readonly enforce?: (ctx: Context, parts: RetentionParts) => Promise<number>;
};

const DAY_MILLISECONDS = 24 * 3600 * 1000;

/** Rows removed at once: so few that nobody waits for them. */
const BATCH = 500;

/** Removes the rows whose time in a column has come, a batch at a time; those that somebody else holds stay for later. */
const removeUntil = async (ctx: Context, table: string, column: string, until: Date): Promise<number> => {
  let removed = 0;
  for (;;) {
    const { rowCount } = await ctx.db.raw(
      `DELETE FROM ?? WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM ?? WHERE ?? <= ? LIMIT ${BATCH} FOR UPDATE SKIP LOCKED))`,
      [table, table, column, until],
    );
    removed += rowCount;
    if (rowCount < BATCH) return removed;
  }
};

/** Rows whose own column says when they are over. */
const expired = (table: string, column: string) => (ctx: Context) => removeUntil(ctx, table, column, ctx.now());

/** Rows that are kept for a number of days after the time in a column. */
const older = (table: string, column: string, days: number) => (ctx: Context) =>
  removeUntil(ctx, table, column, new Date(ctx.now().getTime() - days * DAY_MILLISECONDS));

const LETTER_CODE_DAYS = 90;
const TOMBSTONE_DAYS = 90;
const LETTER_DAYS = 30;

/** Longer than a session can be. */
const SESSION_DAYS = 1;
/** Browsers keep no cookie longer. */
const DEVICE_DAYS = 400;

/**
 * The retention schedule: everything that is kept about a citizen, and for how long. The privacy page and the record of
 * processing show this table; what is kept and not in it is a bug.
 */
export const RETENTION: Readonly<Record<string, Rule>> = {
  account: {
    what: {
      de: 'Konto mit E-Mail-Adresse, Bürgerkennung, Angaben zur Person und Anmeldemitteln',
      en: 'Account with e-mail address, citizen id, personal details and means of signing in',
    },
    kept: {
      de: `bis Sie es löschen: dann noch ${REGRET_DAYS} Tage, in denen Sie es sich anders überlegen können`,
      en: `until you delete it: then another ${REGRET_DAYS} days in which you can change your mind`,
    },
    enforce: (ctx, { ending }) => purgeDue(ctx, ending),
  },
  dormant: {
    what: { de: 'Konto, das niemand mehr benutzt', en: 'Account that nobody uses any more' },
    kept: {
      de: `${DORMANT_MONTHS} Monate nach der letzten Anmeldung; wir schreiben Ihnen nach 22 und nach 23 Monaten`,
      en: `${DORMANT_MONTHS} months after the last sign-in; we write to you after 22 and after 23 months`,
    },
    enforce: async (ctx, { text, ending }) => (await enforce(ctx, text, ending)).removed,
  },
  consents: {
    what: {
      de: 'Welcher Dienst Sie kennt und was er erfahren darf',
      en: 'Which service knows you and what it may learn',
    },
    kept: { de: 'bis Sie es widerrufen oder Ihr Konto löschen', en: 'until you withdraw it or delete your account' },
  },
  artifacts: {
    what: {
      de: 'Sitzungen, Anmeldevorgänge und Zugriffsschlüssel der Dienste',
      en: 'Sessions, sign-ins under way and access tokens of services',
    },
    kept: {
      de: 'Minuten bis Stunden, bei Apps bis zu 30 Tage; mit dem Abmelden oder Widerrufen sofort gelöscht',
      en: 'minutes to hours, for apps up to 30 days; deleted at once when you sign out or withdraw',
    },
  },
  sessions: {
    what: {
      de: 'Mit welchem Browser und welchem System Sie angemeldet sind, ohne Versionen',
      en: 'With which browser and system you are signed in, without versions',
    },
    kept: { de: 'höchstens zwei Tage nach der letzten Nutzung', en: 'at most two days after the last use' },
    enforce: older('sessions', 'used_at', SESSION_DAYS),
  },
  devices: {
    what: {
      de: 'Prüfsummen der Browser, mit denen Sie sich schon angemeldet haben',
      en: 'Checksums of the browsers with which you have signed in before',
    },
    kept: { de: `${DEVICE_DAYS} Tage nach der letzten Anmeldung`, en: `${DEVICE_DAYS} days after the last sign-in` },
    enforce: older('known_devices', 'seen_at', DEVICE_DAYS),
  },
  activities: {
    what: { de: 'Ihre Anmeldungen, ohne den Namen eines Dienstes', en: 'Your sign-ins, without the name of a service' },
    kept: { de: '90 Tage', en: '90 days' },
    enforce: expired('activities', 'expires_on'),
  },
  attempts: {
    what: {
      de: 'Zähler gegen das Erraten von Passwörtern; Netzadressen nur gekürzt und als täglich wechselnde Prüfsumme',
      en: 'Counters against guessing passwords; network addresses only truncated and as a checksum that changes daily',
    },
    kept: { de: 'bis zu einem Tag', en: 'up to a day' },
    enforce: expired('attempts', 'window_ends_at'),
  },
  codes: {
    what: { de: 'Bestätigungscodes für E-Mail-Adressen', en: 'Codes that confirm e-mail addresses' },
    kept: { de: '10 Minuten', en: '10 minutes' },
    enforce: expired('email_codes', 'expires_at'),
  },
  notices: {
    what: { de: 'E-Mails an Sie, bis sie zugestellt sind', en: 'E-mails to you until they are delivered' },
    kept: { de: 'höchstens 4 Tage', en: 'at most 4 days' },
    enforce: expired('notices', 'expires_at'),
  },
  letters: {
    what: { de: 'Briefe an Sie', en: 'Letters to you' },
    kept: { de: `${LETTER_DAYS} Tage nach dem Druck`, en: `${LETTER_DAYS} days after printing` },
    enforce: older('letters', 'printed_at', LETTER_DAYS),
  },
  logoutNotices: {
    what: {
      de: 'Abmeldungen, von denen ein Dienst noch erfahren muss',
      en: 'Sign-outs that a service is yet to learn of',
    },
    kept: { de: 'höchstens 24 Stunden', en: 'at most 24 hours' },
    enforce: expired('logout_notices', 'expires_at'),
  },
  securityEvents: {
    what: {
      de: 'Löschungen und Widerrufe, von denen ein Dienst noch erfahren muss',
      en: 'Deletions and withdrawals that a service is yet to learn of',
    },
    kept: { de: 'höchstens 14 Tage', en: 'at most 14 days' },
    enforce: expired('security_events', 'expires_at'),
  },
  audit: {
    what: {
      de: 'Änderungen an Ihrem Konto und was Mitarbeitende daran getan haben, ohne den Namen eines Dienstes',
      en: 'Changes of your account and what staff did with it, without the name of a service',
    },
    kept: { de: '2 Jahre', en: '2 years' },
    enforce: (ctx) => audit.forget(ctx, new Date(ctx.now().getTime() - audit.AUDIT_DAYS * DAY_MILLISECONDS)),
  },
  recoveries: {
    what: {
      de: 'Anträge am Schalter auf einen neuen Zugang zu Ihrem Konto',
      en: 'Requests at the counter for a new way into your account',
    },
    kept: { de: '2 Jahre', en: '2 years' },
    enforce: older('recoveries', 'ended_at', audit.AUDIT_DAYS),
  },
  letterCodes: {
    what: { de: 'Codes aus Briefen, nur als Prüfsumme', en: 'Codes from letters, as checksums only' },
    kept: { de: `${LETTER_CODE_DAYS} Tage nach ihrem Ablauf`, en: `${LETTER_CODE_DAYS} days after they have expired` },
    enforce: older('letter_codes', 'expires_at', LETTER_CODE_DAYS),
  },
  tombstones: {
    what: {
      de: 'Zufällige Nummern gelöschter Konten, damit eine zurückgespielte Sicherung sie wieder vergisst',
      en: 'Random numbers of deleted accounts, so that a restored backup forgets them again',
    },
    kept: { de: `${TOMBSTONE_DAYS} Tage`, en: `${TOMBSTONE_DAYS} days` },
    enforce: older('tombstones', 'gone_on', TOMBSTONE_DAYS),
  },
  backups: {
    what: { de: 'Sicherungen, verschlüsselt', en: 'Backups, encrypted' },
    kept: { de: 'höchstens 30 Tage', en: 'at most 30 days' },
  },
};

/**
 * Enforces the schedule; to be called every few minutes by any process.
 * @returns the number of rows and accounts removed, by rule
 */
export const enforceRetention = async (ctx: Context, parts: RetentionParts): Promise<Record<string, number>> => {
  const removed: Record<string, number> = {};
  for (const [name, rule] of Object.entries(RETENTION)) {
    if (rule.enforce !== undefined) removed[name] = await rule.enforce(ctx, parts);
  }
  return removed;
};
