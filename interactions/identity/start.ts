import type { Level } from '../../accounts/assurance.ts';
import type { BundIdQuestion } from '../../adapters/bundid.ts';
import type { StorkLevel } from '../../adapters/bundid-request.ts';
import type { CardQuestion } from '../../adapters/eid-source.ts';
import type { Progress } from '../progress.ts';
import { faulty, type Outcome, type Post, type Visit } from '../visit.ts';
import * as exchanges from './exchanges.ts';
import type { SourceName } from './sources.ts';
import { bundIdReadsFor, cardQuestionFor } from './sources.ts';

/** The administration is signed in to by passkeys alone: another provider's word would be a way around them. */
const ADMINISTRATION = 'verwaltung';

/** Whether a source may be used here: citizens' at citizens' services, the staff's at services for staff. */
export const isOffered = ({ registration }: Visit, source: SourceName): boolean =>
  source === 'upstream'
    ? registration.staff === true && registration.clientId !== ADMINISTRATION
    : registration.staff !== true;

const pageOf = ({ uid }: Visit): string => `/interaction/${uid}`;

const unavailable = (): Outcome => faulty([{ code: 'identity', identity: 'unavailable' }]);

const away = (source: SourceName, id: string, door?: string): Outcome => ({
  go: 'on',
  apply: (progress): Progress => ({ ...progress, exchange: { source, id, ...(door !== undefined && { door }) } }),
});

/** Whether another card is the same person's new one, only name and date of birth can tell. */
export const TO_COMPARE: CardQuestion['read'] = ['names', 'birthdate'];

/** What a card is asked at this page: for a sign-in its pseudonym and nothing else. */
const cardQuestion = (visit: Visit, communityId: string): CardQuestion => {
  if (visit.step === 'details') return cardQuestionFor(visit.needs.missing, communityId);
  return { read: visit.step === 'link' ? TO_COMPARE : [] };
};

const eid = async (visit: Visit): Promise<Outcome> => {
  const source = visit.deps.sources?.eid;
  if (source === undefined || !source.up()) return unavailable();
  const question = cardQuestion(visit, source.communityId);
  const id = await exchanges.begin(visit.deps, visit.ctx, pageOf(visit), { source: 'eid', question });
  return away('eid', id, await exchanges.openDoor(visit.deps.fleeting, 'tc-token', id));
};

/** Attributes count from a means of identification on; for a sign-in that needs no more, BundID's password will do. */
const storkLevel = (needed: Level, proofing: boolean): StorkLevel => {
  if (needed === 'high') return 4;
  return needed === 'substantial' || proofing ? 3 : 1;
};

const bundid = async (visit: Visit): Promise<Outcome> => {
  const source = visit.deps.sources?.bundid;
  if (source === undefined) return unavailable();
  const proofing = visit.step === 'details';
  const comparing = visit.step === 'link';
  const question: BundIdQuestion = {
    level: storkLevel(visit.levelNeeded, proofing || comparing),
    // A temporary login can confirm attributes, but nobody can sign in again with it.
    pseudonym: !proofing,
    read: proofing ? bundIdReadsFor(visit.needs.missing) : comparing ? TO_COMPARE : [],
  };
  const { action, samlRequest, requestId } = await source.request(question, visit.shell.language);
  const asked = { source: 'bundid', question, requestId, samlRequest, action } as const;
  const id = await exchanges.begin(visit.deps, visit.ctx, pageOf(visit), asked);
  return away('bundid', id, await exchanges.openDoor(visit.deps.fleeting, 'bundid-relay', id));
};

const upstream = async (visit: Visit): Promise<Outcome> => {
  const source = visit.deps.sources?.upstream;
  if (source === undefined || !source.up()) return unavailable();
  const begun = await source.begin();
  if (begun.outcome !== 'begun') return unavailable();
  const asked = { source: 'upstream', pending: begun.pending, url: begun.url } as const;
  const id = await exchanges.begin(visit.deps, visit.ctx, pageOf(visit), asked);
  await exchanges.openDoor(visit.deps.fleeting, 'upstream-state', id, { state: begun.pending.state });
  return away('upstream', id);
};

/** The forms that lead to a source; every page that offers sources has them. */
export const sourcePosts: Readonly<Record<SourceName, Post>> = {
  eid: { fields: [], handle: async (visit) => (isOffered(visit, 'eid') ? eid(visit) : unavailable()) },
  bundid: { fields: [], handle: async (visit) => (isOffered(visit, 'bundid') ? bundid(visit) : unavailable()) },
  upstream: { fields: [], handle: async (visit) => (isOffered(visit, 'upstream') ? upstream(visit) : unavailable()) },
};
