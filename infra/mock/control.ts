import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Attributes } from '../../accounts/attributes.ts';
import { describe } from '../../accounts/client-failure-texts.ts';
import * as clientFailures from '../../accounts/client-failures.ts';
import type { Context } from '../../accounts/context.ts';
import { parseClientId } from '../../accounts/ids.ts';
import type { Registration, Town } from '../../accounts/town.ts';
import { readJsonObject } from '../../interactions/request-body.ts';
import type { Automatic } from './automatic.ts';
import { change, type MockCitizen, restore, shown } from './citizens.ts';
import { type Faults, readFault } from './faults.ts';
import { readService } from './services.ts';
import { type End, formOf, Walker } from './walker.ts';

export type ControlParts = {
  readonly issuer: URL;
  readonly port: number;
  readonly secret: string;
  readonly town: Town;
  readonly context: () => Context;
  readonly citizens: readonly MockCitizen[];
  readonly automatic: Automatic;
  readonly faults: Faults;
  readonly mails: unknown[];
  readonly services: () => readonly Registration[];
  /** Puts a service in force, in place of one of the same name; resolves once requests see it. */
  readonly register: (registration: Registration, secret: string) => Promise<void>;
};

type Body = Readonly<Record<string, unknown>>;
type Reply = readonly [status: number, body: object];
type Handle = (body: Body, name: string | undefined) => Promise<Reply>;

const BODY_LIMIT_BYTES = 1024 * 1024;

const wrong = (...faults: string[]): Reply => [400, { faults }];

/** Where a walk led: to the service by redirect, to it by a form (`form_post`), or nowhere. */
const led = (end: End, issuer: URL): Reply => {
  if (end.away) return [200, { redirect: end.url.href, parameters: Object.fromEntries(end.url.searchParams) }];
  const form = formOf(end.text);
  if (form !== undefined && URL.canParse(form.action) && new URL(form.action).origin !== issuer.origin)
    return [200, { post: form.action, parameters: form.fields }];
  const code = /\/entwickler\/fehler#([a-z_]+)/.exec(end.text)?.[1];
  const title = /<h1\b[^>]*>([\s\S]*?)<\/h1>/
    .exec(end.text)?.[1]
    ?.replaceAll(/<[^>]+>|\s+/g, ' ')
    .trim();
  return [409, { error: code ?? 'page', status: end.status, url: end.url.href, title }];
};

