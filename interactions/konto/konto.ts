import { createHash, randomBytes } from 'node:crypto';
import type Koa from 'koa';
import * as accounts from '../../accounts/accounts.ts';
import * as assurance from '../../accounts/assurance.ts';
import type { Context } from '../../accounts/context.ts';
import { enrolled } from '../../accounts/factors.ts';
import { parseAccountId } from '../../accounts/ids.ts';
import * as sessions from '../../accounts/session-notes.ts';
import type { PageDeps } from '../deps.ts';
import type { PageError } from '../errors.view.ts';
import type { Form } from '../form.ts';
import { changePolicy, type Params, type PolicyChanges, sendError, sendPage, shellOf } from '../http.ts';
import { textsIn } from '../language.ts';
import type { Shell } from '../layout.view.ts';
import type { Flash } from '../progress.ts';
import type { Texts } from '../texts/de.ts';

/** What a form of these pages leaves for the page after it; secrets among it are shown once and then gone. */
export type KontoFlash = Omit<Flash, 'notice'> & {
  readonly done?: boolean;
  readonly codes?: readonly string[];
};

/** One request of a citizen to the own pages. */
export type Visitor = {
  readonly deps: PageDeps;
  readonly ctx: Koa.Context;
  readonly domain: Context;
  /** The uid of the provider's session: there is no other one. */
  readonly uid: string;
  readonly token: string;
  readonly account: accounts.Account;
  readonly has: assurance.Enrolled;
  readonly proofs: readonly assurance.Proof[];
  /** The strongest factor of the account was shown within the last minutes. */
  readonly fresh: boolean;
  readonly shell: Shell;
  readonly t: Texts;
  readonly page: string;
  readonly flash: KontoFlash | undefined;
};

export type KontoOutcome =
  | { readonly go: 'page'; readonly flash?: KontoFlash; readonly to?: string }
  | { readonly go: 'json'; readonly body: object }
  /** To be kept by the citizen, not shown. */
  | { readonly go: 'file'; readonly file: string; readonly type: string; readonly body: string | Buffer }
  | { readonly go: 'error'; readonly error: PageError };

export type KontoPost = {
  readonly fields: readonly string[];
  /** Changes how one signs in: the strongest factor must be fresh. */
  readonly fresh: boolean;
  readonly handle: (visitor: Visitor, form: Form) => Promise<KontoOutcome>;
};

/** A page of the account. */
export type KontoPage = {
  /** The page is of no use without a fresh factor: asked for before it is shown. */
  readonly fresh: boolean;
  /** Before the page is shown: what has come back from elsewhere for it; undefined if nothing has. */
  readonly arrive?: (visitor: Visitor) => Promise<KontoOutcome | undefined>;
  readonly view: (visitor: Visitor) => KontoView | Promise<KontoView>;
  readonly posts: Readonly<Record<string, KontoPost>>;
};

type KontoView = string | { readonly page: string; readonly policy: PolicyChanges };

/** Back to the page with what is wrong. */
export const wrong = (faults: Flash['faults'] & object, values: Record<string, string> = {}): KontoOutcome => ({
  go: 'page',
  flash: { faults, values },
});

const FLASH = 'KontoFlash';
const FLASH_SECONDS = 300;
const PATH = /^\/konto(\/[a-z0-9-]{1,40})?$/;

type OidcSession = { uid: string; accountId?: string; acr?: string };

const sessionOf = async (deps: PageDeps, ctx: Koa.Context): Promise<OidcSession | undefined> => {
  const provider = deps.provider();
  const session = (await provider.Session.get(provider.createContext(ctx.req, ctx.res))) as unknown as OidcSession;
  return session.accountId === undefined ? undefined : session;
};

const tokenId = (uid: string): string => `konto ${uid}`;

/** What the forms of a session are bound to; undefined without a session. */
export const formsOf =
  (deps: PageDeps) =>
  async (ctx: Koa.Context): Promise<string | undefined> => {
    const session = await sessionOf(deps, ctx);
    return session && tokenId(session.uid);
  };

const nowOf = (domain: Context): number => Math.floor(domain.now().getTime() / 1000);

/** Who asks; undefined for a browser without a session of an active account. */
const open = async (deps: PageDeps, ctx: Koa.Context, page: string): Promise<Visitor | undefined> => {
  const session = await sessionOf(deps, ctx);
  const id = parseAccountId(session?.accountId);
  if (session === undefined || id === undefined) return undefined;
  const system = deps.context();
  const domain: Context = { ...system, actor: { kind: 'citizen', account: id } };
  const account = await accounts.load(domain, id);
  // The pages are a citizen's; staff have an account of its own kind, which has nothing here.
  if (account?.status !== 'active' || account.kind === 'staff') return undefined;
  const has = await enrolled(domain, id);
  const proofs = assurance.decodeProofs(session.acr);
  const shell = shellOf(ctx, deps);
  await sessions.touch(domain, session.uid);
  const flash = ctx.method === 'GET' ? await deps.fleeting.take<KontoFlash>(FLASH, session.uid) : undefined;
  return {
    deps,
    ctx,
    domain,
    uid: session.uid,
    token: domain.keys.formToken(tokenId(session.uid)),
    account,
    has,
    proofs,
    fresh: assurance.covers(assurance.FRESH, { proofs }, has, nowOf(domain)),
    shell: { ...shell, path: shell.path && (page === '' ? '/konto' : `/konto/${page}`) },
    t: textsIn(shell.language),
    page,
    flash,
  };
};

