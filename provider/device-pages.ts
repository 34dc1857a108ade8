import type { Client, Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { errors } from 'oidc-provider';
import type { Town } from '../accounts/town.ts';
import { deviceCodePage, deviceConfirmPage, deviceDonePage } from '../interactions/device.view.ts';
import { sendPage, shellOf } from '../interactions/http.ts';
import { inLanguage } from '../interactions/language.ts';
import { logoutFormToken } from './logout.ts';
import type { Registrations } from './registrations.ts';

type DeviceFlow = NonNullable<NonNullable<Configuration['features']>['deviceFlow']>;

type DevicePageParts = { town: Town; sandbox: { inboxUrl: string } | undefined; registrations: Registrations };

/** What oidc-provider throws when a code cannot be used; its names are no part of its types. */
const faultOf = (error: unknown): 'wrong' | 'aborted' | undefined => {
  if (error === undefined) return undefined;
  return (error as Error).name === 'AbortedError' ? 'aborted' : 'wrong';
};

/** The pages on which a citizen connects a device (RFC 8628 §3.3): enter the code, look at who asks, done. */
export function createDeviceFlow({ town, sandbox, registrations }: DevicePageParts): DeviceFlow {
  const shell = (ctx: KoaContextWithOIDC) => shellOf(ctx, { town, ...(sandbox && { sandbox }) });
  const form = (ctx: KoaContextWithOIDC) => ({
    action: ctx.oidc.urlFor('code_verification'),
    xsrf: logoutFormToken(ctx),
  });
  const names = (ctx: KoaContextWithOIDC, client: Client) => {
    const registration = registrations.find(client.clientId);
    const organisation = town.organisations.find(({ id }) => id === registration?.organisation);
    const { language } = shell(ctx);
    return {
      service: registration === undefined ? client.clientId : inLanguage(registration.name, language),
      organisation: organisation === undefined ? '' : inLanguage(organisation.name, language),
    };
  };
  return {
    enabled: true,
    charset: 'base-20',
    mask: '****-****',
    // Where the device is and what it is: nobody needs that, so nobody keeps it.
    deviceInfo: () => ({}),
    userCodeInputSource(ctx, _form, _out, error) {
      if (error !== undefined && error instanceof errors.OIDCProviderError && faultOf(error) === undefined) throw error;
      const session = ctx.oidc.session as { exp?: number; touched?: boolean } | undefined;
      // An address of somebody's earlier visit, in a browser without a session: oidc-provider fails to keep the one that it
      // made up for the form. The page for the code makes one that it can keep.
      if (session !== undefined && session.exp === undefined && ctx.oidc.route === 'device_resume') {
        session.touched = false;
        ctx.status = 303;
        ctx.redirect(ctx.oidc.urlFor('code_verification'));
        return;
      }
      sendPage(ctx, 200, deviceCodePage(shell(ctx), form(ctx), faultOf(error)));
    },
    userCodeConfirmSource(ctx, _form, client, _info, userCode) {
      sendPage(ctx, 200, deviceConfirmPage(shell(ctx), form(ctx), { ...names(ctx, client), userCode }));
    },
    successSource(ctx) {
      const client = ctx.oidc.client;
      sendPage(ctx, 200, deviceDonePage(shell(ctx), client === undefined ? '' : names(ctx, client).service));
    },
  };
}
