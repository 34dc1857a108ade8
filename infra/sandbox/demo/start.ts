import type { IncomingMessage, ServerResponse } from 'node:http';
import { html } from 'hono/html';
import { ACR } from '../../../accounts/assurance.ts';
import type { Registration, Town } from '../../../accounts/town.ts';
import { listenLocally } from '../listen.ts';
import { languageOf, page, STYLE, sendPage, sendText } from '../page.view.ts';
import { type DemoApiPlace, demoApi } from './api.ts';
import { type DemoPlace, overlay } from './overlay.ts';
import { DemoService } from './service.ts';

type DemoOptions = {
  readonly places: readonly DemoPlace[];
  /** Of the whole town: APIs that ask for a stronger sign-in have a demo too. */
  readonly registrations: readonly Registration[];
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
    listenLocally(sharedHandler(shared, apiHandlers(options)), options.others),
  ]);
};

const API_MAX_AGE_SECONDS = 15 * 60;

/** The API of an organisation, if it has one that asks for step-up, and where it runs. */
const apiOf = (organisation: string, { registrations, others }: DemoOptions): DemoApiPlace | undefined => {
  const found = registrations.find((one) => one.organisation === organisation && one.resource?.stepUp === true);
  const [scope] = found?.resource?.scopes ?? [];
  if (found?.resource?.tokens !== 'jwt' || scope === undefined) return undefined;
  const url = new URL(`http://localhost:${others}/${found.clientId}/`);
  return { url, audience: found.resource.identifier, scope };
};

/** The APIs by the path at which they answer. */
const apiHandlers = (options: DemoOptions): ReadonlyMap<string, ReturnType<typeof demoApi>> =>
  new Map(
    options.town.organisations.flatMap(({ id }) => {
      const place = apiOf(id, options);
      if (place === undefined) return [];
      const handler = demoApi({
        ...place,
        issuer: options.issuer.origin,
        jwksUri: new URL('/jwks', options.issuer).href,
        acrValues: [ACR.substantial, ACR.high],
        maxAgeSeconds: API_MAX_AGE_SECONDS,
      });
      return [[place.url.pathname, handler]];
    }),
  );

const demoService = (place: DemoPlace, options: DemoOptions): DemoService => {
  const { town, issuer, secret } = options;
  const registration = overlay(place);
  const organisation = town.organisations.find(({ id }) => id === registration.organisation)?.name ?? registration.name;
  const api = apiOf(registration.organisation, options);
  const base = { registration, organisation, base: place.base, issuer, ...(api && { api }) };
  return new DemoService(
    registration.authMethod === 'none' ? base : { ...base, clientSecret: secret(registration.clientId) },
  );
};

const sharedHandler =
  (
    services: readonly { place: DemoPlace; service: DemoService }[],
    apis: ReadonlyMap<string, ReturnType<typeof demoApi>>,
  ) =>
  (req: IncomingMessage, res: ServerResponse): void => {
    const path = (req.url ?? '/').split('?', 1)[0] ?? '/';
    const named = services.find(({ place }) => path.startsWith(place.base.pathname));
    const api = apis.get(path);
    if (api !== undefined) void api(req, res);
    else if (named !== undefined) named.service.handler(req, res);
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
