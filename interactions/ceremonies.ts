import { randomBytes } from 'node:crypto';
import type { PageDeps } from './deps.ts';
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

/** Where a ceremony takes place: an interaction, or a session at the citizen's own pages. */
type Place = { readonly deps: Pick<PageDeps, 'fleeting'>; readonly uid: string };

const KONTO_SECONDS = 600;

const isVisit = (place: Place): place is Visit => 'interaction' in place;

/** Notes a ceremony under an id of its own, so that two tabs do not take each other's challenge. */
export const begin = async (place: Place, ceremony: Omit<Ceremony, 'uid'>): Promise<string> => {
  const id = randomBytes(32).toString('base64url');
  const seconds = isVisit(place) ? secondsLeft(place) : KONTO_SECONDS;
  await place.deps.fleeting.put(KIND, id, { ...ceremony, uid: place.uid } satisfies Ceremony, seconds);
  return id;
};

/** Takes a ceremony, once; undefined if there is none, or if it is another interaction's or for another purpose. */
export const take = async (place: Place, id: string, purpose: Ceremony['purpose']): Promise<Ceremony | undefined> => {
  if (!ID.test(id)) return undefined;
  const ceremony = await place.deps.fleeting.take<Ceremony>(KIND, id);
  return ceremony?.uid === place.uid && ceremony.purpose === purpose ? ceremony : undefined;
};

/** What the browser answered; undefined if it is no JSON. */
export const parseResponse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
