/** A citizen without a browser: answers the provider's forms one after the other, as a simple HTML engine would. */
import { type CitizenData, codeIn } from './citizen.ts';
import { atHome, authorizationUrl, type Pkce, pkce } from './relying-party.ts';
import type { RunningTown, ServiceName } from './town.ts';
import { type Answer, Visitor } from './visitor.ts';

const MAX_PAGES = 15;

/** The next form to send on a page, by the fields it has: the first that fits. */
const answerTo = async (
  page: Answer,
  town: RunningTown,
  data: CitizenData,
): Promise<[action: string, values: Record<string, string>]> => {
  const has = (action: string): boolean => page.text.includes(`/${action}"`);
  const [street_address = '', postal_code = '', locality = ''] = data.address ?? [];
  if (has('email-code')) return ['email-code', { code: codeIn((await town.mail.next(data.email ?? '')).text) }];
  if (has('without-email')) return data.email === undefined ? ['without-email', {}] : ['email', { email: data.email }];
  if (has('address'))
    return data.address === undefined
      ? ['without-address', {}]
      : ['address', { street_address, postal_code, locality }];
  if (has('details')) {
    const [year = '', month = '', day = ''] = (data.birthdate ?? '1985-03-27').split('-');
    const all = { given_name: data.givenName, family_name: data.familyName, day, month, year };
    return [
      'details',
      Object.fromEntries(Object.entries(all).filter(([name]) => page.text.includes(`name="${name}"`))),
    ];
  }
  if (has('consent')) {
    const boxes = [...page.text.matchAll(/name="(claim\.[^"]+)"/g)].map(([, name = '']) => [name, 'yes']);
    return ['consent', Object.fromEntries(boxes)];
  }
  if (has('backup-codes')) return ['backup-codes', { confirmed: 'yes' }];
  if (has('kennung')) return ['kennung', {}];
  if (has('new-password')) {
    return ['new-password', { new_password: data.password ?? '', repeated_password: data.password ?? '' }];
  }
  if (has('choose-password')) return ['choose-password', {}];
  if (has('register')) return ['register', {}];
  throw new Error(`no answer to ${page.url.href} (${page.status}):\n${page.text}`);
};

/** Registers with a password and walks to a service's callback; what its address got, and the visitor. */
export const registerAt = async (
  town: RunningTown,
  name: ServiceName,
  data: CitizenData,
  changes: Record<string, string> = {},
): Promise<{ visitor: Visitor; code: string; proof: Pkce; pages: Answer[] }> => {
  const visitor = new Visitor();
  const proof = pkce();
  const home = atHome(town);
  let page = await visitor.open(authorizationUrl(town, name, proof, changes), home);
  const pages = [page];
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const { location } = page.headers;
    if (typeof location === 'string') {
      return { visitor, proof, pages, code: new URL(location).searchParams.get('code') ?? '' };
    }
    const [action, values] = await answerTo(page, town, data);
    page = await visitor.submitTo(page, action, values, home);
    pages.push(page);
  }
  throw new Error(`too many pages, last ${page.url.href}:\n${page.text}`);
};
