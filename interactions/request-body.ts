import type { IncomingMessage } from 'node:http';

/** What is read and thrown away after the limit, so that the sender gets to see the answer. */
const DISCARD_LIMIT_BYTES = 4 * 1024 * 1024;

/** The body as sent; undefined if it has more than `limit` bytes. */
export const readBody = async (req: IncomingMessage, limit: number): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
    else if (length > DISCARD_LIMIT_BYTES) break;
  }
  return length <= limit ? Buffer.concat(chunks) : undefined;
};

/** A body of JSON, `{}` for an empty one; undefined if it is none, no object, or has more than `limit` bytes. */
export const readJsonObject = async (
  req: IncomingMessage,
  limit: number,
): Promise<Readonly<Record<string, unknown>> | undefined> => {
  const body = await readBody(req, limit);
  if (body === undefined) return undefined;
  if (body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
};
