import ipaddr from 'ipaddr.js';
import type Koa from 'koa';
import type { Account } from '../accounts/accounts.ts';
import { inTransaction } from '../accounts/context.ts';
import * as correspondence from '../accounts/correspondence.ts';
import * as devices from '../accounts/devices.ts';
import { coarseDevice } from '../accounts/session-notes.ts';
import type { PageDeps } from './deps.ts';
import { type Fragment, html } from './html.ts';
import { inLanguage, languageFor, textsIn } from './language.ts';
import { dayAndTime } from './texts/letters.ts';
import type { Visit } from './visit.ts';

const COOKIE_DAYS = 400; // browsers keep none longer
const DAY_SECONDS = 86_400;

const cookieName = (issuer: URL): string => (issuer.protocol === 'https:' ? '__Host-device' : 'device');

/** The id of this browser, if it has one. */
export const deviceOf = (ctx: Koa.Context, deps: Pick<PageDeps, 'issuer'>): string | undefined =>
  devices.parseDevice(ctx.cookies.get(cookieName(deps.issuer)));

const within = (address: string, ranges: readonly string[]): boolean => {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return ranges.some((text) => {
    const [range, bits] = ipaddr.parseCIDR(text);
    return range.kind() === parsed.kind() && parsed.match(range, bits);
  });
};

/** Whether the request comes from a network of public computers, where nothing may be left behind. */
export const isSharedNetwork = ({ ctx, deps }: Pick<Visit, 'ctx' | 'deps'>): boolean =>
  within(deps.clientAddress(ctx), deps.town.sharedNetworks ?? []);

/** At a public computer: that a passkey belongs on something of one's own. */
export const notHere = (asking: Pick<Visit, 'ctx' | 'deps' | 't'>): Fragment =>
  isSharedNetwork(asking) && html`<p class="kern-body"><strong>${asking.t.signInMore.notHere}</strong></p>`;

/** Whether others use this computer too: the citizen says so, or the network does. */
export const isShared = (visit: Pick<Visit, 'ctx' | 'deps' | 'progress'>): boolean =>
  visit.progress.shared === true || isSharedNetwork(visit);

/** A citizen without e-mail who signs in at libraries gets no letter for each visit. */
const LETTER_EVERY_DAYS = 30;

const newDeviceMessage = (visit: Visit, account: Account, name: string): correspondence.Message => {
  const language = languageFor(account.language);
  const t = textsIn(language).notices;
  const device = name || t.unknownDevice;
  const time = dayAndTime(visit.domain.now(), language);
  return {
    subject: t.newDeviceSubject,
    text: t.newDevice(device, time, `${visit.deps.issuer.origin}/konto`, inLanguage(visit.deps.town.name, language)),
  };
};

const introduce = (visit: Visit, account: Account, browser: devices.Browser): Promise<void> =>
  inTransaction(visit.domain, async (tx) => {
    const met = await devices.remember(tx, account.id, browser);
    if (met !== 'new') return;
    await correspondence.tell(tx, account, newDeviceMessage(visit, account, browser.name), {
      letterEveryDays: LETTER_EVERY_DAYS,
    });
  });

/** Notes the browser after a sign-in, and tells the citizen of one that was never used before. */
export const meetDevice = async (visit: Visit, account: Account, keep: boolean): Promise<void> => {
  const { ctx, deps, domain } = visit;
  const device = deviceOf(ctx, deps) ?? devices.newDevice();
  const name = coarseDevice(ctx.get('user-agent'));
  const signedIn = visit.interaction.session?.accountId === account.id;
  const again = keep && (await devices.meetAgain(domain, account.id, device));
  if (!again) await introduce(visit, account, { id: device, name, keep, signedIn });
  if (!keep) return;
  const secure = deps.issuer.protocol === 'https:';
  const parts = [`${cookieName(deps.issuer)}=${device}`, 'Path=/', 'HttpOnly', 'SameSite=Lax'];
  ctx.append(
    'Set-Cookie',
    [...parts, `Max-Age=${COOKIE_DAYS * DAY_SECONDS}`, ...(secure ? ['Secure'] : [])].join('; '),
  );
};
