import { noticeVerifier, type Refused } from './signed-notice.ts';

/** What is told, by the last part of its event type: `account-purged` (RISC Profile 1.0 §2.2), `tokens-revoked`. */
const EVENTS =
  /^https:\/\/schemas\.openid\.net\/secevent\/(?:risc|oauth)\/event-type\/(account-purged|tokens-revoked)$/;

export type SecurityEvent = { readonly event: 'account-purged' | 'tokens-revoked'; readonly subject: string };

type Received =
  | { readonly outcome: 'valid'; readonly again: boolean; readonly events: readonly SecurityEvent[] }
  | Refused;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/**
 * Checks Security Event Tokens (RFC 8417) that are pushed to a service (RFC 8935): about a subject of this issuer in the
 * form `iss_sub` (RFC 9493 §3.2.3). One that comes again is acknowledged again, as its sender may have missed the answer.
 */
export const securityEventVerifier = (issuer: string, clientId: string, fetcher?: typeof fetch) => {
  const verify = noticeVerifier({ issuer, clientId, type: 'secevent+jwt', required: ['sub_id'] }, fetcher);
  return async (token: string, jwksUri: string): Promise<Received> => {
    const notice = await verify(token, jwksUri);
    if (notice.outcome === 'refused') return notice;
    const { sub_id: id, events: all } = notice.payload;
    if (!isRecord(id) || id['format'] !== 'iss_sub' || id['iss'] !== issuer || typeof id['sub'] !== 'string')
      return { outcome: 'refused', reason: 'a subject that is none of this issuer' };
    const subject = id['sub'];
    const events = Object.keys(isRecord(all) ? all : {}).flatMap((type): SecurityEvent[] => {
      const [, event] = EVENTS.exec(type) ?? [];
      return event === undefined ? [] : [{ event: event as SecurityEvent['event'], subject }];
    });
    return events.length === 0
      ? { outcome: 'refused', reason: 'no event that this service knows' }
      : { outcome: 'valid', again: notice.again, events };
  };
};
