/** A process that checks the codes of mails, on a pool of its own; two of them race in races-of-requests.test.ts. */
import * as emailCodes from '../../accounts/email-codes.ts';
import { connect } from '../../adapters/postgres.ts';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';

export type CheckerSettings = { readonly databaseUrl: string; readonly ring: string; readonly connections: number };
export type CheckerQuestion = { readonly subject: string; readonly code: string };

process.once('message', ({ databaseUrl, ring: text, connections }: CheckerSettings) => {
  const ring = parseKeyRing(text);
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  const { knex } = connect(databaseUrl, { applicationName: 'checker', max: connections });
  const ctx = {
    db: knex,
    now: () => new Date(),
    keys: createKeys(ring),
    actor: { kind: 'system', part: 'test' },
  } as const;
  process.on('message', ({ subject, code }: CheckerQuestion) => {
    const tries = Array.from({ length: connections }, () => emailCodes.check(ctx, subject, code));
    void Promise.all(tries).then((results) => process.send?.(results.map(({ outcome }) => outcome)));
  });
  process.send?.('ready');
});
process.on('disconnect', () => process.exit(0));
