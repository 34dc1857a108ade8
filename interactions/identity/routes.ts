import { setTimeout as pause } from 'node:timers/promises';
import type Koa from 'koa';
import type { PageDeps } from '../deps.ts';
import type { createRegistrar } from '../http.ts';
import { sendError, shellOf } from '../http.ts';
import * as exchanges from './exchanges.ts';
import { bundIdAnswer, eidAnswer, type SourceAnswer, upstreamAnswer } from './sources.ts';

type Registrar = ReturnType<typeof createRegistrar>;

/** A SAML response with all attributes has about 20 KB in base64. */
const SAML_BYTES = 256 * 1024;
const LOGOUT_TOKEN_BYTES = 16 * 1024;
/** Whose session at the staff's provider it is; a logout token may name nothing but that. No session here lasts longer. */
const UPSTREAM_SESSION = 'UpstreamSession';
const UPSTREAM_SESSION_SECONDS = 12 * 60 * 60;
/** The card has been read when the browser comes back; the server may need a moment to know it. */
const POLLS = 8;
const POLL_MILLISECONDS = 500;

const query = (ctx: Koa.Context, name: string): string | undefined => {
  const value = ctx.query[name];
  return typeof value === 'string' ? value : undefined;
};

const plain = (ctx: Koa.Context, status: number, text: string): void => {
  ctx.status = status;
  ctx.type = 'text/plain; charset=utf-8';
  ctx.body = `${text}\n`;
};

