import ipaddr from 'ipaddr.js';
import type { Registration, Text, Town } from '../accounts/town.ts';
import { checkResource } from './api-rules.ts';
import { checkLeastData } from './claim-rules.ts';
import type { TownSource } from './town-source.ts';

/** `localhost`: http addresses of this machine are fine (the sandbox only). */
export type TownOptions = { readonly localhost: boolean };

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);
/** Reverse-domain schemes of apps, RFC 8252 §7.1. */
const APP_SCHEME = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/;
/** Members of a JWK that hold private or symmetric key material, RFC 7518 §6. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** Notes what the schema cannot see in the town's own file. */
export const checkTown = (source: TownSource, town: Town): void => {
  if (!town.languages.includes('de'))
    source.fault(['languages'], 'de must be among the languages', 'languages: [de, en]');
  checkText(source, ['name'], town.name, town.languages);
  checkText(source, ['office', 'name'], town.office.name, town.languages);
  checkText(source, ['office', 'hours'], town.office.hours, town.languages);
  for (const [name, address] of Object.entries(town.pages)) {
    const reason = httpsFault(address, { localhost: false });
    if (reason !== undefined)
      source.fault(['pages', name], `pages.${name} ${reason}`, 'https://www.stadt.example/impressum');
  }
  for (const [index, range] of (town.sharedNetworks ?? []).entries()) {
    if (!ipaddr.isValidCIDR(range)) {
      source.fault(
        ['shared_networks', index],
        `${range} is no range of addresses`,
        "shared_networks: ['192.0.2.0/24']",
      );
    }
  }
  for (const [index, organisation] of town.organisations.entries()) {
    checkText(source, ['organisations', index, 'name'], organisation.name, town.languages);
    const first = town.organisations.findIndex(({ id }) => id === organisation.id);
    if (first !== index) {
      source.fault(
        ['organisations', index, 'id'],
        `the id ${organisation.id} is used twice; every organisation needs its own`,
      );
    }
  }
};

/** Notes what the schema cannot see in a service's file. `fileName` is without its extension. */
export const checkService = (
  source: TownSource,
  service: Registration,
  town: Town | undefined,
  fileName: string,
  options: TownOptions,
): void => {
  if (service.clientId !== fileName) {
    source.fault(['client_id'], `the file must be named after its client_id: ${service.clientId}.yaml`);
  }
  if (town !== undefined) {
    checkTexts(source, service, town.languages);
    const ids = town.organisations.map(({ id }) => id);
    if (!ids.includes(service.organisation)) {
      const reason = `the organisation ${service.organisation} is not in town.yaml; there are: ${ids.join(', ')}`;
      source.fault(['organisation'], reason, `organisation: ${ids[0] ?? 'stadt'}`);
    }
  }
  checkAddresses(source, service, options);
  checkAuthentication(source, service);
  for (const [index, { claim }] of service.claims.entries()) {
    if (service.claims.findIndex((other) => other.claim === claim) !== index) {
      source.fault(['claims', index, 'claim'], `the claim ${claim} is named twice`);
    }
  }
  checkLeastData(source, service);
  checkResource(source, service);
  if (service.staff === true && service.claims.length > 0)
    source.fault(['claims'], 'a service for staff gets a pseudonym and nothing else: leave claims out, or staff');
  if (service.needsEmail && !service.claims.some(({ claim }) => claim === 'email')) {
    source.fault(
      ['needs_email'],
      'needs_email without the claim email: name the claim with its purpose, or leave needs_email out',
    );
  }
};

const checkTexts = (source: TownSource, service: Registration, languages: readonly string[]): void => {
  checkText(source, ['name'], service.name, languages);
  checkText(source, ['description'], service.description, languages);
  for (const [index, use] of service.claims.entries()) {
    checkText(source, ['claims', index, 'purpose'], use.purpose, languages);
    checkText(source, ['claims', index, 'legal_basis'], use.legalBasis, languages);
    if (use.rawBecause !== undefined) checkText(source, ['claims', index, 'raw_because'], use.rawBecause, languages);
  }
  for (const [index, use] of (service.apis ?? []).entries()) {
    checkText(source, ['apis', index, 'purpose'], use.purpose, languages);
    checkText(source, ['apis', index, 'legal_basis'], use.legalBasis, languages);
  }
};

const checkText = (source: TownSource, path: (string | number)[], text: Text, languages: readonly string[]): void => {
  const what = path.filter((part) => typeof part === 'string').join('.');
  for (const language of languages) {
    if (text[language]?.trim()) continue;
    if (text[language] === undefined && language === 'de') continue; // the schema has said so
    source.fault(path, `${what} has no text in ${language}, a language of the town`, `${language}: …`);
  }
  for (const language of Object.keys(text)) {
    if (languages.includes(language)) continue;
    source.faultAtKey(path, language, `${what}: ${language} is not a language of the town (${languages.join(', ')})`);
  }
};

