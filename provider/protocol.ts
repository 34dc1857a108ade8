import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { OidcStore } from '../adapters/oidc-store.ts';
import { withPatience } from '../adapters/patience.ts';
import type { createErrors } from './errors.ts';
import { proofIssuedAt, refusesFutureProof } from './security-profile.ts';

type ProtocolParts = {
  store: Pick<OidcStore, 'inRequest' | 'noteProof'>;
  errors: Pick<ReturnType<typeof createErrors>, 'boundary' | 'explain'>;
  /** What is changed about an answer of oidc-provider's. */
  finish: readonly ((ctx: KoaContextWithOIDC) => void)[];
  /** Of every answer that has none of its own of that name. */
  headers: readonly (readonly [string, string])[];
  /** Requests that failed where they would have been answered without all this (direct/), and why. */
  failures: WeakMap<IncomingMessage, unknown>;
};

/** No claims are given there: id_tokens hold none, and introspection asks whether the account is active. */
const WITHOUT_CLAIMS = new Set(['/token', '/token/introspection', '/token/revocation']);

/**
 * What goes around each request of the protocol. It is one middleware and not one for each purpose, as every one of them
 * would cost each request some promises.
 */
export const aroundProtocol = ({ store, errors, finish, headers, failures }: ProtocolParts) => {
  const inStore = async (ctx: KoaContextWithOIDC, next: Koa.Next): Promise<void> => {
    const proof = ctx.get('dpop');
    if (proof !== '') {
      const issuedAt = proofIssuedAt(proof);
      if (refusesFutureProof(ctx, issuedAt)) return;
      store.noteProof(issuedAt);
    }
    await next();
    for (const change of finish) change(ctx);
  };
  return async (ctx: KoaContextWithOIDC, next: Koa.Next): Promise<void> => {
    const part = WITHOUT_CLAIMS.has(ctx.path) ? 'status' : 'whole';
    const failed = (): boolean => ctx.status >= 400;
    await errors.boundary(ctx, () => {
      if (failures.has(ctx.req)) throw failures.get(ctx.req);
      // What a request writes goes out before its answer: a refused write must not have been acknowledged.
      return withPatience(() => store.inRequest(() => inStore(ctx, next), failed, part));
    });
    errors.explain(ctx);
    // Last of all: oidc-provider looks through all headers that are there when it begins.
    for (const [name, value] of headers) if (!ctx.res.hasHeader(name)) ctx.res.setHeader(name, value);
  };
};
