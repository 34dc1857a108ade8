/** What tests of the domain start from: a context on a database of its own, a clock that they turn, a town, a service. */

import type { Context } from '../../accounts/context.ts';
import { type EmailAddress, parseEmail } from '../../accounts/email.ts';
import type { Registration } from '../../accounts/town.ts';
import { type KeyRing, newKeyRing, parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { type TestDatabase, testDatabase } from './postgres.ts';
import { serviceWith } from './registration.ts';

export type Domain = {
  readonly ctx: Context;
  readonly database: TestDatabase;
  readonly ring: KeyRing;
  /** Moves the clock on. */
  pass(seconds: number): void;
};

/** A fresh key ring, read back as the provider reads it. */
export const freshRing = (): KeyRing => {
  const ring = parseKeyRing(newKeyRing());
  if ('faults' in ring) throw new Error(ring.faults.join('\n'));
  return ring;
};

/** A context whose clock stands at a fixed time of a winter day until it is turned. */
export const openDomain = async (options: { max?: number } = {}): Promise<Domain> => {
  const database = await testDatabase(options);
  const ring = freshRing();
  let now = new Date('2026-11-21T10:00:00Z').getTime();
  return {
    ctx: {
      db: database.knex,
      now: () => new Date(now),
      actor: { kind: 'system', part: 'test' },
      keys: createKeys(ring),
    },
    database,
    ring,
    pass: (seconds) => {
      now += seconds * 1000;
    },
  };
};

export const TOWN = { id: 'guetersloh', name: { de: 'Gütersloh' } } as const;

/** An address that is known to be one. */
export const emailOf = (text: string): EmailAddress => {
  const email = parseEmail(text);
  if (email === undefined) throw new Error(`not an address: ${text}`);
  return email;
};

/** A service that asks for a few claims. */
export const registrationOf = (changes: Partial<Registration> = {}): Registration =>
  serviceWith('bibliothek', {
    organisation: 'stadtbibliothek',
    name: { de: 'Stadtbibliothek', en: 'City library' },
    description: { de: 'Ausleihen', en: 'Borrow' },
    redirectUris: ['https://bibliothek.example/callback'],
    claims: [
      {
        claim: 'given_name',
        purpose: { de: 'Anrede', en: 'Salutation' },
        legalBasis: { de: 'Einwilligung', en: 'Consent' },
        required: true,
      },
      {
        claim: 'age_over_16',
        purpose: { de: 'Gebühren', en: 'Fees' },
        legalBasis: { de: 'Einwilligung', en: 'Consent' },
        required: false,
      },
    ],
    contacts: ['it@bibliothek.example'],
    ...changes,
  });

/** Everything that the database holds, as text; binary columns are in hex. */
export const everythingStored = async ({ database }: Domain): Promise<string> => {
  const { rows: tables } = await database.pool.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
  const parts: string[] = [];
  for (const { tablename } of tables) {
    const { rows } = await database.pool.query(`SELECT t::text AS content FROM ${tablename} t`);
    parts.push(...rows.map(({ content }) => content));
  }
  return parts.join('\n');
};
