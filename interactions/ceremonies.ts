import { randomBytes } from 'node:crypto';
import { secondsLeft, type Visit } from './visit.ts';

/** A WebAuthn ceremony under way: its challenge, and what it may be used for. */
export type Ceremony = {
  readonly uid: string;
  readonly purpose: 'sign-in' | 'creation';
  readonly challenge: string;
  /** For a creation: the WebAuthn user id in base64url. */
  readonly handle?: string;
};

const KIND = 'Ceremony';
const ID = /^[A-Za-z0-9_-]{43}$/;

/** Notes a ceremony under an id of its own, so that two tabs do not take each other's challenge. */
export const begin = async (visit: Visit, ceremony: Omit<Ceremony, 'uid'>): Promise<string> => {
  const id = randomBytes(32).toString('base64url');
  await visit.deps.fleeting.put(KIND, id, { ...ceremony, uid: visit.uid } satisfies Ceremony, secondsLeft(visit));
  return id;
};

/** Takes a ceremony, once; undefined if there is none, or if it is another interaction's or for another purpose. */
export const take = async (visit: Visit, id: string, purpose: Ceremony['purpose']): Promise<Ceremony | undefined> => {
  if (!ID.test(id)) return undefined;
  const ceremony = await visit.deps.fleeting.take<Ceremony>(KIND, id);
  return ceremony?.uid === visit.uid && ceremony.purpose === purpose ? ceremony : undefined;
};

/** What the browser answered; undefined if it is no JSON. */
export const parseResponse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
