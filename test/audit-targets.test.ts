import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import * as audit from '../accounts/audit.ts';
import * as chain from '../accounts/audit-chain.ts';
import * as notices from '../accounts/notices.ts';
import * as staff from '../accounts/staff.ts';
import { checkpointSyslog } from '../adapters/checkpoints.ts';
import { emailOf, openDomain } from './harness/domain.ts';
import { makeMember } from './harness/staff.ts';

test('a checkpoint that went to a syslog server is read back from its file and vouches for the chain', async (t) => {
  const domain = await openDomain();
  t.teardown(() => domain.database.drop());
  const { ctx } = domain;
  const server = createSocket('udp4');
  t.teardown(() => server.close());
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const received = once(server, 'message');
  const target = checkpointSyslog('127.0.0.1', (server.address() as AddressInfo).port, ctx.now);
  await audit.record(ctx, 'notices-retried', { detail: { count: 1 } });
  await target.write(JSON.stringify(chain.checkpoint(ctx, await chain.advance(ctx))));
  const [message] = (await received) as [Buffer];
  const line = message.toString();
  t.regex(line, /^<109>1 2026-11-21T10:00:00\.000Z /, 'RFC 5424: log audit, notice');
  const kept = chain.parseCheckpoint(/\{.*\}/.exec(line)?.[0] ?? '');
  if (kept === undefined) return t.fail(line);
  t.deepEqual((await chain.verify(ctx, [kept])).faults, []);
  await ctx.db.raw("SET session_replication_role = 'replica'; UPDATE audit SET detail = '{\"count\": 2}'");
  t.true((await chain.verify(ctx, [kept])).faults.length > 0);
  return undefined;
});

test('a first chief is made only while there is none, and everybody on the staff is alarmed', async (t) => {
  const domain = await openDomain();
  t.teardown(() => domain.database.drop());
  const { ctx } = domain;
  const chief = await makeMember(ctx, ['chief']);
  const clerk = await makeMember(ctx, ['clerk'], { by: chief.id });
  const alarm = () => ({ subject: 'Alarm', text: 'x' });
  const wanted = { name: 'Neue Leitung', email: emailOf('neu@stadt.example'), language: 'de' };
  t.is((await staff.bootstrap(ctx, wanted, alarm)).outcome, 'chief-exists');
  await notices.takeDue(ctx, 100);
  await ctx.db('staff_roles').where({ staff_id: chief.id }).delete();
  await ctx.db('staff').where({ id: chief.id }).update({ ended_at: ctx.now() });
  t.is((await staff.bootstrap(ctx, wanted, alarm)).outcome, 'invited');
  const mails = (await notices.takeDue(ctx, 100)).filter(({ subject }) => subject === 'Alarm');
  t.deepEqual(
    mails.map(({ to }) => to),
    [clerk.email],
  );
  const [row] = await ctx.db('audit').where({ event: 'staff-bootstrapped' }).orderBy('seq', 'desc').select('detail');
  t.is(row.detail.alarmed, 1);
});
