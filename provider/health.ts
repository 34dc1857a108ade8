import { readdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context } from '../accounts/context.ts';
import * as operation from '../accounts/operation.ts';

/** What was found out about one part; `detail` and `warning` are for an operator and hold nothing secret. */
export type Finding = { readonly ok: boolean; readonly detail?: string; readonly warning?: string };
export type Readiness = { readonly ready: boolean; readonly checks: Readonly<Record<string, Finding>> };

export type Health = {
  /** Answers `/healthz` and `/readyz`; false if the request is for somebody else. */
  answer(req: IncomingMessage, res: ServerResponse): boolean;
  readiness(): Promise<Readiness>;
  /** From now on not ready: proxies send nothing new. */
  drain(): void;
};

export type HealthDeps = {
  readonly context: () => Context;
  /** Folder of the migrations that this version needs. */
  readonly migrations: string;
  /** Further parts, such as Redis; a check that throws counts as failed. */
  readonly checks?: Readonly<Record<string, () => Promise<Finding>>>;
};

/** Several proxies ask every second: one look at the database serves them all. */
const KEPT_MS = 500;
const DEADLINE_MS = 2_000;
/** oidc-provider tolerates five seconds; codes and one-time passwords bear less than a minute. */
const CLOCK_TOLERANCE_SECONDS = 5;
const PARTS = ['database', 'migrations', 'clock', 'keys', 'outbox'] as const;
const HOUR = 3600;
/** As `infra/monitoring/alerts.yml` has them. */
const KEY_SECONDS = 30.5 * 24 * HOUR;
const NOTICE_SECONDS = 900;
const LOGOUT_NOTICE_SECONDS = 2 * HOUR;

const withinDeadline = async (work: Promise<Finding>): Promise<Finding> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: `no answer within ${DEADLINE_MS} ms` }), DEADLINE_MS);
  });
  const failed = (error: unknown): Finding => ({ ok: false, detail: codeOf(error) });
  return Promise.race([work.catch(failed), late]).finally(() => clearTimeout(timer));
};

/** A node without a key can sign nothing; with an old one it serves citizens better than no node would. */
const findKey = ({ newestSigningKeySeconds: age }: operation.Standing): Finding => {
  if (age === undefined) return { ok: false, detail: 'there is no signing key' };
  return age > KEY_SECONDS
    ? { ok: true, warning: `the newest is ${Math.floor(age / 24 / HOUR)} days old` }
    : { ok: true };
};

/** What waits is sent later, by whichever node: no reason to send anybody away. */
const findOutbox = ({ noticeSeconds, logoutNoticeSeconds }: operation.Standing): Finding => {
  const late = [
    ...(noticeSeconds > NOTICE_SECONDS ? [`mail for ${Math.round(noticeSeconds)} s`] : []),
    ...(logoutNoticeSeconds > LOGOUT_NOTICE_SECONDS ? [`sign-out for ${Math.round(logoutNoticeSeconds)} s`] : []),
  ];
  return late.length === 0 ? { ok: true } : { ok: true, warning: `waiting: ${late.join(', ')}` };
};

/** An error's code only: its text may quote addresses and statements. */
const codeOf = (error: unknown): string => {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^[A-Z0-9_]{1,30}$/.test(code) ? code : 'failed';
};

const send = (req: IncomingMessage, res: ServerResponse, status: number, body: object): void => {
  res.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
    ...(status === 503 && { 'retry-after': '5' }),
  });
  res.end(req.method === 'HEAD' ? undefined : `${JSON.stringify(body)}\n`);
};

/**
 * Whether the process lives (`/healthz`: asks nobody, so that an outage of the database restarts no node) and whether it
 * may be sent requests (`/readyz`: database writable, migrations of this version applied, clocks together, a signing key,
 * and what else is given). A full outbox or an old key is told as a warning, no reason to send citizens away.
 */
export const createHealth = (deps: HealthDeps): Health => {
  const needed = readdirSync(deps.migrations).filter((name) => name.endsWith('.sql'));
  let draining = false;
  let kept: { at: number; readiness: Promise<Readiness> } | undefined;

  const lookAtDatabase = async (): Promise<Record<(typeof PARTS)[number], Finding>> => {
    const began = performance.now();
    const standing = await operation.standing(deps.context());
    const { databaseTime, readOnly, migrations } = standing;
    const missing = needed.filter((name) => !migrations.includes(name));
    // The answer was written somewhere between asking and now.
    const drift = Math.abs(deps.context().now().getTime() - databaseTime.getTime()) - (performance.now() - began);
    const seconds = Math.max(0, drift / 1000);
    return {
      database: readOnly ? { ok: false, detail: 'read only' } : { ok: true },
      migrations: missing.length === 0 ? { ok: true } : { ok: false, detail: `missing: ${missing.join(', ')}` },
      clock:
        seconds <= CLOCK_TOLERANCE_SECONDS
          ? { ok: true }
          : { ok: false, detail: `${seconds.toFixed(1)} s apart from the database` },
      keys: findKey(standing),
      outbox: findOutbox(standing),
    };
  };

  const look = async (): Promise<Readiness> => {
    const database = lookAtDatabase();
    const parts: [string, Promise<Finding>][] = [
      ...PARTS.map((name): [string, Promise<Finding>] => [name, database.then((found) => found[name])]),
      ...Object.entries(deps.checks ?? {}).map(([name, check]): [string, Promise<Finding>] => [name, check()]),
    ];
    const found = await Promise.all(parts.map(async ([name, work]) => [name, await withinDeadline(work)] as const));
    return { ready: found.every(([, { ok }]) => ok), checks: Object.fromEntries(found) };
  };

  const readiness = async (): Promise<Readiness> => {
    const now = performance.now();
    if (kept === undefined || now - kept.at > KEPT_MS) kept = { at: now, readiness: look() };
    const result = await kept.readiness;
    return draining
      ? { ready: false, checks: { ...result.checks, process: { ok: false, detail: 'stopping' } } }
      : result;
  };

  return {
    readiness,
    drain() {
      draining = true;
    },
    answer(req, res) {
      const [path] = (req.url ?? '').split('?', 1);
      if (path !== '/healthz' && path !== '/readyz') return false;
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        res.writeHead(405, { allow: 'GET, HEAD' }).end();
      } else if (path === '/healthz') {
        send(req, res, 200, { status: 'alive' });
      } else {
        void readiness().then(({ ready, checks }) =>
          send(req, res, ready ? 200 : 503, { status: ready ? 'ready' : 'not ready', checks }),
        );
      }
      return true;
    },
  };
};
