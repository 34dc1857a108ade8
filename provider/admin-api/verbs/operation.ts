import * as noticeDesk from '../../../accounts/notice-desk.ts';
import * as signingKeys from '../../../accounts/signing-keys.ts';
import { examine } from '../doctor.ts';
import { integer, optional, text } from '../input.ts';
import { changes, ok, reads, readsLong, refuse, type Verb } from '../verb.ts';

export const operationVerbs = {
  'keys list': reads({}, async ({ ctx }) => ok({ keys: await signingKeys.list(ctx) })),

  'keys rotate': changes({}, async ({ ctx }) => {
    const rotated = await signingKeys.rotate(ctx);
    return ok({ kid: rotated.kid, again: rotated.outcome === 'next-exists' });
  }),

  'keys revoke': changes({ kid: text(64, /^[A-Za-z0-9_-]+$/) }, async ({ ctx, input }) => {
    const revoked = await signingKeys.revoke(ctx, input.kid);
    return revoked.outcome === 'unknown' ? refuse('unknown') : ok({ again: revoked.outcome === 'unchanged' });
  }),

  'notices list': reads({ limit: optional(integer(1, 500)) }, async ({ ctx, input }) =>
    ok({ notices: await noticeDesk.list(ctx, input.limit ?? 100) }),
  ),

  'notices retry': changes({}, async ({ ctx }) => ok({ count: await noticeDesk.retry(ctx) })),

  doctor: readsLong({}, async ({ ctx, deps }) => ok({ findings: await examine(ctx, deps) })),
} as const satisfies Record<string, Verb>;
