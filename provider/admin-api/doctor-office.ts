import * as clients from '../../accounts/clients.ts';
import type { Context } from '../../accounts/context.ts';
import * as exemptions from '../../accounts/exemptions.ts';
import * as operation from '../../accounts/operation.ts';
import * as staff from '../../accounts/staff.ts';
import { type Finding, good } from './findings.ts';
import type { AdminDeps } from './verb.ts';

const DAY_MS = 24 * 3600 * 1000;
const HOUR_SECONDS = 3600;
/** As `infra/monitoring/alerts.yml` has them. */
const BACKUP_HOURS = 8;
const DRILL_DAYS = 40;
const EXEMPTION_DAYS = 30;

/** What is set up in a way that works, and should be otherwise. */
export const configuration = async (ctx: Context, deps: AdminDeps): Promise<Finding[]> => {
  if (!deps.operation.real) return [good('configuration')];
  const found: Finding[] = [];
  if (!deps.operation.outside) found.push({ check: 'configuration', state: 'warning', code: 'checkpoints-in-log' });
  if (await operation.mayChangeAudit(ctx))
    found.push({ check: 'configuration', state: 'warning', code: 'role-too-strong' });
  return found.length > 0 ? found : [good('configuration')];
};

/** Exemptions that end: the service stops working on that day. */
export const services = async (ctx: Context): Promise<Finding> => {
  const soon = new Date(ctx.now().getTime() + EXEMPTION_DAYS * DAY_MS).toISOString().slice(0, 10);
  const ending = (await clients.all(ctx)).flatMap(({ registration }) =>
    exemptions
      .of(registration)
      .flatMap(([, { until }]) => (until <= soon ? [`${registration.clientId} ${until}`] : [])),
  );
  return ending.length > 0
    ? { check: 'services', state: 'warning', code: 'exemption-ends', value: ending.join(', ') }
    : good('services');
};

/** Nothing that takes two people may come to depend on one who is ill. */
export const staffing = async (ctx: Context, deps: AdminDeps): Promise<Finding> => {
  if (!deps.operation.real) return good('staff');
  const active = (await staff.list(ctx)).filter(({ joined, ended }) => joined && !ended);
  const having = (...wanted: string[]): number =>
    active.filter(({ roles }) => roles.some((role) => wanted.includes(role))).length;
  const few = [
    ...(having('chief') < 2 ? ['chief'] : []),
    ...(having('clerk') < 1 || having('approver') < 1 || having('clerk', 'approver') < 3 ? ['clerk, approver'] : []),
    ...(having('operator') < 2 ? ['operator'] : []),
  ];
  return few.length > 0
    ? { check: 'staff', state: 'warning', code: 'staff-few', value: few.join(', ') }
    : good('staff', String(active.length));
};

const measured = (text: string, name: string): number | undefined => {
  const value = new RegExp(`^schluessel_${name} ([0-9.e+]+)$`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
};

/** How old the last backup and the last practised restore are, as they say themselves. */
export const backups = async (deps: AdminDeps, now: Date): Promise<Finding[]> => {
  const text = deps.operation.backupMeasures?.() ?? '';
  const seconds = now.getTime() / 1000;
  const taken = measured(text, 'backup_timestamp_seconds');
  const drilled = measured(text, 'drill_timestamp_seconds');
  const hours = taken === undefined ? undefined : Math.floor((seconds - taken) / HOUR_SECONDS);
  const days = drilled === undefined ? undefined : Math.floor((seconds - drilled) / HOUR_SECONDS / 24);
  const failed = measured(text, 'drill_good') === 0;
  return [
    hours === undefined
      ? { check: 'backup', state: 'warning', code: 'backup-unknown' }
      : hours >= BACKUP_HOURS
        ? { check: 'backup', state: 'bad', code: 'backup-old', value: `${hours} h` }
        : good('backup', `${hours} h`),
    days === undefined
      ? { check: 'drill', state: 'warning', code: 'drill-unknown' }
      : failed || days >= DRILL_DAYS
        ? { check: 'drill', state: 'bad', code: 'drill-old', value: failed ? undefined : `${days} d` }
        : good('drill', `${days} d`),
  ] as Finding[];
};
