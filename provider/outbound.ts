type Fetch = typeof fetch;

const UNDICI_DISPATCHERS = ['undici.globalDispatcher.2', 'undici.globalDispatcher.1'] as const;

/**
 * The `fetch` that oidc-provider uses for back-channel logout, `jwks_uri` and the like.
 *
 * oidc-provider refuses private addresses through an undici dispatcher, but only warns when that cannot be loaded; here
 * a request without the protection is refused, and so is the start. `allowPrivate` (the sandbox, whose services live on
 * loopback) takes the protection off on purpose.
 */
export function outboundFetch(allowPrivate: boolean): Fetch {
  void Response; // touching it makes Node load its undici, which registers the dispatcher looked for below
  const loaded = UNDICI_DISPATCHERS.some(
    (name) => (globalThis as Record<symbol, unknown>)[Symbol.for(name)] !== undefined,
  );
  if (!allowPrivate && !loaded) {
    throw new Error('this Node.js offers no undici dispatcher, so requests to private addresses could not be refused');
  }
  return (url, options) => {
    // What oidc-provider passes: the dispatcher carries its check of the target's address.
    const { dispatcher, ...rest } = { dispatcher: undefined, ...options };
    if (allowPrivate) return fetch(url, rest);
    if (dispatcher === undefined || dispatcher === null) {
      throw new Error('outbound request without protection against private addresses');
    }
    return fetch(url, options);
  };
}
