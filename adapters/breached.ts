import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** A list of breached passwords that is open; to be closed once. */
export type OpenBreachedList = { readonly has: (sha1: string) => Promise<boolean>; readonly close: () => void };

const HASH_LENGTH = 40;
/** A line is a hash, a colon and a count; the longest one is far shorter. */
const WINDOW_BYTES = 256;

/**
 * Opens a list of SHA-1 hashes in upper-case hex, one on each line, sorted, each followed by anything (`HASH:COUNT`, as
 * Have I Been Pwned offers them for download). It may be far larger than the memory: a look-up reads some 35 places.
 * Throws if the file cannot be opened or does not begin with a hash.
 */
export const openBreachedList = (path: string): OpenBreachedList => {
  const file = openSync(path, 'r');
  const { size } = fstatSync(file);
  const buffer = Buffer.alloc(WINDOW_BYTES);

  /** The first whole line that begins at or after `offset`: where it begins, and its hash. */
  const lineAt = (offset: number): { start: number; hash: string } | undefined => {
    const read = readSync(file, buffer, 0, WINDOW_BYTES, Math.max(0, offset - 1));
    const text = buffer.toString('latin1', 0, read);
    const skip = offset === 0 ? 0 : text.indexOf('\n') + 1;
    if (offset !== 0 && skip === 0) return undefined;
    const hash = text.slice(skip, skip + HASH_LENGTH);
    return hash.length === HASH_LENGTH
      ? { start: Math.max(0, offset - 1) + skip, hash: hash.toUpperCase() }
      : undefined;
  };

  if (!/^[0-9A-F]{40}$/.test(lineAt(0)?.hash ?? '')) {
    closeSync(file);
    throw new Error('it does not begin with a SHA-1 hash');
  }
  return {
    has: async (sha1) => {
      let low = 0;
      let high = size;
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const line = lineAt(middle);
        if (line === undefined || line.start >= high || line.hash >= sha1) {
          if (line?.hash === sha1) return true;
          high = middle;
        } else low = line.start + 1;
      }
      return lineAt(low)?.hash === sha1;
    },
    close: () => closeSync(file),
  };
};
