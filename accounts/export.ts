import * as accounts from './accounts.ts';
import * as activities from './activities.ts';
import { attributeColumn } from './attributes.ts';
import * as audit from './audit.ts';
import { type Context, inTransaction } from './context.ts';
import { sealOf } from './data-key.ts';
import * as deletion from './deletion.ts';
import type { AccountId } from './ids.ts';
import { type KnownService, knownServices } from './known-services.ts';
import type { Registration, Text, Town } from './town.ts';

/** Everything that is kept about a citizen; described by docs/datenexport.schema.json. Days are YYYY-MM-DD. */
export type Export = {
  readonly format: 'stadtschluessel-export';
  readonly version: 1;
  readonly created_on: string;
  readonly town: Text;
  readonly account: {
    readonly kennung: string;
    readonly email?: string;
    readonly language: string;
    readonly created_on: string;
    readonly deletion_due_on?: string;
  };
  readonly attributes: readonly {
    readonly name: string;
    readonly value: unknown;
    readonly source: string;
    readonly level?: string;
    readonly recorded_on: string;
  }[];
  readonly services: readonly {
    readonly client_id: string;
    readonly name: Text;
    readonly organisation: Text;
    readonly pseudonym?: string;
    readonly since: string;
    readonly last?: string;
    readonly claims: readonly {
      readonly claim: string;
      readonly given: boolean;
      readonly value?: unknown;
      readonly purpose: Text;
      readonly legal_basis: Text;
    }[];
    /** APIs of other organisations that the service may call for the citizen. */
    readonly apis: readonly {
      readonly resource: string;
      readonly name: Text;
      readonly scopes: readonly string[];
      readonly given: boolean;
      readonly pseudonym?: string;
      readonly purpose: Text;
      readonly legal_basis: Text;
    }[];
  }[];
  /** Rows of the means of signing in, of letters and recoveries, by table; secrets and hashes left out. */
  readonly sign_in_means: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
  readonly activities: readonly { readonly at: string; readonly event: string; readonly detail: object }[];
  readonly record: readonly {
    readonly on: string;
    readonly event: string;
    readonly by: string;
    readonly detail: object;
  }[];
};

/**
 * What is told of each table that hangs on an account. A column that is not named is a secret, a hash, or sealed; a
 * table that is neither here nor exported in a form of its own is a bug (test/privacy-export.test.ts).
 */
const MEANS: Readonly<Record<string, readonly string[]>> = {
  passwords: ['changed_at'],
  passkeys: ['aaguid', 'transports', 'backed_up', 'created_at', 'last_used_at'],
  backup_codes: ['used_at'],
  identities: ['source', 'linked_at', 'last_used_at', 'retired_at'],
  totps: ['created_at', 'last_used_at'],
  known_devices: ['seen_at'],
  sessions: ['used_at'],
  letters: ['created_at', 'printed_at'],
  letter_codes: ['purpose', 'valid_from', 'expires_at', 'used_at'],
  recoveries: ['number', 'status', 'reason', 'evidence', 'opened_at', 'waits_until', 'approved_at', 'ended_at'],
};

/**
 * Tables that hang on an account and are exported otherwise, opened; `staff` is about an employment and belongs to the
 * employee's file.
 */
export const EXPORTED_OTHERWISE: ReadonlySet<string> = new Set(['attributes', 'consents', 'staff']);
export const EXPORTED_TABLES: ReadonlySet<string> = new Set(Object.keys(MEANS));

const day = (at: Date): string => at.toISOString().slice(0, 10);

const claimOf = ({ claim, given, value, purpose, legalBasis }: KnownService['claims'][number]) => ({
  claim,
  given,
  ...(value !== undefined && { value }),
  purpose,
  legal_basis: legalBasis,
});

const apiOf = ({ legalBasis, pseudonym, ...use }: KnownService['apis'][number]) => ({
  ...use,
  ...(pseudonym !== undefined && { pseudonym }),
  legal_basis: legalBasis,
});

const serviceOf = ({ clientId, pseudonym, last, claims, apis, ...rest }: KnownService): Export['services'][number] => ({
  client_id: clientId,
  ...rest,
  ...(pseudonym !== undefined && { pseudonym }),
  ...(last !== undefined && { last }),
  claims: claims.map(claimOf),
  apis: apis.map(apiOf),
});

const attributesOf = async (ctx: Context, account: AccountId): Promise<Export['attributes']> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return [];
  const rows = await ctx
    .db('attributes')
    .where({ account_id: account })
    .orderBy('name')
    .select('name', 'sealed', 'source', 'level', 'recorded_at');
  return rows.map(({ name, sealed, source, level, recorded_at }) => ({
    name,
    value: JSON.parse(seal.open(attributeColumn(name), sealed)),
    source,
    ...(level !== null && { level }),
    recorded_on: day(recorded_at),
  }));
};

const meansOf = async (ctx: Context, account: AccountId): Promise<Export['sign_in_means']> => {
  const means: Record<string, Record<string, unknown>[]> = {};
  for (const [table, columns] of Object.entries(MEANS)) {
    const rows = await ctx
      .db(table)
      .where({ account_id: account })
      .select(...columns);
    means[table] = JSON.parse(JSON.stringify(rows));
  }
  return means;
};

/** Collects everything about a citizen (GDPR Art. 15, 20), on the record; undefined for an account that is gone. */
export const exportAccount = (
  ctx: Context,
  id: AccountId,
  town: Pick<Town, 'name' | 'organisations'>,
  find: (clientId: string) => Promise<Registration | undefined>,
  format: 'json' | 'pdf',
): Promise<Export | undefined> =>
  inTransaction(ctx, async (tx) => {
    const account = await accounts.load(tx, id);
    if (account === undefined) return undefined;
    const due = await deletion.dueAt(tx, id);
    const services = await knownServices(tx, id, town, find);
    const record = await tx
      .db('audit')
      .where({ account_id: id })
      .orderBy('seq')
      .select('at', 'event', 'detail', tx.db.raw("actor->>'kind' AS by"));
    const attributes = await attributesOf(tx, id);
    const sign_in_means = await meansOf(tx, id);
    const noted = await activities.list(tx, id);
    await audit.record(tx, 'account-exported', { account: id, detail: { format } });
    return {
      format: 'stadtschluessel-export',
      version: 1,
      created_on: day(tx.now()),
      town: town.name,
      account: {
        kennung: account.kennung,
        ...(account.email !== undefined && { email: account.email }),
        language: account.language,
        created_on: day(account.createdAt),
        ...(due !== undefined && { deletion_due_on: day(due) }),
      },
      attributes,
      services: services.map(serviceOf),
      sign_in_means,
      activities: noted.map(({ at, event, detail }) => ({ at: at.toISOString(), event, detail })),
      record: record.map(({ at, event, by, detail }) => ({ on: day(at), event, by: by ?? 'system', detail })),
    };
  });
