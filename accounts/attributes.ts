import * as audit from './audit.ts';
import { startOfDay } from './coarse-time.ts';
import { type Context, inTransaction } from './context.ts';
import { type AccountSeal, sealOf } from './data-key.ts';
import type { AccountId } from './ids.ts';
import { believedUntil, expiredBefore } from './proof-age.ts';

/** A postal address with the member names of OpenID Connect Core §5.1.1; `recipient` is for letters only. */
export type PostalAddress = {
  readonly recipient?: string;
  readonly street_address: string;
  readonly postal_code: string;
  readonly locality: string;
  readonly country?: string;
};

/** What may be recorded about a citizen; `birthdate` is YYYY-MM-DD. */
export type Attributes = {
  readonly given_name?: string;
  readonly family_name?: string;
  readonly birthdate?: string;
  readonly address?: PostalAddress;
  /** Years that a card has confirmed as completed, without telling the date of birth. */
  readonly age_over?: number;
  /** What a card said, and on which day (YYYY-MM-DD), to whether the citizen lives in the town, without the address. */
  readonly resident?: { readonly lives: boolean; readonly on: string };
};

export type AttributeName = keyof Attributes;
/** What a citizen can type in; what only a card can confirm is not among it. */
export type TypedAttribute = Exclude<AttributeName, 'age_over' | 'resident'>;

/** Who vouches for an attribute. */
export type AttributeSource = 'self' | 'counter' | 'eid' | 'bundid';
/** How well a value was proofed. */
export type ProofLevel = 'low' | 'substantial' | 'high';

const MAX_LINE = 120;
const GERMAN_POSTAL_CODE = /^[0-9]{5}$/;
const FOREIGN_POSTAL_CODE = /^[A-Za-z0-9 -]{2,12}$/;

/**
 * One line of text as a person typed it: trimmed, NFC, no control characters; undefined if empty or too long. Invisible
 * ones are left out: what turns the direction of writing would make a name look like another one, or like its surroundings.
 */
const line = (value: unknown): string | undefined => {
  if (typeof value !== 'string') return undefined;
  const text = value
    .replaceAll(/\p{Cf}/gu, '')
    .trim()
    .normalize('NFC');
  return text.length > 0 && text.length <= MAX_LINE && !/\p{Cc}|\p{Zl}|\p{Zp}/u.test(text) ? text : undefined;
};

/** Parses a given or family name; undefined if it is empty, no single line, or no name. */
export const parseName = (value: unknown): string | undefined => {
  const name = line(value)?.replaceAll(/\s+/g, ' ');
  return name !== undefined && /\p{L}/u.test(name) && !/[<>]/.test(name) ? name : undefined;
};

/** Parses the fields of a form into a postal address; undefined if one that a letter needs is missing or malformed. */
export const parsePostalAddress = (fields: {
  recipient?: unknown;
  street_address?: unknown;
  postal_code?: unknown;
  locality?: unknown;
  country?: unknown;
}): PostalAddress | undefined => {
  const street = line(fields.street_address);
  const postalCode = line(fields.postal_code);
  const locality = line(fields.locality);
  const recipient = line(fields.recipient);
  const country = line(fields.country);
  if (street === undefined || postalCode === undefined || locality === undefined) return undefined;
  const abroad = country !== undefined && !/^(de|deutschland|germany)$/i.test(country);
  if (!(abroad ? FOREIGN_POSTAL_CODE : GERMAN_POSTAL_CODE).test(postalCode)) return undefined;
  return {
    ...(recipient === undefined ? {} : { recipient }),
    street_address: street,
    postal_code: postalCode,
    locality,
    ...(country === undefined ? {} : { country }),
  };
};

/** The name that an attribute is sealed under. */
export const attributeColumn = (name: string): string => `attributes.${name}`;

