import type Koa from 'koa';
import { serveAsset } from './assets.ts';
import type { PageDeps } from './deps.ts';
import { addDeveloperPages } from './entwickler/routes.ts';
import { finishSignIn, finishUnmet, finishWithoutSignIn } from './finish.ts';
import type { Form } from './form.ts';
import { changePolicy, createRegistrar, sendError, sendPage, shellOf } from './http.ts';
import { bundIdStep, eidStep, upstreamStep } from './identity/away.ts';
import * as exchanges from './identity/exchanges.ts';
import * as identity from './identity/identity.ts';
import { exchangeRoutes } from './identity/routes.ts';
import { settle } from './identity/settle.ts';
import { createKonto, formsOf } from './konto/konto.ts';
import { KONTO_PAGES } from './konto/pages.ts';
import { registerLetterPages } from './letter-pages.ts';
import type { StepName } from './next-step.ts';
import * as progresses from './progress.ts';
import { startPage } from './start.view.ts';
import * as address from './steps/address.ts';
import * as consent from './steps/consent.ts';
import * as credential from './steps/credential.ts';
import * as details from './steps/details.ts';
import * as email from './steps/email.ts';
import * as findFactor from './steps/find-factor.ts';
import * as forgotten from './steps/forgotten.ts';
import * as levelMissing from './steps/level-missing.ts';
import * as needsEmail from './steps/needs-email.ts';
import * as offerPasskey from './steps/offer-passkey.ts';
import * as secondFactor from './steps/second-factor.ts';
import * as signIn from './steps/sign-in.ts';
import * as welcome from './steps/welcome.ts';
import { type Outcome, open, type Step, secondsLeft, type Visit } from './visit.ts';

export type { PageDeps } from './deps.ts';

const STEPS: Readonly<Record<Exclude<StepName, 'done'>, Step>> = {
  'sign-in': signIn.step,
  eid: eidStep,
  bundid: bundIdStep,
  upstream: upstreamStep,
  identity: identity.unknownStep,
  'open-account': identity.openStep,
  link: identity.linkStep,
  double: identity.doubleStep,
  'second-factor': secondFactor.step,
  'level-missing': levelMissing.step,
  'other-ways': signIn.otherWaysStep,
  forgotten: forgotten.codeStep,
  'forgotten-second-factor': forgotten.secondFactorStep,
  'forgotten-password': forgotten.passwordStep,
  'offer-passkey': offerPasskey.step,
  email: email.emailStep,
  'email-code': email.codeStep,
  address: address.step,
  credential: credential.credentialStep,
  'find-factor': findFactor.step,
  password: credential.passwordStep,
  'backup-codes': welcome.backupCodesStep,
  kennung: welcome.kennungStep,
  'needs-email': needsEmail.step,
  details: details.step,
  consent: consent.step,
};

const toPage = (ctx: Koa.Context, uid: string): void => {
  ctx.status = 303;
  ctx.redirect(`/interaction/${uid}`);
};

/** What a form makes of a progress. What it left for the next page replaces what the form before it left. */
const renewal =
  ({ step }: Visit, { apply = (progress) => progress, flash }: Extract<Outcome, { go: 'on' }>) =>
  (progress: progresses.Progress): progresses.Progress => {
    const { flash: _, ...next } = apply(progress) ?? progress;
    return flash === undefined ? next : { ...next, flash: { step, ...flash } };
  };

const follow = async (visit: Visit, outcome: Outcome): Promise<void> => {
  const { ctx, deps, uid } = visit;
  switch (outcome.go) {
    case 'json':
      ctx.type = 'application/json';
      ctx.body = outcome.body;
      return;
    case 'error':
      return sendError(ctx, visit.shell, outcome.error);
    case 'back-to-service':
      return finishWithoutSignIn(visit);
    case 'unmet':
      return finishUnmet(visit);
    case 'on': {
      const renewed = renewal(visit, outcome);
      // Where nothing is left to do, nothing need be kept for another page.
      const next = await open(deps, ctx, uid, { visit, progress: renewed(visit.progress) });
      if (next.outcome === 'open' && next.visit.step === 'done') return finishSignIn(next.visit);
      await progresses.change(deps.fleeting, uid, secondsLeft(visit), renewed, visit.read);
      return toPage(ctx, uid);
    }
  }
};

