import { importJWK, SignJWT } from 'jose';
import type { Logger } from 'pino';
import type { Context } from '../accounts/context.ts';
import * as securityEvents from '../accounts/security-events.ts';
import * as signingKeys from '../accounts/signing-keys.ts';
import type { Registrations } from './registrations.ts';

const EVENTS_PER_TURN = 20;
const ANSWER_WITHIN_MS = 5000;
const ALGORITHM = 'ES256';

type Parts = { issuer: URL; registrations: Registrations; log: Logger };

/** A Security Event Token (RFC 8417) about a subject by its pseudonym; made when it is sent, so `iat` names no cause. */
const tokenOf = async (ctx: Context, issuer: URL, notice: securityEvents.SecurityEventNotice): Promise<string> => {
  const key = (await signingKeys.load(ctx)).find(({ alg, state }) => alg === ALGORITHM && state === 'current');
  if (key === undefined) throw new Error('there is no key to sign with');
  const subject = { format: 'iss_sub', iss: issuer.origin, sub: notice.subject };
  return new SignJWT({ sub_id: subject, events: { [securityEvents.EVENT_TYPES[notice.event]]: { subject } } })
    .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: 'secevent+jwt' })
    .setIssuer(issuer.origin)
    .setAudience(notice.clientId)
    .setIssuedAt(ctx.now())
    .setJti(notice.id)
    .sign(await importJWK(key.privateJwk, ALGORITHM));
};

/**
 * Sends the events that are due by HTTP push (RFC 8935 §2). The address stands in the service's registration, which the
 * operator has examined; redirects are not followed. Services and subjects are not logged.
 */
export async function deliverSecurityEvents(ctx: Context, { issuer, registrations, log }: Parts): Promise<void> {
  for (;;) {
    const due = await securityEvents.takeDue(ctx, EVENTS_PER_TURN);
    await Promise.all(
      due.map(async (notice) => {
        const address = registrations.find(notice.clientId)?.securityEventsUri;
        try {
          // A service that is gone from the town, or takes no events any more: nobody is left to tell.
          if (address !== undefined) {
            const answer = await fetch(address, {
              method: 'POST',
              redirect: 'manual',
              signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
              headers: { 'content-type': 'application/secevent+jwt', accept: 'application/json' },
              body: await tokenOf(ctx, issuer, notice),
            });
            await answer.body?.cancel();
            if (answer.status !== 202 && answer.status !== 200) throw new Error(`answered ${answer.status}`);
          }
          await securityEvents.done(ctx, notice.id);
        } catch (error) {
          log.warn({ event: notice.id, reason: (error as Error).message }, 'security event not delivered');
          await securityEvents.failed(ctx, notice.id, 'not delivered');
        }
      }),
    );
    if (due.length < EVENTS_PER_TURN) return;
  }
}
