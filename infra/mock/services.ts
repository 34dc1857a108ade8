import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CLAIM_CATALOGUE } from '../../accounts/claims.ts';
import type { Registration, Text, Town } from '../../accounts/town.ts';
import { formatTownFault, readServices } from '../../adapters/town.ts';
import { Obstacle } from '../sandbox/obstacle.ts';
import type { MockOptions } from './options.ts';

const PURPOSE: Text = { de: 'Erprobung eines Dienstes', en: 'Trying out a service' };
const LEGAL_BASIS: Text = { de: 'keine, erfundene Personen', en: 'none, fictitious persons' };
/** What a citizen who refuses everything voluntary still gives. */
const REQUIRED = new Set(['given_name', 'family_name']);

const everyClaim = (): Registration['claims'] =>
  Object.keys(CLAIM_CATALOGUE).map((claim) => ({
    claim,
    purpose: PURPOSE,
    legalBasis: LEGAL_BASIS,
    required: REQUIRED.has(claim),
  }));

const PLAIN = {
  name: { de: 'Mein Dienst', en: 'My service' },
  description: { de: 'Ein Dienst im Test', en: 'A service under test' },
  kind: 'web',
  token_endpoint_auth_method: 'client_secret_basic',
  refresh_tokens: true,
  contacts: ['test@example.org'],
} as const;

/** A service in the words of its file, with what a test does not care about filled in; or what is wrong with it. */
export const readService = (
  town: Town,
  file: Readonly<Record<string, unknown>>,
): { registration: Registration } | { faults: string[] } => {
  const full = { ...PLAIN, organisation: town.organisations[0]?.id, ...file };
  const read = readServices(
    town,
    [{ name: `${String(full['client_id' as never])}.yaml`, text: JSON.stringify(full) }],
    {
      localhost: true,
    },
  );
  if ('faults' in read)
    return {
      faults: read.faults.map(({ reason, example }) => `${reason}${example === undefined ? '' : ` (${example})`}`),
    };
  const [registration] = read.registrations;
  if (registration === undefined) return { faults: ['nothing to register'] };
  return { registration: file['claims'] === undefined ? { ...registration, claims: everyClaim() } : registration };
};

/** The services that are there from the start. */
export const servicesOf = (town: Town, options: MockOptions): Registration[] => {
  const { services, redirectUris, postLogoutRedirectUris, backchannelLogoutUri } = options;
  const own = readService(town, {
    client_id: 'meindienst',
    redirect_uris: redirectUris,
    post_logout_redirect_uris: postLogoutRedirectUris,
    ...(backchannelLogoutUri !== undefined && { backchannel_logout_uri: backchannelLogoutUri }),
  });
  if ('faults' in own) throw new Obstacle(`The service meindienst cannot be registered:\n  ${own.faults.join('\n  ')}`);
  return services === undefined ? [own.registration] : [own.registration, ...fromFiles(town, services)];
};

const fromFiles = (town: Town, path: string): Registration[] => {
  const folder = statSync(path, { throwIfNoEntry: false });
  if (folder === undefined) throw new Obstacle(`--services ${path} does not exist.`);
  const files = folder.isDirectory()
    ? readdirSync(path)
        .filter((name) => /\.ya?ml$/.test(name))
        .sort()
        .map((name) => join(path, name))
    : [path];
  const texts = files.map((file) => ({ name: basename(file), text: readFileSync(file, 'utf8') }));
  const read = readServices(town, texts, { localhost: true });
  if ('registrations' in read) return read.registrations;
  throw new Obstacle(read.faults.map((fault) => formatTownFault(fault)).join('\n'));
};
