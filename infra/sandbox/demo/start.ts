import type { IncomingMessage, ServerResponse } from 'node:http';
import { html } from 'hono/html';
import type { Town } from '../../../accounts/town.ts';
import { listenLocally } from '../listen.ts';
import { languageOf, page, STYLE, sendPage, sendText } from '../page.view.ts';
import { type DemoPlace, overlay } from './overlay.ts';
import { DemoService } from './service.ts';

type DemoOptions = {
  readonly places: readonly DemoPlace[];
  readonly town: Pick<Town, 'organisations'>;
  readonly issuer: URL;
  readonly secret: (clientId: string) => string;
  /** Port of the services that share one. */
  readonly others: number;
};

/** Starts an HTTP server for each service with a port of its own, and one for the others. */
export const startDemoServices = async (options: DemoOptions): Promise<{ stop(): Promise<void> }[]> => {
  const services = options.places.map((place) => ({ place, service: demoService(place, options) }));
  const own = services.filter(({ place }) => place.base.pathname === '/');
  const shared = services.filter(({ place }) => place.base.pathname !== '/');
  return Promise.all([
    ...own.map(({ place, service }) => listenLocally(service.handler, Number(place.base.port))),
    listenLocally(sharedHandler(shared), options.others),
  ]);
};

const demoService = (place: DemoPlace, { town, issuer, secret }: DemoOptions): DemoService => {
  const registration = overlay(place);
  const organisation = town.organisations.find(({ id }) => id === registration.organisation)?.name ?? registration.name;
  const base = { registration, organisation, base: place.base, issuer };
  return new DemoService(
    registration.authMethod === 'none' ? base : { ...base, clientSecret: secret(registration.clientId) },
  );
};

const sharedHandler =
  (services: readonly { place: DemoPlace; service: DemoService }[]) =>
  (req: IncomingMessage, res: ServerResponse): void => {
    const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
    const named = services.find(({ place }) => path.startsWith(place.base.pathname));
    if (named !== undefined) named.service.handler(req, res);
    else if (path === '/style.css') sendText(res, 200, 'text/css', STYLE);
    else if (path === '/')
      void sendPage(
        res,
        200,
        listPage(
          req,
          services.map(({ place }) => place),
        ),
      );
    else sendText(res, 404, 'text/plain', 'There is no such demo service.\n');
  };

const listPage = (req: IncomingMessage, places: readonly DemoPlace[]) => {
  const language = languageOf(req.headers['accept-language']);
  const title = language === 'de' ? 'Weitere Dienste' : 'More services';
  const entries = places.map(
    ({ registration: { name, description }, base }) =>
      html`<li><a href="${base.pathname}">${name[language] ?? name.de}</a><br>${description[language] ?? description.de}</li>`,
  );
  return page(
    language,
    title,
    html`<p class="who">Stadtschlüssel</p>`,
    html`<h1>${title}</h1><ul>${entries}</ul>`,
    '/style.css',
  );
};
