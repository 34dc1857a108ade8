import { generateKeyPairSync } from 'node:crypto';
import { isoCBOR } from '@simplewebauthn/server/helpers';
import type { Context } from './context.ts';

/** What stands in for passkeys that do not exist, so that nobody learns by options, answers or times who has an account. */

type Named = { readonly credentialId: string; readonly transports: readonly string[] };

const TRANSPORTS: readonly (readonly string[])[] = [['hybrid', 'internal'], ['internal'], ['nfc', 'usb']];
const LONG_BYTES = 32;
const SHORT_BYTES = 16;

/** The second half is a keyed hash of the first: an id can be told to be made up by us alone. */
const markOf = (ctx: Context, head: Buffer): Buffer =>
  ctx.keys.index('passkey decoy mark', head.toString('base64url')).subarray(0, head.length);

const madeUp = (ctx: Context, seed: Buffer, length: number): Buffer => {
  const head = seed.subarray(0, length / 2);
  return Buffer.concat([head, markOf(ctx, head)]);
};

/** What an identifier without passkeys is answered: the same made-up ids each time, for this identifier alone. */
export const decoysFor = (ctx: Context, identifier: string): Named[] => {
  const dice = ctx.keys.index('passkey decoy', identifier);
  const count = (dice[0] ?? 0) < 192 ? 1 : 2;
  return Array.from({ length: count }, (_, position) => {
    const seed = ctx.keys.index('passkey decoy id', `${position} ${identifier}`);
    const short = (dice[1 + position] ?? 0) < 64;
    return {
      credentialId: madeUp(ctx, seed, short ? SHORT_BYTES : LONG_BYTES).toString('base64url'),
      transports: TRANSPORTS[(dice[3 + position] ?? 0) % TRANSPORTS.length] ?? [],
    };
  });
};

/** Whether an id is one of those made up here. */
export const isDecoy = (ctx: Context, credentialId: string): boolean => {
  const id = Buffer.from(credentialId, 'base64url');
  if (id.length !== LONG_BYTES && id.length !== SHORT_BYTES) return false;
  const half = id.length / 2;
  return id.subarray(half).equals(markOf(ctx, id.subarray(0, half)));
};

let standIn: Buffer | undefined;

/** A COSE key (ES256) that nobody has the private half of: what an unknown passkey's signature is checked against. */
export const standInKey = (): Buffer => {
  if (standIn !== undefined) return standIn;
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64url'));
  // RFC 9052 §7: key type EC2, algorithm ES256, curve P-256, both coordinates.
  const key = new Map<number, number | Uint8Array>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, bytes(x)],
    [-3, bytes(y)],
  ]);
  standIn = Buffer.from(isoCBOR.encode(key as Parameters<typeof isoCBOR.encode>[0]));
  return standIn;
};
