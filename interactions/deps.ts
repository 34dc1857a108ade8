import type Koa from 'koa';
import type { Provider } from 'oidc-provider';
import type { Logger } from 'pino';
import type { Context } from '../accounts/context.ts';
import type { AccountId, ClientId } from '../accounts/ids.ts';
import type { RelyingParty } from '../accounts/passkeys.ts';
import type { BreachedList } from '../accounts/password-rules.ts';
import type { PasswordHashing } from '../accounts/passwords.ts';
import type { ServiceSession } from '../accounts/sessions.ts';
import type { Registration, Town } from '../accounts/town.ts';
import type { FleetingStore } from '../adapters/oidc-store.ts';
import type { Sources } from './identity/sources.ts';

/** What the pages need; the provider hands it in, so that they never import it. */
export type PageDeps = {
  readonly provider: () => Provider;
  readonly context: () => Context;
  readonly hashing: PasswordHashing;
  readonly fleeting: FleetingStore;
  /** Identity sources; none unless configured. */
  readonly sources?: Sources | undefined;
  /** Ends the sessions of the member of staff whom the upstream provider has signed out. */
  readonly endStaffSessions?: (issuer: string, subject: string) => Promise<void>;
  readonly town: Town;
  readonly issuer: URL;
  readonly rp: RelyingParty;
  readonly registration: (clientId: string) => Promise<Registration | undefined>;
  readonly registrations: () => Promise<readonly Registration[]>;
  /** Withdraws what a service was allowed, ends its tokens and tells it. */
  readonly withdraw: (account: AccountId, clientId: ClientId) => Promise<{ outcome: 'withdrawn' | 'unknown' }>;
  /** The services that have a session with a citizen now. */
  readonly servicesOf: (account: AccountId) => Promise<readonly ServiceSession[]>;
  /** Only in the sandbox. `deletionSeconds`: how soon a deletion follows there, in place of the fourteen days. */
  readonly sandbox?: { readonly inboxUrl: string; readonly deletionSeconds?: number | undefined };
  /** The operator's list of breached passwords. */
  readonly breached?: BreachedList | undefined;
  /** The provider's running sessions. Ending them tells their services. */
  readonly sessions: {
    list(
      account: AccountId,
    ): Promise<readonly { readonly uid: string; readonly shared: boolean; readonly usedAt: Date }[]>;
    /** Ends one, all but one, or everything: all sessions and all that was granted. How many sessions there were. */
    end(account: AccountId, which?: { readonly only: string } | { readonly except: string }): Promise<number>;
  };
  /** The citizen's network address, behind trusted proxies too. */
  readonly clientAddress: (ctx: Koa.Context) => string;
  /** `patience` multiplies the limits on sign-ins: only where test suites sign in all day. */
  readonly defaults?: { readonly patience?: number };
  /** How many forms an address may send; for load tests from one machine. */
  readonly formsPerAddress?: { readonly limit: number; readonly windowSeconds: number };
  readonly log: Pick<Logger, 'warn' | 'error'>;
};
