import { randomBytes } from 'node:crypto';
import type { Attributes } from '../accounts/attributes.ts';
import { bundIdAttributes } from './bundid-attributes.ts';
import {
  authnRequest,
  type BundIdQuestion,
  type BundIdSettings,
  bundIdMetadata,
  STORK_LEVELS,
} from './bundid-request.ts';
import { type BundIdRefusal, readResponse, Unbelievable } from './bundid-response.ts';

export type { BundIdQuestion, BundIdSettings } from './bundid-request.ts';

export type BundIdAnswer =
  | {
      readonly outcome: 'proven';
      /** bPK2; absent after a temporary login. */
      readonly pseudonym?: string;
      readonly level: (typeof STORK_LEVELS)[keyof typeof STORK_LEVELS];
      readonly attributes: Attributes;
    }
  | BundIdRefusal
  | { readonly outcome: 'untrusted' };

/** The bridge to BundID. Everything passes through the citizen's browser: nothing here waits for anybody. */
export type BundId = {
  readonly idpEntityId: string;
  /** The form that takes a browser to BundID; `requestId` is to be kept and expected in the response. */
  request(
    question: BundIdQuestion,
    language: string,
  ): Promise<{ action: string; samlRequest: string; requestId: string }>;
  /** Reads the response to a request that was taken from its place: none may be answered twice. */
  read(samlResponse: string, requestId: string, question: BundIdQuestion): Promise<BundIdAnswer>;
  metadata(): string;
};

type Parts = {
  readonly now: () => Date;
  /** Whether this name is used for the first time, on any node. */
  readonly once: (mark: string, ttlSeconds: number) => Promise<boolean>;
  readonly log: { warn(details: object, message: string): void };
};

const ASSERTION_SECONDS = 15 * 60;

export const createBundId = (settings: BundIdSettings, { now, once, log }: Parts): BundId => ({
  idpEntityId: settings.idp.entityId,
  async request(question, language) {
    // An xs:ID must not begin with a digit.
    const requestId = `_${randomBytes(20).toString('hex')}`;
    const samlRequest = await authnRequest(settings, requestId, question, language);
    return { action: settings.idp.ssoUrl.href, samlRequest, requestId };
  },
  async read(samlResponse, requestId, question) {
    try {
      const answer = await readResponse(samlResponse, settings, { requestId, now: now() });
      if (answer.outcome === 'refused') return answer;
      if (!(await once(answer.id, ASSERTION_SECONDS))) throw new Unbelievable('assertion seen before');
      if (answer.level < question.level) return { outcome: 'refused', fault: 'level' };
      const pseudonym = answer.values.bpk2;
      return {
        outcome: 'proven',
        level: STORK_LEVELS[answer.level],
        attributes: bundIdAttributes(answer.values),
        ...(pseudonym !== undefined && { pseudonym }),
      };
    } catch (error) {
      if (!(error instanceof Unbelievable)) throw error;
      log.warn({ source: 'bundid', detail: error.message }, 'a response that must not be believed');
      return { outcome: 'untrusted' };
    }
  },
  metadata: () => bundIdMetadata(settings),
});
