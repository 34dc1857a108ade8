import test from 'ava';
import type { Finding } from '../provider/admin-api/findings.ts';
import { AdminClient } from './harness/admin-client.ts';
import { registrationOf } from './harness/domain.ts';
import { makeMember } from './harness/staff.ts';
import { type RunningTown, startTown } from './harness/town.ts';

let measures = '';
let town: RunningTown;
let operator: AdminClient;

test.before(async () => {
  const exempt = registrationOf({
    clientId: 'lernen',
    organisation: 'stadt',
    pkceExemption: { reason: 'an old release', until: new Date().toISOString().slice(0, 10) },
  });
  town = await startTown({ production: true, registrations: [exempt], backupMeasures: () => measures });
  const chief = await makeMember(town.context(), ['chief']);
  const member = await makeMember(town.context(), ['operator'], { by: chief.id });
  operator = await AdminClient.of(town, member.account);
});
test.after.always(() => town?.close());

const found = async (): Promise<ReadonlyMap<string, Finding>> => {
  const { findings } = (await operator.call('doctor')).body as { findings: Finding[] };
  return new Map(findings.map((finding) => [finding.code, finding]));
};

test.serial('what is set up badly is found, with a word for each', async (t) => {
  const all = await found();
  t.like(all.get('checkpoints-in-log'), { check: 'configuration', state: 'warning' });
  t.like(all.get('role-too-strong'), { check: 'configuration', state: 'warning' });
  t.like(all.get('exemption-ends'), { state: 'warning', value: `lernen ${new Date().toISOString().slice(0, 10)}` });
  t.is(all.get('staff-few')?.value, 'chief, clerk, approver, operator');
  t.is(all.get('backup-unknown')?.state, 'warning');
  t.is(all.get('drill-unknown')?.state, 'warning');
});

test.serial('backups and drills are told by their age and their outcome', async (t) => {
  const at = (hours: number): number => Date.now() / 1000 - hours * 3600;
  measures = `schluessel_backup_timestamp_seconds ${at(3)}\nschluessel_drill_timestamp_seconds ${at(50)}\nschluessel_drill_good 1\n`;
  const young = await found();
  t.is(young.get('backup-good')?.value, '3 h');
  t.is(young.get('drill-good')?.value, '2 d');
  measures = `schluessel_backup_timestamp_seconds ${at(9)}\nschluessel_drill_timestamp_seconds ${at(50)}\nschluessel_drill_good 0\n`;
  const old = await found();
  t.like(old.get('backup-old'), { state: 'bad', value: '9 h' });
  t.is(old.get('drill-old')?.state, 'bad');
});

test.serial('a mail server that is gone is found', async (t) => {
  await town.mail.close();
  t.is((await found()).get('mail-away')?.state, 'bad');
});
