/** A process of its own that guesses at one citizen's password in parallel, and says how many guesses were evaluated. */
import type { Context } from '../../accounts/context.ts';
import * as passwords from '../../accounts/passwords.ts';
import { Secret } from '../../accounts/secret.ts';
import { connect } from '../../adapters/postgres.ts';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';

export type Orders = { url: string; ring: string; identifier: string; guesses: number };
export type Report = { evaluated: number; waits: number };

const guess = async ({ url, ring, identifier, guesses }: Orders): Promise<Report> => {
  const parsed = parseKeyRing(ring);
  if ('faults' in parsed) throw new Error(parsed.faults.join());
  const postgres = connect(url, { applicationName: 'guesser', max: 10 });
  const ctx: Context = {
    db: postgres.knex,
    now: () => new Date(),
    keys: createKeys(parsed),
    actor: { kind: 'system', part: 'test' },
  };
  let evaluated = 0;
  // Costs nothing, so that nothing but the reservation holds the guesses back.
  const hashing: passwords.PasswordHashing = {
    hash: async () => '$argon2id$v=19$m=1,t=1,p=1$',
    verify: async () => {
      evaluated += 1;
      return false;
    },
  };
  const from = (index: number) => ({ address: `192.0.2.${index % 200}` });
  const outcomes = await Promise.all(
    Array.from({ length: guesses }, (_, index) =>
      passwords.verify(ctx, hashing, identifier, new Secret(`falsch ${index}`), from(index)),
    ),
  );
  await postgres.close();
  return { evaluated, waits: outcomes.filter(({ outcome }) => outcome === 'wait').length };
};

process.once('message', async (orders: Orders) => {
  const report = await guess(orders);
  process.send?.(report);
  process.disconnect?.();
});
