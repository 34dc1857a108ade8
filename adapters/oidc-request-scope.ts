import type { AdapterPayload } from 'oidc-provider';
import type { StoredSession } from './oidc-session-merge.ts';
import type { AccountPart } from './oidc-store.ts';
import { requestContext } from './request-context.ts';

/** A token, code or the like, as read. */
export type ArtifactRow = {
  readonly id: Buffer;
  readonly model: string;
  readonly sealed: Buffer;
  readonly grantId: Buffer | null;
  readonly sessionUid: Buffer | null;
  readonly version: number;
  readonly consumedAt: Date | null;
  readonly expiresAt: Date;
};

/** A session, as read; opened at first need. */
export type SessionRow = {
  readonly uid: Buffer;
  readonly sealed: Buffer;
  readonly version: number;
  readonly savedAt: Date;
  opened?: StoredSession;
};

/** An artifact to be written. `base`: the version this request had read, where a change in between must be refused. */
export type Insert = {
  readonly table: 'oidc_lasting' | 'oidc_fleeting';
  readonly model: string;
  readonly id: Buffer;
  readonly sealed: Buffer;
  readonly grantId: Buffer | null;
  readonly sessionUid: Buffer | null;
  readonly userCode: Buffer | null;
  readonly base: number | null;
  readonly expiresAt: Date;
};

/** A session to be written: new (no `version`), or in place of the version read before. */
export type SessionWrite = {
  readonly uid: Buffer;
  readonly accountId: string | null;
  readonly grants: Buffer[];
  readonly sealed: Buffer;
  readonly expiresAt: Date;
  readonly version?: number;
  /** The id of the cookie, where it must be made to point to the session. */
  readonly bind?: Buffer;
  readonly unbind?: Buffer;
};

/** Writes of one request that go out together. */
export type Batch = {
  consume?: { table: 'oidc_lasting' | 'oidc_fleeting' | 'oidc_spent'; model: string; id: Buffer; expiresAt?: Date };
  /** The grant that everything in this batch hangs on. */
  grant?: Buffer;
  /** A session that must still be there. */
  guard?: Buffer;
  session?: SessionWrite;
  inserts: Insert[];
};

export const keyOf = (handle: Buffer): string => handle.toString('latin1');

const DONE = Promise.resolve();

/** What one HTTP request has read, and what it is about to write. */
export class RequestScope {
  /** How much of the account is read along. */
  readonly part: AccountPart;

  constructor(part: AccountPart = 'whole') {
    this.part = part;
  }

  /** By handle; null: it is not there. */
  readonly artifacts = new Map<string, Promise<ArtifactRow | null>>();
  readonly grants = new Map<string, Buffer | null>();
  /** Families of the grants in `grants`. */
  readonly families = new Map<string, number>();
  readonly sessions = new Map<string, SessionRow | null>();
  /** Handle of the cookie's id → uid. */
  readonly sessionIds = new Map<string, Buffer>();
  readonly accounts = new Map<string, unknown>();
  readonly revocations = new Map<string, Promise<void>>();
  /** What was found last of each artifact bound to a session; `findByUid` answers for these. */
  readonly tokens: AdapterPayload[] = [];
  batch: Batch = { inserts: [] };
  /** When the oldest proof of this request says that it was issued, in seconds. */
  proofIssuedAt: number | undefined;
  /** The session whose id was given up: it is either saved under a new one or, if the request ends so, over. */
  endedSession: Buffer | undefined;
  /** Statements go out one after another: the last one, and how many have not been answered. */
  flushing: Promise<void> = DONE;
  underWay = 0;
  /** The request is over: what it has set off counts as work of its own. */
  ended = false;
}

/** The scope of the request under way; undefined outside of one. */
export const requestScope = (): RequestScope | undefined => {
  const scope = requestContext()?.scope;
  return scope?.ended === false ? scope : undefined;
};
