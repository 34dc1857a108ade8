import type Koa from 'koa';
import { cookiePairs } from './cookie-header.ts';

/**
 * Whether it was this browser that began an interaction. Cookies with a path cannot have the prefix `__Host-`, and those
 * without it can be set by every host beside the provider's (www.town.example for id.town.example): somebody who has one
 * of these would let a citizen sign in to an interaction of their own, or end theirs in the citizen's browser. A cookie of
 * the prefix, one for each interaction, so that several tabs do not take each other's, can be set by nobody but us.
 */

const UID_CHARACTERS = 22;
/** No browser has so many sign-ins under way; what it has gathered beyond is forgotten, the oldest first. */
const MAX_KEPT = 20;

const prefixOf = (issuer: URL): string => (issuer.protocol === 'https:' ? '__Host-begun-' : 'begun-');

const nameOf = (issuer: URL, uid: string): string => prefixOf(issuer) + uid.slice(0, UID_CHARACTERS);

const namesIn = (ctx: Koa.Context): string[] => cookiePairs(ctx.get('cookie')).map(([name]) => name);

const set = (ctx: Koa.Context, issuer: URL, name: string, seconds: number): void => {
  const secure = issuer.protocol === 'https:' ? ['Secure'] : [];
  const parts = [
    `${name}=${seconds === 0 ? '' : 1}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Lax',
    `Max-Age=${seconds}`,
    ...secure,
  ];
  ctx.append('Set-Cookie', parts.join('; '));
};

/** Notes in the browser that it begins an interaction, for as long as that may last. */
export const noteBegun = (ctx: Koa.Context, issuer: URL, uid: string, seconds: number): void => {
  const kept = namesIn(ctx).filter((name) => name.startsWith(prefixOf(issuer)));
  for (const name of kept.slice(0, Math.max(0, kept.length - MAX_KEPT + 1))) set(ctx, issuer, name, 0);
  set(ctx, issuer, nameOf(issuer, uid), seconds);
};

/** The interaction is over. */
export const forgetBegun = (ctx: Koa.Context, issuer: URL, uid: string): void =>
  set(ctx, issuer, nameOf(issuer, uid), 0);

/** Whether the interaction was begun in this browser. */
export const isBegunHere = (ctx: Koa.Context, issuer: URL, uid: string): boolean =>
  namesIn(ctx).includes(nameOf(issuer, uid));
