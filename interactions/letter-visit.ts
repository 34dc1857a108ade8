import { randomBytes } from 'node:crypto';
import type Koa from 'koa';
import type { Purpose } from '../accounts/letter-codes.ts';
import type { HashedPassword } from '../accounts/passwords.ts';
import type { PageDeps } from './deps.ts';
import { shellOf } from './http.ts';
import { textsIn } from './language.ts';
import type { Shell } from './layout.view.ts';
import type { Flash } from './progress.ts';
import type { Texts } from './texts/de.ts';
import { type LetterTexts, letterTextsIn } from './texts/letters.ts';

/** How far a browser has come with a code from a letter. The code itself is not kept, only which one it was. */
export type LetterState = {
  readonly code?: {
    readonly id: string;
    readonly purpose: Purpose;
    readonly account?: string;
    readonly staff?: string;
  };
  readonly method?: 'password';
  /** The password is chosen; a second factor is asked for. */
  readonly password?: HashedPassword;
  /** The app that is set up, under what name; the same until it is confirmed. */
  readonly app?: { readonly secret: string; readonly label: string };
  readonly flash?: Flash;
  readonly done?: { readonly purpose: Purpose; readonly kennung?: string; readonly backupCodes?: readonly string[] };
};

/** One request to the pages of a letter. */
export type LetterVisit = {
  readonly deps: PageDeps;
  readonly ctx: Koa.Context;
  readonly uid: string;
  readonly base: '/brief';
  readonly token: string;
  readonly shell: Shell;
  readonly t: Texts;
  readonly letters: LetterTexts;
  readonly state: LetterState;
  readonly flash: Flash | undefined;
};

const KIND = 'Letter';
const CEREMONY_KIND = 'LetterCeremony';
const VISIT_SECONDS = 30 * 60;
const BASE = '/brief';
const ID = /^[A-Za-z0-9_-]{43}$/;

const cookieName = (deps: PageDeps): string => (deps.issuer.protocol === 'https:' ? '__Host-brief' : 'brief');

/**
 * Begins a visit: an id in the address and the same in a cookie, so that the address alone is of no use. No other host can
 * set that cookie: a code that is typed into somebody else's visit would be theirs.
 */
export const begin = async (deps: PageDeps, ctx: Koa.Context): Promise<string> => {
  const uid = randomBytes(32).toString('base64url');
  await deps.fleeting.put(KIND, uid, {} satisfies LetterState, VISIT_SECONDS);
  const secure = deps.issuer.protocol === 'https:' ? '; Secure' : '';
  ctx.append(
    'Set-Cookie',
    `${cookieName(deps)}=${uid}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${VISIT_SECONDS}${secure}`,
  );
  return uid;
};

/** Opens a request; undefined if the visit is over or another browser's. */
export const open = async (deps: PageDeps, ctx: Koa.Context, uid: string): Promise<LetterVisit | undefined> => {
  if (!ID.test(uid) || ctx.cookies.get(cookieName(deps)) !== uid) return undefined;
  const found = await deps.fleeting.get<LetterState>(KIND, uid);
  if (found === undefined) return undefined;
  const shell = { ...shellOf(ctx, deps), path: `${BASE}/${uid}` };
  return {
    deps,
    ctx,
    uid,
    base: BASE,
    token: deps.context().keys.formToken(uid),
    shell,
    t: textsIn(shell.language),
    letters: letterTextsIn(shell.language),
    state: found.value,
    flash: found.value.flash,
  };
};

/** Notes how far the visit has come; what was noted before is replaced. */
export const keep = (visit: LetterVisit, state: LetterState): Promise<void> =>
  visit.deps.fleeting.put(KIND, visit.uid, state, VISIT_SECONDS);

type Ceremony = { readonly uid: string; readonly challenge: string; readonly handle: string };

/** Notes a passkey's creation under way. */
export const beginCeremony = async (visit: LetterVisit, challenge: string, handle: Buffer): Promise<string> => {
  const id = randomBytes(32).toString('base64url');
  const ceremony: Ceremony = { uid: visit.uid, challenge, handle: handle.toString('base64url') };
  await visit.deps.fleeting.put(CEREMONY_KIND, id, ceremony, VISIT_SECONDS);
  return id;
};

/** Takes a ceremony, once. */
export const takeCeremony = async (visit: LetterVisit, id: string): Promise<Ceremony | undefined> => {
  if (!ID.test(id)) return undefined;
  const ceremony = await visit.deps.fleeting.take<Ceremony>(CEREMONY_KIND, id);
  return ceremony?.uid === visit.uid ? ceremony : undefined;
};
