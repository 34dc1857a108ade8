import { hash } from 'node:crypto';

/** HMAC-SHA-256 with one key: 32 bytes over the parts, each with its length before it. */
export type Hmac = (...parts: (Buffer | string)[]) => Buffer;

type Blocks = { readonly usual: Buffer; readonly outer: Buffer; readonly inner: (size: number) => Buffer };

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
/** What is asked for is short: handles, ids, tokens of forms. */
const USUAL_BYTES = 4096;

const padded = (key: Buffer, pad: number, size: number): Buffer => {
  const block = Buffer.alloc(size);
  for (let at = 0; at < BLOCK_BYTES; at += 1) block[at] = (key[at] ?? 0) ^ pad;
  return block;
};

const blocksOf = (key: Buffer): Blocks => {
  if (key.length > BLOCK_BYTES) throw new RangeError('a key longer than a block');
  const usual = padded(key, INNER_PAD, BLOCK_BYTES + USUAL_BYTES);
  return {
    usual,
    outer: padded(key, OUTER_PAD, BLOCK_BYTES + DIGEST_BYTES),
    inner: (size) => (size <= usual.length ? usual : padded(key, INNER_PAD, size)),
  };
};

/** The outer hash over the inner one of the first `size` bytes. */
const finished = ({ outer }: Blocks, inner: Buffer, size: number, encoding: 'binary' | 'base64url'): string => {
  outer.write(hash('sha256', inner.subarray(0, size), 'hex'), BLOCK_BYTES, 'hex');
  return hash('sha256', outer, encoding);
};

/**
 * HMAC (RFC 2104) by two one-shot hashes: half the time of `createHmac`, whose objects moreover have to be collected one
 * by one. Keys are of 32 bytes here; longer than a block they would have to be hashed first.
 */
export const hmacOf = (key: Buffer): Hmac => {
  const blocks = blocksOf(key);
  return (...parts) => {
    // Each part carries its length, so that ('ab', 'c') and ('a', 'bc') differ.
    let size = BLOCK_BYTES;
    for (const part of parts) size += 4 + Buffer.byteLength(part);
    const inner = blocks.inner(size);
    let at = BLOCK_BYTES;
    for (const part of parts) {
      const length = typeof part === 'string' ? inner.write(part, at + 4, 'utf8') : part.copy(inner, at + 4);
      at = inner.writeUInt32BE(length, at) + length;
    }
    return Buffer.from(finished(blocks, inner, size, 'binary'), 'binary');
  };
};

/** HMAC-SHA-256 of a text with one key, as base64url. */
export const signerOf = (key: Buffer): ((text: string) => string) => {
  const blocks = blocksOf(key);
  return (text) => {
    const size = BLOCK_BYTES + Buffer.byteLength(text);
    const inner = blocks.inner(size);
    inner.write(text, BLOCK_BYTES, 'utf8');
    return finished(blocks, inner, size, 'base64url');
  };
};