const checkAddresses = (source: TownSource, service: Registration, options: TownOptions): void => {
  const example =
    service.kind === 'native' ? 'https://app.stadt.example/callback' : 'https://katalog.stadt.example/callback';
  const wantsRedirects = service.kind === 'web' || service.kind === 'spa' || service.kind === 'native';
  if (wantsRedirects && service.redirectUris.length === 0) {
    source.fault(
      [],
      `redirect_uris is missing: a service of kind ${service.kind} needs one or more`,
      `redirect_uris: [${example}]`,
    );
  }
  const lists = { redirect_uris: service.redirectUris, post_logout_redirect_uris: service.postLogoutRedirectUris };
  for (const [field, uris] of Object.entries(lists)) {
    for (const [index, uri] of uris.entries()) {
      const reason = redirectFault(uri, service.kind, options);
      if (reason !== undefined) source.fault([field, index], `${field}: ${uri} ${reason}`, `- ${example}`);
    }
  }
  const single = {
    client_uri: service.homepage,
    initiate_login_uri: service.initiateLoginUri,
    backchannel_logout_uri: service.backchannelLogoutUri,
    security_events_uri: service.securityEventsUri,
    jwks_uri: service.jwksUri,
  };
  for (const [field, uri] of Object.entries(single)) {
    const reason = uri === undefined ? undefined : httpsFault(uri, options);
    if (reason !== undefined)
      source.fault([field], `${field}: ${uri} ${reason}`, `${field}: https://katalog.stadt.example/…`);
  }
  if (service.backchannelLogoutUri !== undefined && service.kind !== 'web') {
    source.fault(['backchannel_logout_uri'], 'only a service of kind web has a server that can receive logout tokens');
  }
  if (service.corsOrigins.length > 0 && service.kind !== 'spa') {
    source.fault(['cors_origins'], 'only a service of kind spa calls from a browser; leave cors_origins out');
  }
  for (const [index, origin] of service.corsOrigins.entries()) {
    const reason = httpsFault(origin, options);
    const exact = URL.canParse(origin) && new URL(origin).origin === origin;
    if (reason === undefined && exact) continue;
    source.fault(
      ['cors_origins', index],
      `cors_origins: ${origin} ${reason ?? 'must be an origin, without path'}`,
      '- https://karte.stadt.example',
    );
  }
};

const checkAuthentication = (source: TownSource, service: Registration): void => {
  const { kind, authMethod } = service;
  if ((kind === 'spa' || kind === 'native') && authMethod !== 'none') {
    const reason = `a service of kind ${kind} cannot keep a secret, so its token_endpoint_auth_method is none`;
    source.fault(['token_endpoint_auth_method'], reason, 'token_endpoint_auth_method: none');
  }
  if ((kind === 'web' || kind === 'api') && authMethod === 'none') {
    const reason = `a service of kind ${kind} must authenticate; none is for apps and single-page apps`;
    source.fault(['token_endpoint_auth_method'], reason, 'token_endpoint_auth_method: client_secret_basic');
  }
  if (service.jwks !== undefined && service.jwksUri !== undefined) {
    source.fault(['jwks_uri'], 'give jwks or jwks_uri, not both (RFC 7591 §2)');
  }
  if (authMethod === 'private_key_jwt' && service.jwks === undefined && service.jwksUri === undefined) {
    const reason = 'private_key_jwt needs the public keys of the service: jwks or jwks_uri';
    source.fault(['token_endpoint_auth_method'], reason, 'jwks_uri: https://katalog.stadt.example/jwks.json');
  }
  checkCertificates(source, service);
  checkSecurityProfile(source, service);
  for (const [index, key] of (service.jwks?.keys ?? []).entries()) {
    const secret = PRIVATE_MEMBERS.find((member) => member in key);
    if (secret === undefined) continue;
    source.fault(
      ['jwks', 'keys', index],
      `the key holds private material (${secret}); leave only the public part, and replace the key: it is known now`,
    );
  }
  checkExemptions(source, service);
};

const checkExemptions = (source: TownSource, service: Registration): void => {
  const { authMethod, pkceExemption, audienceExemption } = service;
  if (pkceExemption !== undefined && authMethod === 'none')
    source.fault(['pkce_exemption'], 'a client without authentication can never do without PKCE (RFC 9700 §2.1.1)');
  if (audienceExemption !== undefined && authMethod !== 'private_key_jwt')
    source.fault(['audience_exemption'], `${authMethod} sends no assertion; leave audience_exemption out`);
  for (const [name, exemption] of Object.entries({
    pkce_exemption: pkceExemption,
    audience_exemption: audienceExemption,
  })) {
    if (exemption !== undefined && !isDay(exemption.until))
      source.fault([name, 'until'], 'until is not a day of the calendar', 'until: "2027-06-30"');
  }
};

