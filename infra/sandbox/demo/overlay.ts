import type { Registration } from '../../../accounts/town.ts';

/** A service of the town with the address at which its demo runs. */
export type DemoPlace = { readonly registration: Registration; readonly base: URL };

/** The services that get a port of their own; the first others take the places of those that a town does not have. */
const OWN_PORTS = ['buergerportal', 'stadtbibliothek', 'stadtwerke'];

/** A service that a developer runs on this machine: it is registered as its file says, and needs no demo. */
export const isLocal = ({ redirectUris }: Registration): boolean =>
  redirectUris.length > 0 &&
  redirectUris.every((uri) => ['localhost', '127.0.0.1', '[::1]'].includes(new URL(uri).hostname));

/**
 * Where each service's demo runs: three on ports of their own, the others below their client_id on one port. Services
 * without a browser have no demo.
 */
export const demoPlaces = (
  registrations: readonly Registration[],
  ports: { readonly services: readonly number[]; readonly others: number },
): DemoPlace[] => {
  const shown = registrations.filter(
    (one) => (one.kind === 'web' || one.kind === 'spa' || one.kind === 'native') && !isLocal(one),
  );
  const favourites = OWN_PORTS.flatMap((clientId) => shown.filter((one) => one.clientId === clientId));
  const fillers = shown.filter((one) => one.kind === 'web' && !favourites.includes(one));
  const own = [...favourites, ...fillers].slice(0, ports.services.length);
  return shown.map((registration) => {
    const port = ports.services[own.indexOf(registration)];
    const address =
      port === undefined ? `http://localhost:${ports.others}/${registration.clientId}/` : `http://localhost:${port}/`;
    return { registration, base: new URL(address) };
  });
};

/** The registration under which the demo signs in: a web service's addresses are replaced, an app keeps its own beside. */
export const overlay = ({ registration, base }: DemoPlace): Registration => {
  const callback = new URL('callback', base).href;
  const addresses = { homepage: base.href, initiateLoginUri: new URL('login', base).href };
  if (registration.kind !== 'web') {
    const { redirectUris, postLogoutRedirectUris } = registration;
    return {
      ...registration,
      ...addresses,
      redirectUris: [...redirectUris, callback],
      postLogoutRedirectUris: [...postLogoutRedirectUris, base.href],
    };
  }
  // A demo has no private keys of the real service.
  const { jwks: _jwks, jwksUri: _jwksUri, ...rest } = registration;
  const secret = registration.authMethod === 'client_secret_post' ? 'client_secret_post' : 'client_secret_basic';
  return {
    ...rest,
    ...addresses,
    authMethod: secret,
    redirectUris: [callback],
    postLogoutRedirectUris: [base.href],
    backchannelLogoutUri: new URL('backchannel-logout', base).href,
    securityEventsUri: new URL('security-events', base).href,
  };
};