/**
 * Sends the browser to sign in, as every service does: by an authorization request. Its code goes nowhere, as nobody has
 * the verifier; what counts is the session that stands afterwards.
 */
const signIn = (deps: PageDeps, ctx: Koa.Context, path: string, changes: Record<string, string>): void => {
  const url = new URL('/auth', deps.issuer);
  const challenge = createHash('sha256').update(randomBytes(32).toString('base64url')).digest('base64url');
  const parameters = {
    client_id: assurance.OWN_CLIENT,
    response_type: 'code',
    redirect_uri: `${deps.issuer.origin}/konto/angemeldet`,
    scope: 'openid',
    state: path,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...changes,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  ctx.status = 303;
  ctx.redirect(url.pathname + url.search);
};

const redirect = (ctx: Koa.Context, path: string): void => {
  ctx.status = 303;
  ctx.redirect(path);
};

const pathOf = (page: string): string => (page === '' ? '/konto' : `/konto/${page}`);

/** The handlers of the citizen's pages, by name of the page. */
export const createKonto = (deps: PageDeps, pages: Readonly<Record<string, KontoPage>>) => {
  const pageOf = (name: string): KontoPage | undefined => (Object.hasOwn(pages, name) ? pages[name] : undefined);

  const notFound = (ctx: Koa.Context): void =>
    sendError(ctx, shellOf(ctx, deps), { kind: 'notFound', status: 404, code: 'not_found' });

  const follow = async (visitor: Visitor, outcome: KontoOutcome): Promise<void> => {
    const { ctx } = visitor;
    switch (outcome.go) {
      case 'error':
        return sendError(ctx, visitor.shell, outcome.error);
      case 'file':
        ctx.set('Content-Disposition', `attachment; filename="${outcome.file}"`);
        ctx.type = outcome.type;
        ctx.body = outcome.body;
        return;
      case 'json':
        ctx.type = 'application/json';
        ctx.body = outcome.body;
        return;
      case 'page':
        if (outcome.flash !== undefined) await deps.fleeting.put(FLASH, visitor.uid, outcome.flash, FLASH_SECONDS);
        return redirect(ctx, outcome.to ?? pathOf(visitor.page));
    }
  };

  /** A session that is of no use here (a member of staff, a locked account) is not gone on with. */
  const signInAnew = async (ctx: Koa.Context, path: string): Promise<void> =>
    signIn(deps, ctx, path, (await sessionOf(deps, ctx)) === undefined ? {} : { prompt: 'login' });

  return {
    async get(ctx: Koa.Context, { page: name = '' }: Params): Promise<void> {
      const page = pageOf(name);
      if (page === undefined) return notFound(ctx);
      const visitor = await open(deps, ctx, name);
      if (visitor === undefined) return signInAnew(ctx, pathOf(name));
      if (page.fresh && !visitor.fresh) return signIn(deps, ctx, pathOf(name), { acr_values: assurance.FRESH });
      const arrived = await page.arrive?.(visitor);
      if (arrived !== undefined) return follow(visitor, arrived);
      const view = await page.view(visitor);
      sendPage(ctx, 200, typeof view === 'string' ? view : view.page);
      if (typeof view !== 'string') changePolicy(ctx, view.policy);
    },

    async post(ctx: Koa.Context, { page: name = '', action = '' }: Params, form: Form): Promise<void> {
      const page = pageOf(name);
      const post = page && Object.hasOwn(page.posts, action) ? page.posts[action] : undefined;
      if (post === undefined) return notFound(ctx);
      const visitor = await open(deps, ctx, name);
      if (visitor === undefined) return signInAnew(ctx, pathOf(name));
      // Asked for first, then the citizen sends the form again: a change is never carried through a sign-in.
      if (post.fresh && !visitor.fresh) return signIn(deps, ctx, pathOf(name), { acr_values: assurance.FRESH });
      const unknown = form.unknown(post.fields);
      if (unknown.length > 0) {
        const detail = `this form has no field ${unknown.join(', ')}`;
        const error: PageError = { kind: 'badRequest', status: 400, code: 'unknown_field', detail };
        return sendError(ctx, visitor.shell, { ...error, again: pathOf(name) });
      }
      return follow(visitor, await post.handle(visitor, form));
    },

    /** The address of a form, opened again from the history. */
    async back(ctx: Koa.Context, { page = '' }: Params): Promise<void> {
      redirect(ctx, pathOf(page));
    },

    /** After the sign-in; `state` is one of our own pages or counts for nothing. */
    async arrived(ctx: Koa.Context): Promise<void> {
      const { state } = ctx.query;
      // The citizen cancelled, or cannot show what the page needs.
      if (ctx.query['error'] !== undefined) return redirect(ctx, (await sessionOf(deps, ctx)) ? '/konto' : '/');
      redirect(ctx, typeof state === 'string' && PATH.test(state) ? state : '/konto');
    },

    /** Proves the citizen's identity, by card or BundID; the sign-in asks for a level that takes it. */
    async prove(ctx: Koa.Context): Promise<void> {
      signIn(deps, ctx, '/konto', { acr_values: assurance.ACR.substantial });
    },

    /** Another citizen, or the same person in another role, at this browser. */
    async switchAccount(ctx: Koa.Context): Promise<void> {
      signIn(deps, ctx, '/konto', { prompt: 'login' });
    },
  };
};
