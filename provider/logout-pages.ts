import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Town } from '../accounts/town.ts';
import { sendPage, shellOf } from '../interactions/http.ts';
import { loggedOutPage, logoutPage } from '../interactions/layout.view.ts';
import { type LogoutPages, logoutFormToken } from './logout.ts';

type LogoutPageParts = { town: Town; sandbox: { inboxUrl: string } | undefined };

/** The two pages of a sign-out. oidc-provider hands over its form as markup; ours needs only the secret in it. */
export function createLogoutPages({ town, sandbox }: LogoutPageParts): LogoutPages {
  const shell = (ctx: KoaContextWithOIDC) =>
    shellOf(ctx, { town, ...(sandbox && { sandbox }) }, ctx.oidc.params?.['ui_locales']);
  return {
    logoutSource(ctx) {
      const form = { action: ctx.oidc.urlFor('end_session_confirm'), xsrf: logoutFormToken(ctx) };
      sendPage(ctx, 200, logoutPage(shell(ctx), form));
    },
    postLogoutSuccessSource(ctx) {
      // oidc-provider names the service only after a refusal to end the whole session.
      sendPage(ctx, 200, loggedOutPage(shell(ctx), { stayed: ctx.oidc.client !== undefined }));
    },
  };
}
