import type { IncomingMessage } from 'node:http';
import type { Client, Configuration, Grant, KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Registration } from '../../accounts/town.ts';
import type { BoundToken, OidcStore } from '../../adapters/oidc-store.ts';
import type { Registrations } from '../registrations.ts';

/**
 * What a request is answered with, beside the headers that all such answers have. Headers are as `writeHead` takes them:
 * names and values in turn.
 */
export type Answer = {
  readonly kind: 'json' | 'redirect';
  readonly headers: readonly string[];
  readonly body: string;
};

export type DirectParts = {
  readonly provider: Provider;
  /** The provider's own settings: what they decide is asked of them here as well. */
  readonly settings: Configuration;
  readonly registrations: Registrations;
  readonly store: Pick<OidcStore, 'inRequest' | 'sessionHolds'>;
};

type Settable<T> = { -readonly [Name in keyof T]: T[Name] };
type Oidc = Settable<KoaContextWithOIDC['oidc']>;

/** A request as oidc-provider's models and our settings look at it: of a Koa context what they ask for, and no more. */
export class Call {
  readonly req: IncomingMessage;
  /** Under this name oidc-provider's own context looks for the endpoint. */
  readonly _matchedRouteName: string;
  readonly oidc: Oidc;

  constructor(provider: Provider, req: IncomingMessage, endpoint: string, params: Readonly<Record<string, unknown>>) {
    this.req = req;
    this._matchedRouteName = endpoint;
    this.oidc = new provider.OIDCContext(this.ctx);
    this.oidc.params = params;
  }

  get headers(): IncomingMessage['headers'] {
    return this.req.headers;
  }

  get(name: string): string {
    const value = this.req.headers[name.toLowerCase()];
    return typeof value === 'string' ? value : '';
  }

  get ctx(): KoaContextWithOIDC {
    return this as unknown as KoaContextWithOIDC;
  }
}

/** The value of an opaque token or code: 256 bits, as oidc-provider draws them. */
const OPAQUE = /^[A-Za-z0-9_-]{43}$/;
export const isOpaque = (value: string | undefined): value is string => value !== undefined && OPAQUE.test(value);

/** A grant that has not ended. To the second: a token's clock may be off, a grant's is our own. */
export const grantOf = async (provider: Provider, id: string): Promise<Grant | undefined> => {
  const grant = await provider.Grant.find(id, { ignoreExpiration: true });
  return grant?.isExpired === false ? grant : undefined;
};

/** Found as it is; whether its session still holds is looked at by `sessionHolds`. */
export const UNBOUND = { ignoreSessionBinding: true } as object;

/** Whether a token or code that ends with its session may still be used. */
export const sessionHolds = async (
  { store }: DirectParts,
  token: BoundToken & { readonly expiresWithSession?: boolean | undefined },
): Promise<boolean> => token.expiresWithSession !== true || store.sessionHolds(token);

/** What binds a token or code to a key, or makes it more than a plain one. */
const MORE_THAN_PLAIN = ['claims', 'resource', 'rar', 'jkt', 'x5t#S256', 'attestationJkt', 'dpopJkt'] as const;

/** Whether a token or code asks for nothing but its scopes, and is bound to no key. */
export const isPlain = (source: object): boolean =>
  MORE_THAN_PLAIN.every((name) => (source as Record<string, unknown>)[name] === undefined);

/** Whether a service of the town goes by plain OpenID Connect: no security profile, no keys, not the administration. */
const isPlainService = ({ staff, trial, securityProfile, boundTokens, signedRequests }: Registration): boolean =>
  staff !== true &&
  trial !== true &&
  securityProfile === undefined &&
  boundTokens === undefined &&
  signedRequests !== true;

/** The client of a plain service of the town; undefined for all others. */
export const plainClient = async (
  { provider, registrations }: DirectParts,
  id: string | undefined,
): Promise<Client | undefined> => {
  // Clients that registered themselves are looked up anew with each request, and have settings of all kinds.
  if (id === undefined || registrations.metadata(id) === undefined) return undefined;
  const registration = registrations.find(id);
  return registration !== undefined && isPlainService(registration) ? provider.Client.find(id) : undefined;
};

/** What oidc-provider says of origins to a program that sends none. */
export const FOR_ALL_ORIGINS = [
  ['Vary', 'Origin'],
  ['Access-Control-Allow-Origin', '*'],
  ['Access-Control-Expose-Headers', 'WWW-Authenticate'],
] as const;

/** The headers of its answers to a program. */
export const JSON_HEADERS = [
  ...FOR_ALL_ORIGINS.flat(),
  'Cache-Control',
  'no-store',
  'Content-Type',
  'application/json; charset=utf-8',
] as const;

export const jsonAnswer = (value: object): Answer => ({ kind: 'json', headers: [], body: JSON.stringify(value) });
