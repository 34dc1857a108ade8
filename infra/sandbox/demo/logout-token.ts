import { noticeVerifier, type Refused } from './signed-notice.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

type LogoutOrder = { outcome: 'valid'; sid: string | undefined; subject: string | undefined } | Refused;

/** Checks logout tokens as OpenID Connect Back-Channel Logout 1.0 §2.6 demands, each accepted once. */
export const logoutTokenVerifier = (issuer: string, clientId: string, fetcher?: typeof fetch) => {
  const verify = noticeVerifier({ issuer, clientId, type: 'logout+jwt', required: ['exp'] }, fetcher);
  return async (token: string, jwksUri: string): Promise<LogoutOrder> => {
    const notice = await verify(token, jwksUri);
    if (notice.outcome === 'refused') return notice;
    const { payload, again } = notice;
    const event = (payload['events'] as Record<string, unknown> | null)?.[EVENT];
    if (typeof event !== 'object' || event === null)
      return { outcome: 'refused', reason: 'no back-channel logout event' };
    if ('nonce' in payload) return { outcome: 'refused', reason: 'a nonce is prohibited' };
    const sid = typeof payload['sid'] === 'string' ? payload['sid'] : undefined;
    if (sid === undefined && payload.sub === undefined) return { outcome: 'refused', reason: 'neither sid nor sub' };
    if (again) return { outcome: 'refused', reason: 'used before' };
    return { outcome: 'valid', sid, subject: payload.sub };
  };
};
