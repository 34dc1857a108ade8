import { type DestinationStream, type Logger, pino } from 'pino';
import { requestContext } from './request-context.ts';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

const MAX_DEPTH = 6;
const MAX_ITEMS = 50;
const SENSITIVE_NAME =
  /passw|secret|token|cookie|authorization|credential|assertion|verifier|pepper|^code$|user_?code|private|email|e_?mail|kennung|^to$|given_?name|family_?name|birth|address_?line/i;
const STATEMENT = /^\s*(select|insert|update|delete|with|merge|begin|commit|savepoint)\b/i;
const JWT = /\beyJ[\w-]{5,}\.[\w-]+\.?[\w-]*/g;
const EMAIL = /[^\s@<>"'(),;:=]+@[^\s@<>"'(),;:=]+\.[a-z]{2,}/gi;
const URL_CREDENTIALS = /([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;
const URL_QUERY = /([a-z][a-z0-9+.-]*:\/\/[^\s?#"']*)[?#][^\s"']*/gi;

/**
 * Structured log: one JSON object a line on stdout. What is logged passes through `harmless`, so that a careless call
 * still prints no secret and no personal data.
 */
export const createLog = (level: LogLevel = 'info', destination?: DestinationStream): Logger =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin() {
        // Every line logged within a request, however deep, carries its id.
        const request = requestContext()?.id;
        return request === undefined ? {} : { request };
      },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => harmless(fields) as Record<string, unknown>,
      },
      // `harmless` has done it; pino's own serializer would add what it left out.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(args, method) {
          // pino may be called as (message, …values), (fields, message, …values) and (error).
          const [first] = args as unknown[];
          const all = first instanceof Error && args.length === 1 ? [{ err: first }, messageOf(first)] : args;
          const clean = all.map((argument) => (typeof argument === 'string' ? harmlessText(argument) : argument));
          method.apply(this, clean as Parameters<typeof method>);
        },
      },
    },
    ...(destination === undefined ? [] : [destination]),
  );

/** A copy of a value that is fit for a log: by type first (secrets, bytes, errors, addresses), then by name. */
export const harmless = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return harmlessText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (value === null || typeof value !== 'object') return value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return harmlessError(value, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof URL) return value.origin === 'null' ? value.protocol : value.origin + value.pathname;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => harmless(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) {
    // A class decides itself how it is written (Secret says '[secret]'); of others only the name is written.
    const written = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON() : undefined;
    return typeof written === 'string' ? harmlessText(written) : `[${value.constructor?.name ?? 'object'}]`;
  }
  const copy: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value).slice(0, MAX_ITEMS)) {
    copy[name] = SENSITIVE_NAME.test(name) && !isPlainSign(inner) ? '[hidden]' : harmless(inner, depth + 1);
  }
  return copy;
};

/** Flags and counts say nothing about a person, whatever they are called. */
const isPlainSign = (value: unknown): boolean =>
  typeof value === 'boolean' || typeof value === 'number' || value == null;

// Errors of libraries carry whole requests, rows and parameters: only what explains the fault is kept.
const harmlessError = (error: Error, depth: number): Record<string, unknown> => {
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  const message = harmlessText(messageOf(error));
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return {
    type: error.name,
    message,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    stack: frames.join('\n'),
    ...(cause !== undefined && depth < MAX_DEPTH && { cause: harmless(cause, depth + 1) }),
  };
};

/** The query builder puts the statement, values and all, before the database's own message. */
const messageOf = ({ message }: Error): string => {
  const start = STATEMENT.test(message) ? message.lastIndexOf(' - ') : -1;
  return start === -1 ? message : message.slice(start + 3);
};

const harmlessText = (text: string): string =>
  text.replace(JWT, '[jwt]').replace(URL_CREDENTIALS, '$1').replace(URL_QUERY, '$1').replace(EMAIL, '[email]');