const answerForm = async (visit: Visit, action: string, form: Form): Promise<void> => {
  const { ctx, step, uid } = visit;
  if (action === 'cancel') return form.unknown([]).length > 0 ? toPage(ctx, uid) : finishWithoutSignIn(visit);
  const posts = step === 'done' ? {} : STEPS[step].posts;
  const post = Object.hasOwn(posts, action) ? posts[action] : undefined;
  // A form of another step: sent late, from another tab, or in the hope of leaving a step out. The page tells what is due.
  if (post === undefined) return toPage(ctx, uid);
  const unknown = form.unknown(post.fields);
  if (unknown.length > 0)
    return sendError(ctx, visit.shell, {
      kind: 'badRequest',
      status: 400,
      code: 'unknown_field',
      detail: `this form has no field ${unknown.join(', ')}`,
      again: `/interaction/${uid}`,
    });
  return follow(visit, await post.handle(visit, form));
};

/** The pages as Koa middleware; what is no page goes on to the next one, the provider. */
export const createPages = (deps: PageDeps): Koa.Middleware => {
  const pages = createRegistrar(deps);

  const withVisit = async (ctx: Koa.Context, uid: string, work: (visit: Visit) => Promise<void>): Promise<void> => {
    const opened = await open(deps, ctx, uid);
    return opened.outcome === 'open' ? work(opened.visit) : sendError(ctx, opened.shell, opened.error);
  };

  pages.get('/', async (ctx) => {
    const services = (await deps.registrations()).filter(({ staff }) => staff !== true);
    sendPage(ctx, 200, startPage(shellOf(ctx, deps), services, deps.issuer));
  });

  addDeveloperPages(pages, deps);
  // Codes of devices are typed there (RFC 8628 §5.1).
  pages.count('/device');

  pages.get('/assets/:version/:name*', async (ctx, { version = '', name = '' }) => {
    if (serveAsset(ctx, version, name)) return;
    sendError(ctx, shellOf(ctx, deps), { kind: 'notFound', status: 404, code: 'not_found' });
  });

  pages.get('/interaction/:uid', (ctx, { uid = '' }) =>
    withVisit(ctx, uid, async (visit) => {
      // Back from an identity source: what it said is taken once, and only by the interaction that asked.
      const { exchange } = visit.progress;
      const answer = exchange && (await exchanges.takeAnswer(deps.fleeting, exchange.id));
      if (exchange !== undefined && answer !== undefined) {
        await exchanges.end(deps.fleeting, exchange.id);
        return follow(visit, await settle(visit, answer));
      }
      if (visit.step === 'done') return finishSignIn(visit);
      const step = STEPS[visit.step];
      sendPage(ctx, 200, await step.view(visit));
      if (step.policy !== undefined) changePolicy(ctx, step.policy(visit));
    }),
  );

  exchangeRoutes(pages, deps);

  // The address of a form, opened again from the history.
  pages.get('/interaction/:uid/:action', async (ctx, { uid = '' }) => toPage(ctx, uid));

  pages.post('/interaction/:uid/:action', (ctx, { uid = '', action = '' }, form) =>
    withVisit(ctx, uid, (visit) => answerForm(visit, action, form)),
  );

  registerLetterPages(pages, deps);
  const konto = createKonto(deps, KONTO_PAGES);
  pages.get('/konto', konto.get);
  pages.get('/konto/angemeldet', konto.arrived);
  pages.get('/konto/wechseln', konto.switchAccount);
  pages.get('/konto/nachweis', konto.prove);
  pages.get('/konto/:page', konto.get);
  pages.get('/konto/:page/:action', konto.back);
  pages.post('/konto/:page/:action', konto.post, formsOf(deps));

  // W3C Change Password URL, FIDO/W3C Passkey Endpoints: where password managers send people.
  pages.get('/.well-known/change-password', async (ctx) => {
    ctx.status = 303;
    ctx.redirect('/konto/passwort');
  });
  pages.get('/.well-known/passkey-endpoints', async (ctx) => {
    const { origin } = deps.issuer;
    ctx.type = 'application/json';
    ctx.body = { enroll: `${origin}/konto/passkey-neu`, manage: `${origin}/konto/passkeys` };
  });

  return pages.middleware;
};