/** Everything recorded about a citizen, opened; empty for an account that is gone. */
export const read = async (ctx: Context, account: AccountId): Promise<Attributes> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return {};
  const rows = await ctx.db('attributes').where({ account_id: account }).select('name', 'sealed');
  return Object.fromEntries(
    rows.map(({ name, sealed }) => [name, JSON.parse(seal.open(attributeColumn(name), sealed))]),
  );
};

/** What somebody else than the citizen vouches for. */
export const readProofed = async (ctx: Context, account: AccountId): Promise<Attributes> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return {};
  const rows = await ctx
    .db('attributes')
    .where({ account_id: account })
    .whereNot({ source: 'self' })
    .select('name', 'sealed');
  return Object.fromEntries(
    rows.map(({ name, sealed }) => [name, JSON.parse(seal.open(attributeColumn(name), sealed))]),
  );
};

/** What is recorded, each with who vouches for it. */
export const readWithSource = async (
  ctx: Context,
  account: AccountId,
): Promise<readonly { readonly name: AttributeName; readonly value: unknown; readonly source: AttributeSource }[]> => {
  const seal = await sealOf(ctx, account);
  if (seal === undefined) return [];
  const rows = await ctx.db('attributes').where({ account_id: account }).select('name', 'sealed', 'source');
  return rows.map(({ name, sealed, source }) => ({
    name,
    value: JSON.parse(seal.open(attributeColumn(name), sealed)),
    source,
  }));
};

/** A proof of an attribute: the day it was made, and the one from which it is believed no more, if there is one. */
export type ProofOf = {
  readonly name: AttributeName;
  readonly on: Date;
  readonly until?: Date;
  readonly over: boolean;
};

/** What somebody else than the citizen vouches for, or has vouched for until the proof grew too old. */
export const proofs = async (ctx: Context, account: AccountId): Promise<ProofOf[]> => {
  const rows = await ctx
    .db('attributes')
    .where({ account_id: account })
    .whereNot({ source: 'self' })
    .orderBy('name')
    .select('name', 'recorded_at');
  return rows.map(({ name, recorded_at: on }): ProofOf => {
    const until = believedUntil(name as AttributeName, on, ctx.proofDays);
    return {
      name: name as AttributeName,
      on,
      ...(until !== undefined && { until }),
      over: until !== undefined && until <= ctx.now(),
    };
  });
};

/**
 * Writes attributes without a transaction or audit row of its own: for use cases that bring both. What a citizen types
 * never takes the place of a value that was proofed, as long as the proof is believed.
 */
export const write = async (
  ctx: Context,
  account: AccountId,
  seal: AccountSeal,
  attributes: Attributes,
  source: AttributeSource,
  level?: ProofLevel,
): Promise<void> => {
  const rows = Object.entries(attributes).map(([name, value]) => ({
    account_id: account,
    name,
    sealed: seal.seal(attributeColumn(name), JSON.stringify(value)),
    source,
    level: level ?? null,
    recorded_at: startOfDay(ctx.now()),
  }));
  for (const row of rows) {
    const merged = ctx.db('attributes').insert(row).onConflict(['account_id', 'name']).merge();
    const over = expiredBefore(row.name as AttributeName, ctx.now(), ctx.proofDays);
    await (source === 'self'
      ? merged.whereRaw('(attributes.source = ? OR attributes.recorded_at <= ?::timestamptz)', ['self', over ?? null])
      : merged);
  }
};

/** Records attributes, each replacing what was there. Throws for an account that does not exist. */
export const record = (
  ctx: Context,
  account: AccountId,
  attributes: Attributes,
  source: AttributeSource,
): Promise<void> =>
  inTransaction(ctx, async (tx) => {
    const seal = await sealOf(tx, account);
    if (seal === undefined) throw new Error('attributes of an account that does not exist');
    await write(tx, account, seal, attributes, source);
    await audit.record(tx, 'attributes-recorded', { account, detail: { names: Object.keys(attributes), source } });
  });
