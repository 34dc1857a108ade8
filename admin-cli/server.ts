import { readFileSync } from 'node:fs';
import type { Context } from '../accounts/context.ts';
import { connect } from '../adapters/postgres.ts';
import { parseKeyRing } from '../keys/key-ring.ts';
import { createKeys } from '../keys/keys.ts';
import type { Cli } from './cli.ts';
import { EXIT, Refusal } from './command.ts';

/** What the one local command needs; the same names as the provider's own settings. */
const SETTINGS = ['ISSUER', 'DATABASE_URL', 'KEYRING_FILE'] as const;

type Server = {
  readonly issuer: URL;
  /** Runs in one transaction, which is rolled back unless it is committed. */
  run<T>(commit: boolean, work: (ctx: Context) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

class RolledBack {
  readonly result: unknown;
  constructor(result: unknown) {
    this.result = result;
  }
}

/** Opens the provider's database with its key ring: only possible on the server itself. */
export const openServer = async (cli: Cli): Promise<Server> => {
  const missing = SETTINGS.filter((name) => (cli.env[name] ?? '') === '');
  if (missing.length > 0) throw new Refusal(EXIT.usage, cli.t.settingsMissing(missing));
  const issuer = new URL(cli.env['ISSUER'] ?? '');
  const ring = parseKeyRing(readFileSync(cli.env['KEYRING_FILE'] ?? '', 'utf8'));
  if ('faults' in ring) throw new Refusal(EXIT.usage, ring.faults.join('\n'));
  const postgres = connect(cli.env['DATABASE_URL'] ?? '', { applicationName: 'schluessel', max: 2 });
  const context: Context = {
    db: postgres.knex,
    now: cli.now,
    keys: createKeys(ring),
    actor: { kind: 'system', part: 'server command' },
  };
  return {
    issuer,
    async run<T>(commit: boolean, work: (ctx: Context) => Promise<T>): Promise<T> {
      try {
        return await postgres.knex.transaction(async (db) => {
          const result = await work({ ...context, db });
          if (!commit) throw new RolledBack(result);
          return result;
        });
      } catch (error) {
        if (error instanceof RolledBack) return error.result as T;
        throw error;
      }
    },
    close: () => postgres.close(),
  };
};
