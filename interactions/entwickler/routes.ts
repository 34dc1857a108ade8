import { readFileSync } from 'node:fs';
import type Koa from 'koa';
import { CLAIM_CATALOGUE } from '../../accounts/claims.ts';
import type { Registration } from '../../accounts/town.ts';
import type { PageDeps } from '../deps.ts';
import { sendPage, shellOf } from '../http.ts';
import { mockView } from './mock.view.ts';
import { createPlayground } from './playground.ts';
import { playgroundView, runView } from './playground.view.ts';
import { claimsView, errorsView, examplesView, PORTAL_PATHS, startView, statusView } from './portal.view.ts';

type Pages = { get(path: string, get: (ctx: Koa.Context) => Promise<void>): void };

const CHANGELOG = new URL('../../CHANGELOG.md', import.meta.url);
const SAMPLE_SUBJECT = 'uE0mYJd3Yl0v3c6pJqg1zVwZ8o7sB2hTt5Xn4rKfLQA';

/** What the changelog says; an installation without it has none to show. */
const changelog = (): string => {
  try {
    return readFileSync(CHANGELOG, 'utf8');
  } catch {
    return '–';
  }
};

/** What userinfo would say to a service about a person who does not exist. */
const sampleOf = (registration: Registration, deps: PageDeps): object => {
  const person = {
    attributes: {
      given_name: 'Wiebke',
      family_name: 'Lindenhoff',
      birthdate: '1987-03-14',
      address: { street_address: 'Musterweg 7', postal_code: '33330', locality: deps.town.name.de },
    },
    email: 'wiebke.lindenhoff@example.org',
    language: 'de',
    subject: SAMPLE_SUBJECT,
    town: deps.town,
  };
  const now = deps.context().now();
  const allowed = registration.claims.map(({ claim }) => claim);
  return {
    sub: SAMPLE_SUBJECT,
    ...Object.fromEntries(
      registration.claims.map(({ claim }) => [claim, CLAIM_CATALOGUE[claim]?.value(person, now, allowed)]),
    ),
  };
};

const single = (value: string | string[] | undefined): string => (typeof value === 'string' ? value : '');

/** The pages for those who connect services: no script, no session, nothing about citizens. */
export const addDeveloperPages = (pages: Pages, deps: PageDeps): void => {
  const playground = deps.sandbox && createPlayground(deps.issuer, deps.fleeting, PORTAL_PATHS.playground);

  pages.get(PORTAL_PATHS.start, async (ctx) => sendPage(ctx, 200, startView(shellOf(ctx, deps), deps.issuer)));
  pages.get(PORTAL_PATHS.examples, async (ctx) => sendPage(ctx, 200, examplesView(shellOf(ctx, deps))));
  pages.get(PORTAL_PATHS.errors, async (ctx) => sendPage(ctx, 200, errorsView(shellOf(ctx, deps))));
  pages.get(PORTAL_PATHS.status, async (ctx) => sendPage(ctx, 200, statusView(shellOf(ctx, deps), changelog())));

  pages.get(PORTAL_PATHS.mock, async (ctx) => sendPage(ctx, 200, mockView(shellOf(ctx, deps))));

  pages.get(PORTAL_PATHS.claims, async (ctx) => {
    const registrations = await deps.registrations();
    const registration = registrations.find(({ clientId }) => clientId === ctx.query['dienst']);
    const shown = registration && { registration, sample: sampleOf(registration, deps) };
    sendPage(ctx, 200, claimsView(shellOf(ctx, deps), registrations, shown));
  });

  pages.get(PORTAL_PATHS.playground, async (ctx) =>
    sendPage(ctx, 200, playgroundView(shellOf(ctx, deps), playground === undefined ? 'off' : 'ready')),
  );
  if (playground === undefined) return;
  pages.get(`${PORTAL_PATHS.playground}/los`, async (ctx) => {
    const to = await playground.begin(single(ctx.query['scope']) || 'openid', single(ctx.query['prompt']));
    ctx.status = 303;
    ctx.redirect(to);
  });
  pages.get(`${PORTAL_PATHS.playground}/zurueck`, async (ctx) => {
    const run = await playground.finish(new URLSearchParams(ctx.querystring));
    const shell = { ...shellOf(ctx, deps), path: undefined };
    if (run === undefined) sendPage(ctx, 200, playgroundView(shell, 'expired'));
    else sendPage(ctx, 200, runView(shell, run));
  });
};
