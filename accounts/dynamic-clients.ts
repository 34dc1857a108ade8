import type { Context } from './context.ts';
import type { ClientId } from './ids.ts';

/** Client metadata as it was registered (RFC 7591 names), with its secret. */
export type DynamicClient = Readonly<Record<string, unknown>> & { readonly client_id: string };

/** What their metadata is sealed for. */
export const DYNAMIC_CLIENT_PURPOSE = 'dynamic client';

/** Keeps a client that registered itself, in place of what it registered before. */
export const save = async (ctx: Context, clientId: ClientId, metadata: DynamicClient): Promise<void> => {
  const sealed = ctx.keys.sealShared(DYNAMIC_CLIENT_PURPOSE, clientId, JSON.stringify(metadata));
  await ctx
    .db('dynamic_clients')
    .insert({ client_id: clientId, sealed, created_at: ctx.now() })
    .onConflict('client_id')
    .merge(['sealed']);
};

/** The metadata of a client that registered itself; undefined if there is none of this name. */
export const find = async (ctx: Context, clientId: ClientId): Promise<DynamicClient | undefined> => {
  const [row] = await ctx.db('dynamic_clients').where({ client_id: clientId }).select('sealed');
  return row && JSON.parse(ctx.keys.openShared(DYNAMIC_CLIENT_PURPOSE, clientId, row.sealed));
};

export const remove = async (ctx: Context, clientId: ClientId): Promise<void> => {
  await ctx.db('dynamic_clients').where({ client_id: clientId }).delete();
};
