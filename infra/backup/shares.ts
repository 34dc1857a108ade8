import { createHash } from 'node:crypto';
import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { combine, split } from 'shamir-secret-sharing';
import { Hindrance } from './settings.ts';

/** People who have a part, and how many of them it takes. */
export const PEOPLE = 3;
export const NEEDED = 2;

const SHARE = /^schluessel-teil-(\d)-([0-9a-f]{8})-([0-9a-f]+)-([0-9a-f]{8})$/;

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);
const IDENTITY = /^AGE-SECRET-KEY-[A-Z0-9-]+$/;

/**
 * A new pair: backups are sealed with the recipient, only the identity opens them. Hybrid (X25519 and ML-KEM-768), so that
 * a backup stolen today stays closed to the computers of tomorrow.
 */
export const newIdentity = async (): Promise<{ identity: string; recipient: string }> => {
  const identity = await generateHybridIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
};

/** Splits an identity among three people, of whom two together have it again, and one alone learns nothing. */
export const splitIdentity = async (identity: string): Promise<string[]> => {
  if (!IDENTITY.test(identity)) throw new Hindrance('That is no identity: it begins with AGE-SECRET-KEY-.');
  const shares = await split(new TextEncoder().encode(identity), PEOPLE, NEEDED);
  const set = checksum(identity);
  return shares.map((share, index) => {
    const text = `schluessel-teil-${index + 1}-${set}-${Buffer.from(share).toString('hex')}`;
    return `${text}-${checksum(text)}`;
  });
};

/** Puts parts together. Typing errors and parts of different sets are told apart, and never a wrong identity comes out. */
export const joinShares = async (parts: readonly string[]): Promise<string> => {
  const read = parts.map((part) => {
    const text = part.trim().toLowerCase().replaceAll(/\s+/g, '');
    const [, number = '', set = '', share = '', check = ''] = SHARE.exec(text) ?? [];
    if (share === '' || checksum(text.slice(0, -9)) !== check)
      throw new Hindrance('A part has a typing error: its check digits do not fit.');
    return { number, set, share };
  });
  if (new Set(read.map(({ set }) => set)).size > 1) throw new Hindrance('The parts belong to different keys.');
  if (new Set(read.map(({ number }) => number)).size < NEEDED)
    throw new Hindrance(`${NEEDED} different parts are needed.`);
  const identity = new TextDecoder().decode(
    await combine(read.map(({ share }) => new Uint8Array(Buffer.from(share, 'hex')))),
  );
  if (!IDENTITY.test(identity) || checksum(identity) !== read[0]?.set)
    throw new Hindrance('The parts do not fit together.');
  return identity;
};
