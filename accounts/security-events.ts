import { randomInt, randomUUID } from 'node:crypto';
import type { Context } from './context.ts';
import type { AccountId, ClientId } from './ids.ts';
import * as outbox from './outbox.ts';
import type { Registration } from './town.ts';

/** What a service is told about a citizen whom it knows, by its event type. */
export const EVENT_TYPES = {
  /** OpenID RISC Profile 1.0 §2.2. */
  'account-purged': 'https://schemas.openid.net/secevent/risc/event-type/account-purged',
  /** OpenID OAuth Event Types 1.0 §2.2: the citizen has withdrawn the consent, every token of theirs has ended. */
  'tokens-revoked': 'https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked',
} as const;

export type EventKind = keyof typeof EVENT_TYPES;

/** A Security Event Token that a service is to get (RFC 8417); `subject` is the pseudonym it knows. */
export type SecurityEvent = { readonly clientId: ClientId; readonly subject: string; readonly event: EventKind };

export type SecurityEventNotice = SecurityEvent & { readonly id: string };

const TABLE = { table: 'security_events', purpose: 'security event' } as const;
const DAY_SECONDS = 24 * 3600;
/** Over how long the notices of one deletion are spread. */
export const SPREAD_SECONDS = DAY_SECONDS;
/** A service that is away over the holidays still learns of it. */
const LIFE_DAYS = 14;

/**
 * Queues an event for a service that takes them; called within the transaction of the use case. It goes out at a random
 * moment of the next `spreadSeconds`: several services that got it at once would know that they have a citizen in common.
 */
export const enqueue = async (
  ctx: Context,
  account: AccountId,
  service: Pick<Registration, 'organisation' | 'securityEventsUri'> & { readonly clientId: ClientId },
  event: EventKind,
  { spreadSeconds }: { readonly spreadSeconds: number },
): Promise<void> => {
  if (service.securityEventsUri === undefined) return;
  const now = ctx.now().getTime();
  await outbox.insert(ctx, TABLE, {
    id: randomUUID(),
    dueAt: new Date(now + (spreadSeconds > 0 ? randomInt(spreadSeconds * 1000) : 0)),
    expiresAt: new Date(now + LIFE_DAYS * DAY_SECONDS * 1000),
    content: { clientId: service.clientId, subject: ctx.keys.subject(service.organisation, account), event },
  });
};

/** Takes up to `limit` that are due, leased for a minute; parallel callers get different ones. */
export const takeDue = async (ctx: Context, limit: number): Promise<SecurityEventNotice[]> =>
  (await outbox.takeDue<SecurityEvent>(ctx, TABLE, limit)).map(({ id, content }) => ({ ...content, id }));

/** The service has accepted it; the row is removed. */
export const done = (ctx: Context, id: string): Promise<void> => outbox.done(ctx, TABLE, id);

/** The service did not accept it; it is tried again after 5 s, then ever later up to 1 h, for 14 days. */
export const failed = (ctx: Context, id: string, code: string): Promise<void> => outbox.failed(ctx, TABLE, id, code);
