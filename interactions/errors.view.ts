import { catalogueAddress } from './entwickler/catalogue.ts';
import { type Fragment, html, safeUrl } from './html.ts';
import { textsIn } from './language.ts';
import { layout, type Shell } from './layout.view.ts';

/** What went wrong, as a citizen would put it. */
export type ErrorKind =
  | 'expired'
  | 'notFound'
  | 'badRequest'
  | 'forbidden'
  | 'otherBrowser'
  | 'tooLarge'
  | 'tooMany'
  | 'client'
  | 'unavailable'
  | 'busy'
  | 'internal';

export type PageError = {
  readonly kind: ErrorKind;
  readonly status: number;
  /** For developers: a stable code such as `invalid_redirect_uri`. */
  readonly code: string;
  /** For developers: what exactly is wrong; never a secret, never another person's data. */
  readonly detail?: string | undefined;
  /** For developers, in the sandbox: what was sent, what is registered, what to do. */
  readonly cause?:
    | { readonly what: string; readonly todo: string; readonly facts: readonly (readonly [string, string])[] }
    | undefined;
  /** Finds the log entry. */
  readonly reference?: string | undefined;
  /** Where `again` leads. */
  readonly again?: string | undefined;
  /** Sent as `Retry-After`. */
  readonly retryAfterSeconds?: number | undefined;
};

/** The kind of error that fits an HTTP status, for errors that do not come from a page. */
export const kindOfStatus = (status: number): ErrorKind => {
  if (status === 404 || status === 405) return 'notFound';
  if (status === 403) return 'forbidden';
  if (status === 413) return 'tooLarge';
  if (status === 429) return 'tooMany';
  if (status === 503) return 'unavailable';
  return status >= 500 ? 'internal' : 'badRequest';
};

/** Tells a citizen what to do, and a developer what is wrong. */
export const errorPage = (shell: Shell, error: PageError): string => {
  const t = textsIn(shell.language).errors;
  const text = t[error.kind];
  // What exactly is wrong is for the service's developers: in the sandbox here, elsewhere by `client diagnose`.
  const told = shell.sandbox === undefined ? undefined : error;
  const facts: readonly (readonly [string, string | undefined])[] = [
    [t.status, String(error.status)],
    [t.detail, told?.detail],
    ...(told?.cause?.facts ?? []),
  ];
  const catalogued = catalogueAddress(error.code);
  const again = error.again?.startsWith('/') === true ? error.again : safeUrl(error.again);
  return layout(shell, {
    title: text.title,
    faulty: true,
    body: html`<p class="kern-body kern-body--large">${text.text}</p>
    <h2 class="kern-heading-small">${t.whatToDo}</h2>
    <p class="kern-body">${text.todo}</p>
    <div class="ss-actions">
      ${again !== undefined && html`<a class="kern-btn kern-btn--primary" href="${again}"><span class="kern-label">${t.again}</span></a>`}
      <a class="kern-btn kern-btn--secondary" href="/"><span class="kern-label">${t.toStart}</span></a>
    </div>
    <p class="kern-body kern-body--small kern-body--muted">${t.code}: <code>${catalogued === undefined ? error.code : html`<a class="kern-link kern-link--no-visited-state" href="${catalogued}">${error.code}</a>`}</code>${error.reference !== undefined && html`<br>${t.reference}: <code>${error.reference}</code>`}</p>
    <details class="ss-details"${told?.cause !== undefined && html` open`}>
      <summary>${t.developers}</summary>
      ${told?.cause !== undefined && html`<p class="kern-body">${told.cause.what} ${told.cause.todo}</p>`}
      ${told === undefined && error.detail !== undefined && html`<p class="kern-body">${t.diagnose} <code>schluessel client diagnose</code></p>`}
      <dl class="ss-facts">
        ${facts.map(([label, value]): Fragment => value !== undefined && html`<div><dt>${label}</dt><dd><code>${value}</code></dd></div>`)}
      </dl>
    </details>`,
  });
};
