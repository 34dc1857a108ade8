import { interactionPolicy } from 'oidc-provider';
import { assuranceIsDue, replaceAcrChecks } from './assurance.ts';

const { Check } = interactionPolicy;

const usesClaimedHttps = (redirectUri: unknown): boolean =>
  typeof redirectUri === 'string' && redirectUri.startsWith('https://');

/** What a citizen is asked for, and when: oidc-provider's own policy with the city's additions. */
export function createPolicy(parts: Parameters<typeof assuranceIsDue>[0]): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const login = policy.get('login');
  const consent = policy.get('consent');
  if (login === undefined || consent === undefined) throw new Error('oidc-provider no longer has its default prompts');

  login.checks.add(
    new Check('account_unavailable', 'the account of this session is locked or gone', (ctx) =>
      ctx.oidc.session?.accountId !== undefined && ctx.oidc.account === undefined
        ? Check.REQUEST_PROMPT
        : Check.NO_NEED_TO_PROMPT,
    ),
  );

  replaceAcrChecks(login);
  const isDue = assuranceIsDue(parts);
  login.checks.add(
    new Check('assurance', 'the sign-in does not reach what the service requires', 'login_required', async (ctx) =>
      (await isDue(ctx)) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
    ),
  );

  // RFC 8252 §8.6: a native app proves its identity by a claimed https redirect; only the others are asked each time.
  consent.checks.remove('native_client_prompt');
  consent.checks.add(
    new Check('native_client_prompt', 'native clients require End-User interaction', 'interaction_required', (ctx) =>
      ctx.oidc.client?.applicationType === 'native' &&
      !usesClaimedHttps(ctx.oidc.params?.redirect_uri) &&
      ctx.oidc.result?.consent === undefined
        ? Check.REQUEST_PROMPT
        : Check.NO_NEED_TO_PROMPT,
    ),
  );
  return policy;
}