/** The API by which a test says what is to happen: `/mock/…`, JSON in and out. */
export const createControl = (parts: ControlParts) => {
  const { issuer, citizens, context, faults } = parts;
  const sessions = new Map<string, Walker>();

  const citizenOf = (value: unknown): MockCitizen | undefined => citizens.find(({ key }) => key === value);

  const signIn: Handle = async (body) => {
    const citizen = citizenOf(body['citizen']);
    const { url: text } = body;
    const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
    if (citizen === undefined) return wrong(`citizen: one of ${citizens.map(({ key }) => key).join(', ')}`);
    if (url?.origin !== issuer.origin) return wrong(`url: the authorization request, below ${issuer.origin}`);
    const kept = body['keepSession'] === true ? sessions.get(citizen.key) : undefined;
    const walker = kept ?? new Walker(issuer, parts.port);
    sessions.set(citizen.key, walker);
    return led(await walker.walk(url, { 'x-mock-citizen': citizen.key }), issuer);
  };

  const signOut: Handle = async (body) => {
    const citizen = citizenOf(body['citizen']);
    const walker = citizen && sessions.get(citizen.key);
    if (citizen === undefined || walker === undefined) return wrong('citizen: has not signed in by /mock/sign-in');
    const page = await walker.walk(new URL('/session/end', issuer));
    const form = formOf(page.text);
    if (form === undefined) return [409, { error: 'page', url: page.url.href }];
    const end = await walker.walk(new URL(form.action, page.url), {}, { ...form.fields, logout: 'yes' });
    sessions.delete(citizen.key);
    return [200, { signedOut: citizen.key, status: end.status }];
  };

  const changeCitizen: Handle = async (body, name) => {
    const citizen = citizenOf(name);
    if (citizen === undefined) return [404, { error: 'no such citizen' }];
    const { status, ...attributes } = body;
    if (status !== undefined && status !== 'active' && status !== 'locked') return wrong('status: active or locked');
    const unknown = Object.keys(attributes).filter(
      (key) => !['given_name', 'family_name', 'birthdate', 'address'].includes(key),
    );
    if (unknown.length > 0) return wrong(...unknown.map((key) => `${key}: cannot be changed`));
    await change(context(), citizen, {
      ...(status !== undefined && { status }),
      ...(Object.keys(attributes).length > 0 && { attributes: attributes as Attributes }),
    });
    return [200, { changed: citizen.key }];
  };

  const register: Handle = async (body) => {
    const { client_secret: given, ...file } = body;
    const secret = given ?? parts.secret;
    if (typeof secret !== 'string') return wrong('client_secret: text');
    const read = readService(parts.town, file);
    if ('faults' in read) return wrong(...read.faults);
    await parts.register(read.registration, secret);
    return [201, { client_id: read.registration.clientId, client_secret: secret }];
  };

  const reset: Handle = async () => {
    faults.reset();
    parts.automatic.reset();
    sessions.clear();
    parts.mails.length = 0;
    const { db } = context();
    for (const table of ['oidc_sessions', 'oidc_grants', 'consents', 'attempts', 'client_failures', 'client_shapes'])
      await db(table).delete();
    await restore(context(), citizens);
    return [200, { reset: true }];
  };

  const overview = (): Reply => [
    200,
    {
      issuer: issuer.origin,
      documentation: new URL('/entwickler/attrappe', issuer).href,
      citizens: citizens.map(shown),
      services: parts
        .services()
        .map(({ clientId, redirectUris }) => ({ client_id: clientId, redirect_uris: redirectUris })),
      client_secret: parts.secret,
    },
  ];

  const failures: Handle = async (_body, name) => {
    const client = parseClientId(name);
    if (client === undefined) return wrong('/mock/failures/<client_id>');
    const seen = await clientFailures.list(context(), client);
    return [200, { failures: seen.map((one) => ({ ...one, ...describe(one, 'en') })) }];
  };

  const order: Handle = async (body) => {
    const fault = readFault(body);
    if ('fault' in fault) return wrong(fault.fault);
    faults.order(fault);
    return [201, { ordered: faults.ordered }];
  };

  const routes: Readonly<Record<string, Handle>> = {
    'GET /mock': async () => overview(),
    'POST /mock/sign-in': signIn,
    'POST /mock/sign-out': signOut,
    'POST /mock/clients': register,
    'POST /mock/citizens': changeCitizen,
    'POST /mock/faults': order,
    'GET /mock/failures': failures,
    'DELETE /mock/faults': async () => {
      faults.reset();
      return [200, { ordered: [] }];
    },
    'GET /mock/mails': async () => [200, { mails: parts.mails }],
    'POST /mock/reset': reset,
  };

  /** Answers what is addressed to the mock itself; false for everything else. */
  return async (req: IncomingMessage, res: ServerResponse): Promise<boolean> => {
    const [path = ''] = (req.url ?? '').split('?', 1);
    const [, mock, noun, name] = path.split('/');
    if (mock !== 'mock') return false;
    const handle = routes[`${req.method} ${noun === undefined || noun === '' ? '/mock' : `/mock/${noun}`}`];
    const body = await readJsonObject(req, BODY_LIMIT_BYTES);
    const reply: Promise<Reply> | Reply =
      handle === undefined
        ? [404, { error: 'not_found', routes: Object.keys(routes) }]
        : body === undefined
          ? wrong('the body must be a JSON object')
          : handle(body, name && decodeURIComponent(name));
    const [status, answer] = await Promise.resolve(reply).catch((error): Reply => [500, { error: String(error) }]);
    res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
    res.end(`${JSON.stringify(answer, null, 2)}\n`);
    return true;
  };
};
