import { errors } from 'oidc-provider';

/** Seconds after which a caller may try again when the store is away. */
export const RETRY_AFTER_SECONDS = 5;

/** The store does not answer. Rendered as 503 with `Retry-After`; the request changed nothing that was acknowledged. */
export class ServiceUnavailable extends errors.OIDCProviderError {
  override readonly error_description = 'the service is temporarily unavailable, try again in a few seconds';

  constructor(cause: unknown) {
    super(503, 'temporarily_unavailable', { cause });
    this.allow_redirect = false;
    this.expose = true;
  }
}

const NETWORK_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT']);
// https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions, insufficient resources,
// operator intervention (which includes the statement time-out), and a standby that refuses writes.
const SQLSTATE_CLASSES = new Set(['08', '53', '57', '58']);
const READ_ONLY_TRANSACTION = '25006';
const MESSAGES =
  /timeout exceeded when trying to connect|Connection terminated|Timeout acquiring a connection|Query read timeout|Client has encountered a connection error/i;

/** Whether an error says that the store is away, as against a bug or a refused value. */
export function meansUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof ServiceUnavailable) return true;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    if (NETWORK_CODES.has(code) || code === READ_ONLY_TRANSACTION) return true;
    if (/^[0-9A-Z]{5}$/.test(code) && SQLSTATE_CLASSES.has(code.slice(0, 2))) return true;
  }
  if (error instanceof AggregateError) return error.errors.some(meansUnavailable);
  return MESSAGES.test(error.message) || meansUnavailable(error.cause);
}

/** Runs a call to the store; an outage becomes `ServiceUnavailable`, every other error passes. */
export async function available<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw meansUnavailable(error) && !(error instanceof ServiceUnavailable) ? new ServiceUnavailable(error) : error;
  }
}
