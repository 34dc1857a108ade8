import * as accounts from '../../accounts/accounts.ts';
import type { ClientId } from '../../accounts/ids.ts';
import { sendLogout } from '../logout.ts';
import type { CheckFinding } from './checker.ts';
import type { Call } from './verb.ts';

const CHECK = 'session';

/** As much of it as finds it in the service's log. */
const shown = (sid: string): string => `sid ${sid.slice(0, 12)}…`;

/**
 * Ends the sessions that a fictitious citizen has at a service, by the logout tokens that the end of the real session
 * would send; whether the service has signed them out is for the developer to see there. Undefined if there is no such
 * citizen. Only for the sandbox: nobody ends a real citizen's session to try a service.
 */
export const endLiveSessions = async (
  { ctx, deps }: Pick<Call<unknown>, 'ctx' | 'deps'>,
  clientId: ClientId,
  citizen: string,
): Promise<CheckFinding[] | undefined> => {
  const accountId = await accounts.findByIdentifier(ctx, citizen);
  if (accountId === undefined) return undefined;
  const sessions = (await deps.servicesOf(accountId)).filter((one) => one.clientId === clientId);
  if (sessions.length === 0) return [{ check: CHECK, state: 'warning', code: 'session-none' }];
  return Promise.all(
    sessions.map(async ({ sid }): Promise<CheckFinding> => {
      try {
        await sendLogout(deps.provider(), { clientId, accountId, sid });
        return { check: CHECK, state: 'good', code: 'session-told', value: shown(sid) };
      } catch (error) {
        const status = /got: (\d{3})/.exec((error as Error).message)?.[1] ?? '';
        return { check: CHECK, state: 'bad', code: 'session-not-told', value: `${shown(sid)} ${status}`.trimEnd() };
      }
    }),
  );
};