const checkCertificates = (source: TownSource, service: Registration): void => {
  const { authMethod, tlsSubject } = service;
  if (authMethod === 'tls_client_auth' && tlsSubject === undefined) {
    const reason = 'tls_client_auth needs the name in the certificate: tls_client_auth_san_dns or one of its siblings';
    source.fault(['token_endpoint_auth_method'], reason, 'tls_client_auth_san_dns: katalog.stadt.example');
  }
  if (authMethod !== 'tls_client_auth' && tlsSubject !== undefined)
    source.fault(['token_endpoint_auth_method'], 'the name of a certificate is for tls_client_auth only');
  const keys = service.jwks?.keys ?? [];
  if (
    authMethod === 'self_signed_tls_client_auth' &&
    service.jwksUri === undefined &&
    !keys.some((key) => 'x5c' in key)
  )
    source.fault(
      ['token_endpoint_auth_method'],
      'self_signed_tls_client_auth needs the certificate (x5c) in a key of jwks, or jwks_uri',
      'jwks_uri: https://katalog.stadt.example/jwks.json',
    );
};

/** FAPI 2.0 Security Profile §5.3.2.1: confidential clients, keys instead of secrets, tokens bound to a key. */
const checkSecurityProfile = (source: TownSource, service: Registration): void => {
  const { authMethod, securityProfile, boundTokens } = service;
  const knowsKeys = service.jwks !== undefined || service.jwksUri !== undefined;
  if (service.signedRequests === true && !knowsKeys)
    source.fault(['signed_requests'], 'signed_requests needs the public keys of the service: jwks or jwks_uri');
  if (securityProfile === undefined) return;
  if (!['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'].includes(authMethod)) {
    const reason = `${securityProfile} needs private_key_jwt or a certificate instead of ${authMethod}`;
    source.fault(['token_endpoint_auth_method'], reason, 'token_endpoint_auth_method: private_key_jwt');
  }
  if (boundTokens === undefined)
    source.fault(['security_profile'], `${securityProfile} needs bound_tokens: dpop or mtls`, 'bound_tokens: dpop');
  if (securityProfile === 'fapi2-message-signing' && !knowsKeys)
    source.fault(['security_profile'], 'signed requests need the public keys of the service: jwks or jwks_uri');
  if (service.rs256 !== undefined) source.fault(['rs256'], `${securityProfile} permits no RS256; leave rs256 out`);
  if (service.pkceExemption !== undefined)
    source.fault(['pkce_exemption'], `${securityProfile} permits no exemption from PKCE`);
  if (service.audienceExemption !== undefined)
    source.fault(['audience_exemption'], `${securityProfile} permits the issuer alone as audience`);
};

/** Why an address cannot be a redirect URI; undefined when it can. RFC 9700 §4.1.3: compared exactly, so it must be exact. */
const redirectFault = (uri: string, kind: Registration['kind'], options: TownOptions): string | undefined => {
  if (uri.includes('*')) return 'has a wildcard; every address is written out in full';
  if (!URL.canParse(uri)) return 'is not an absolute address';
  const { protocol } = new URL(uri);
  if (protocol === 'https:' || protocol === 'http:') return httpsFault(uri, options);
  if (kind !== 'native') return `has the scheme ${protocol} which only apps (kind native) may use`;
  if (!APP_SCHEME.test(protocol))
    return `has the scheme ${protocol}; an app’s own scheme is its reversed domain (RFC 8252 §7.1), like de.stadt.app:`;
  if (uri.includes('#')) return 'has a fragment (#); leave it out';
  return undefined;
};

const httpsFault = (uri: string, options: TownOptions): string | undefined => {
  if (uri.includes('*')) return 'has a wildcard; every address is written out in full';
  if (!URL.canParse(uri)) return 'is not an absolute address';
  const url = new URL(uri);
  const loopback = LOOPBACK_HOSTS.has(url.hostname);
  if (url.protocol !== 'https:' && !(options.localhost && url.protocol === 'http:' && loopback))
    return 'must begin with https://';
  if (loopback && !options.localhost) return 'leads to this machine, which only the sandbox permits';
  if (url.username !== '' || url.password !== '') return 'has a user name or password in it';
  if (uri.includes('#')) return 'has a fragment (#); leave it out';
  if (url.href !== uri && url.href !== `${uri}/`) return `is not in its exact form; write ${url.href}`;
  return undefined;
};

const isDay = (day: string): boolean => {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
};
