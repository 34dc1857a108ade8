import type { IncomingMessage } from 'node:http';
import { parse } from 'node:querystring';
import type { Client } from 'oidc-provider';
import { type DirectParts, plainClient } from './call.ts';

/** Parameters by name; each once and none empty, as oidc-provider takes an empty one for absent (RFC 6749 §3.1). */
export type Fields = Readonly<Record<string, string>>;

/** RFC 6749 §3.3. */
export const SCOPE = /^[\x21\x23-\x5B\x5D-\x7E]+(?: [\x21\x23-\x5B\x5D-\x7E]+)*$/;

const LARGEST_BYTES = 8 * 1024;
const FORM = /^application\/x-www-form-urlencoded(?:;\s*charset="?utf-8"?)?$/i;
const MARK_OF_BYTE_ORDER = 0xef;
/** Unless told otherwise, `parse` leaves out what comes after a thousand. */
const ALL_KEYS = { maxKeys: 0 };

/** How long the form is that comes with a request; undefined where it is no plain form, or longer than a form should be. */
export const formLength = ({ headers }: IncomingMessage): number | undefined => {
  const length = Number(headers['content-length']);
  const plain = FORM.test(headers['content-type'] ?? '') && headers['content-encoding'] === undefined;
  return plain && length > 0 && length <= LARGEST_BYTES ? length : undefined;
};

/** What a request brings along; ends as well when its connection does. */
export const readBody = (req: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const done = (): void => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.once('end', done);
    req.once('close', done);
    req.once('error', done);
  });

/** Lets oidc-provider read once more what was read. */
export const giveBack = (req: IncomingMessage, body: Buffer): void => {
  Object.defineProperties(req, {
    readable: { value: true },
    iterator: {
      value: async function* again() {
        yield body;
      },
    },
  });
};

/** The fields of a form or query; undefined if one of them comes twice, or is none that is `known`. */
export const fieldsIn = (text: string, known: ReadonlySet<string>): Fields | undefined => {
  const fields: Record<string, string> = {};
  for (const [name, value] of Object.entries(parse(text, '&', '=', ALL_KEYS))) {
    if (typeof value !== 'string' || !known.has(name)) return undefined;
    if (value !== '') fields[name] = value;
  }
  return fields;
};

export const formFields = (body: Buffer, known: ReadonlySet<string>): Fields | undefined =>
  body[0] === MARK_OF_BYTE_ORDER ? undefined : fieldsIn(body.toString(), known);

const BASIC = /^basic ([A-Za-z0-9+/]+={0,2})$/i;
/** What is the same in every encoding. */
const PLAIN = /^[A-Za-z0-9_-]+$/;
const NOT_VISIBLE = /[^\x20-\x7E]/;

/** RFC 6749 §2.3.1: form-encoded before it is put into the header. Undefined for what is not. */
const decoded = (text: string): string | undefined => {
  if (PLAIN.test(text)) return text;
  try {
    const plain = decodeURIComponent(text.replaceAll('+', '%20'));
    return plain === '' || NOT_VISIBLE.test(plain) ? undefined : plain;
  } catch {
    return undefined;
  }
};

type Credentials = { readonly id: string | undefined; readonly secret: string | undefined };

const credentialsIn = (authorization: string | undefined, fields: Fields): Credentials | undefined => {
  const { client_id: id, client_secret: secret } = fields;
  if (authorization === undefined) return { id, secret };
  const encoded = BASIC.exec(authorization)?.[1];
  if (encoded === undefined || encoded.length % 4 !== 0 || secret !== undefined) return undefined;
  const plain = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = plain.indexOf(':');
  if (colon < 0) return undefined;
  const given = { id: decoded(plain.slice(0, colon)), secret: decoded(plain.slice(colon + 1)) };
  if (given.id === undefined || given.secret === undefined || (id !== undefined && id !== given.id)) return undefined;
  return given;
};

/**
 * The client that a form comes from, by its secret or as a public one. Undefined for all that fails: oidc-provider says
 * what is wrong with it.
 */
export const authenticated = async (
  parts: DirectParts,
  { headers }: IncomingMessage,
  fields: Fields,
): Promise<Client | undefined> => {
  const credentials = credentialsIn(headers.authorization, fields);
  const client = credentials && (await plainClient(parts, credentials.id));
  if (credentials === undefined || client === undefined) return undefined;
  const { secret } = credentials;
  switch (client.clientAuthMethod) {
    case 'none':
      return secret === undefined ? client : undefined;
    case 'client_secret_basic':
    case 'client_secret_post':
      return secret !== undefined && (await client.compareClientSecret(secret)) ? client : undefined;
    default:
      return undefined;
  }
};