/** Where sources, AusweisApp and browsers come back to. What they bring is only left for the interaction to take. */
export const exchangeRoutes = (pages: Registrar, deps: PageDeps): void => {
  const { fleeting: store, issuer } = deps;
  const { eid, bundid, upstream } = deps.sources ?? {};

  const expired = (ctx: Koa.Context): void =>
    sendError(ctx, shellOf(ctx, deps), { kind: 'expired', status: 400, code: 'exchange_not_found' });

  const otherBrowser = (ctx: Koa.Context): void =>
    sendError(ctx, shellOf(ctx, deps), { kind: 'otherBrowser', status: 403, code: 'exchange_of_another_browser' });

  /** Back to the page that takes the answer. */
  const back = async (
    ctx: Koa.Context,
    id: string,
    { page }: exchanges.Exchange,
    answer: SourceAnswer,
  ): Promise<void> => {
    await exchanges.leaveAnswer(store, id, answer);
    ctx.status = 303;
    ctx.redirect(page);
  };

  /**
   * The exchange behind a door, if it is this browser's own. Who has no cookie changes nothing; who has another one
   * ends it: the card was shown on behalf of somebody else's browser (TR-03130-1 §3.5.3).
   */
  const comeBack = async (
    ctx: Koa.Context,
    door: exchanges.Door,
    value: unknown,
  ): Promise<{ id: string; exchange: exchanges.Exchange; saml?: string } | undefined> => {
    const passage = await exchanges.lookThrough(store, door, value);
    const exchange = passage && (await exchanges.find(store, passage.id));
    if (passage === undefined || exchange === undefined) return void expired(ctx);
    const comer = exchanges.comerOf(ctx, issuer, exchange);
    if (comer === 'another') await exchanges.end(store, passage.id);
    if (comer !== 'same') return void otherBrowser(ctx);
    // Of two tabs with the same address one gets through.
    if ((await exchanges.goThrough(store, door, value)) === undefined) return void expired(ctx);
    return { ...passage, exchange };
  };

  if (eid !== undefined) {
    // Fetched by AusweisApp, without any cookie: the value in the address is all that there is, and good once.
    pages.get('/eid/tc-token', async (ctx) => {
      const passage = await exchanges.goThrough(store, 'tc-token', query(ctx, 't'));
      const exchange = passage && (await exchanges.find(store, passage.id));
      if (passage === undefined || exchange?.asked.source !== 'eid') return plain(ctx, 404, 'unknown or used before');
      const returning = await exchanges.openDoor(store, 'eid-return', passage.id);
      const opened = await eid.open(exchange.asked.question, {
        refresh: new URL(`/eid/refresh?r=${returning}`, issuer),
        error: new URL(`/eid/error?r=${returning}`, issuer),
      });
      if (
        opened.outcome !== 'opened' ||
        !(await exchanges.keepSession(store, passage.id, opened.session, deps.context().now()))
      ) {
        // AusweisApp shows a page of its own now; the one in the browser tells more when it is looked at again.
        if (opened.outcome !== 'opened') await exchanges.leaveAnswer(store, passage.id, eidAnswer(opened, undefined));
        return plain(ctx, 503, 'the eID-Server gives no session');
      }
      ctx.type = 'text/xml; charset=utf-8';
      ctx.body = opened.tcToken;
    });

    const refresh = async (ctx: Koa.Context): Promise<void> => {
      const came = await comeBack(ctx, 'eid-return', query(ctx, 'r'));
      if (came?.exchange.asked.source !== 'eid') return;
      const { id, exchange } = came;
      const { session, asked } = exchange;
      if (session === undefined || asked.source !== 'eid') return expired(ctx);
      const hint =
        query(ctx, 'ResultMajor') === 'error'
          ? (query(ctx, 'ResultMinor')?.replace(/^.*#/s, '') ?? 'error')
          : undefined;
      let outcome = await eid.result(session, 1, asked.question);
      for (let counter = 2; outcome.outcome === 'not-yet' && hint === undefined && counter <= POLLS; counter += 1) {
        await pause(POLL_MILLISECONDS);
        outcome = await eid.result(session, counter, asked.question);
      }
      return back(ctx, id, exchange, eidAnswer(outcome, hint));
    };
    pages.get('/eid/refresh', refresh);
    pages.get('/eid/error', refresh);
  }

  if (bundid !== undefined) {
    // A POST from another site comes without cookies: it is put aside, and the browser comes for it with a GET.
    pages.receive('/bundid/acs', SAML_BYTES, async (ctx, form) => {
      const saml = form.get('SAMLResponse');
      const passage = await exchanges.goThrough(store, 'bundid-relay', form.get('RelayState'));
      // Without a request of ours there is nothing that it could answer (IdP-initiated).
      if (saml === null || passage === undefined) return expired(ctx);
      const handle = await exchanges.openDoor(store, 'bundid-return', passage.id, { saml });
      ctx.status = 303;
      ctx.redirect(`/bundid/return?h=${handle}`);
    });

    pages.get('/bundid/return', async (ctx) => {
      const came = await comeBack(ctx, 'bundid-return', query(ctx, 'h'));
      if (came?.saml === undefined || came.exchange.asked.source !== 'bundid') return;
      const { requestId, question } = came.exchange.asked;
      const answer = await bundid.read(came.saml, requestId, question);
      return back(ctx, came.id, came.exchange, bundIdAnswer(answer, bundid.idpEntityId));
    });

    pages.get('/bundid/metadata', async (ctx) => {
      ctx.type = 'application/samlmetadata+xml';
      ctx.body = bundid.metadata();
    });
  }

  if (upstream !== undefined) {
    pages.get('/upstream/callback', async (ctx) => {
      const came = await comeBack(ctx, 'upstream-state', query(ctx, 'state'));
      if (came?.exchange.asked.source !== 'upstream') return;
      const answer = await upstream.finish(new URL(ctx.originalUrl, issuer), came.exchange.asked.pending);
      if (answer.outcome === 'proven' && answer.sid !== undefined)
        await store.put(UPSTREAM_SESSION, answer.sid, answer.subject, UPSTREAM_SESSION_SECONDS);
      return back(ctx, came.id, came.exchange, upstreamAnswer(answer));
    });

    // OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8.
    pages.receive('/upstream/logout', LOGOUT_TOKEN_BYTES, async (ctx, form) => {
      const note = await upstream.logout(form.get('logout_token') ?? '');
      if (note === 'unavailable') return plain(ctx, 503, 'try again');
      if (note === undefined) return plain(ctx, 400, 'not a logout token');
      const bySession = note.sid === undefined ? undefined : await store.get<string>(UPSTREAM_SESSION, note.sid);
      const subject = note.subject ?? bySession?.value;
      if (subject !== undefined) await deps.endStaffSessions?.(note.issuer, subject);
      ctx.status = 200;
      ctx.body = '';
    });
  }
};
