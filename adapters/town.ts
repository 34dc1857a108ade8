import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import type { ApiUse, ClaimUse, Exemption, Registration, Resource, Text, TlsSubject, Town } from '../accounts/town.ts';
import { checkApis } from './api-rules.ts';
import { checkService, checkTown, type TownOptions } from './town-rules.ts';
import { checkSchema, readSource, type TownFault, TownSource } from './town-source.ts';

export type { TownFault } from './town-source.ts';

/** A town with its services, or everything that is wrong with their files. */
export type LoadedTown = { town: Town; registrations: Registration[] } | { faults: TownFault[] };

type TownFile = Omit<
  Town,
  'municipalityKey' | 'sharedNetworks' | 'localWords' | 'recoveryWaitHours' | 'staffWaitHours' | 'proofDays'
> & {
  municipality_key: string;
  shared_networks?: string[];
  local_words?: string[];
  staff_wait_hours?: number;
  recovery_wait_hours?: NonNullable<Town['recoveryWaitHours']>;
  proof_days?: NonNullable<Town['proofDays']>;
};
type ServiceFile = {
  client_id: string;
  organisation: string;
  name: Registration['name'];
  description: Registration['description'];
  kind: Registration['kind'];
  token_endpoint_auth_method: Registration['authMethod'];
  contacts: string[];
  redirect_uris?: string[];
  post_logout_redirect_uris?: string[];
  client_uri?: string;
  policy_uri?: string;
  tos_uri?: string;
  initiate_login_uri?: string;
  backchannel_logout_uri?: string;
  jwks?: { keys: object[] };
  jwks_uri?: string;
  tls_client_auth_subject_dn?: string;
  tls_client_auth_san_dns?: string;
  tls_client_auth_san_uri?: string;
  security_profile?: Registration['securityProfile'];
  bound_tokens?: Registration['boundTokens'];
  signed_requests?: boolean;
  rs256?: { reason: string };
  security_events_uri?: string;
  claims?: (Omit<ClaimUse, 'legalBasis' | 'rawBecause'> & {
    legal_basis: ClaimUse['legalBasis'];
    raw_because?: Text;
  })[];
  refresh_tokens?: boolean;
  staff?: boolean;
  needs_email?: boolean;
  pkce_exemption?: Exemption;
  audience_exemption?: Exemption;
  resource?: Omit<Resource, 'encryptionKey' | 'stepUp'> & {
    encryption_key?: NonNullable<Resource['encryptionKey']>;
    step_up?: boolean;
  };
  apis?: (Omit<ApiUse, 'legalBasis'> & { legal_basis: Text })[];
  cors_origins?: string[];
  min_acr?: string;
};

const SCHEMAS = new URL('../infra/towns/', import.meta.url);

/**
 * Reads `town.yaml` and the services beside it (`services/*.yaml`), checks each against its schema and all of them against
 * one another, and returns the town with its registrations, or every fault at once.
 */
export const loadTown = (path: string, options: TownOptions = { localhost: false }): LoadedTown => {
  const check = validators();
  const faults: TownFault[] = [];

  const townSource = readSource(path);
  const town = readTown(townSource, check.town);
  faults.push(...townSource.faults);

  const registrations: Registration[] = [];
  const sources: TownSource[] = [];
  const places = new Map<string, string>();
  for (const file of serviceFiles(path)) {
    const source = readSource(file);
    const registration = readService(source, check.service, town, options);
    if (registration !== undefined) {
      // File systems that ignore case could otherwise hold one service twice.
      const key = registration.clientId.toLowerCase();
      const other = places.get(key);
      if (other !== undefined)
        source.fault(['client_id'], `the client_id ${registration.clientId} is taken by ${basename(other)}`);
      places.set(key, file);
      registrations.push(registration);
      sources.push(source);
    } else faults.push(...source.faults);
  }
  checkApis(registrations, sources);
  faults.push(...sources.flatMap((source) => source.faults));
  if (faults.length > 0 || town === undefined) return { faults };
  return { town, registrations };
};

/**
 * Checks the texts of service files against a town that is in force, by the same rules as `loadTown`.
 * @param files names (`portal.yaml`) and texts
 */
export const readServices = (
  town: Town,
  files: readonly { readonly name: string; readonly text: string }[],
  options: TownOptions = { localhost: false },
): { registrations: Registration[] } | { faults: TownFault[] } => {
  const check = validators();
  const faults: TownFault[] = [];
  const registrations: Registration[] = [];
  for (const { name, text } of files) {
    const source = new TownSource(name, text);
    const registration = readService(source, check.service, town, options);
    if (registration !== undefined) {
      if (registrations.some(({ clientId }) => clientId.toLowerCase() === registration.clientId.toLowerCase()))
        source.fault(['client_id'], `the client_id ${registration.clientId} is taken`);
      registrations.push(registration);
    }
    faults.push(...source.faults);
  }
  return faults.length > 0 ? { faults } : { registrations };
};

/** One line for a terminal: `file:line:column: reason. Right would be: example`. */
export const formatTownFault = ({ file, line, column, reason, example }: TownFault): string =>
  `${file}:${line}:${column}: ${reason}${example === undefined ? '' : `. Right would be: ${example}`}`;

const validators = (): { town: ValidateFunction; service: ValidateFunction } => {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: true });
  const compile = (name: string) => ajv.compile(JSON.parse(readFileSync(new URL(name, SCHEMAS), 'utf8')));
  return { town: compile('town.schema.json'), service: compile('service.schema.json') };
};

const serviceFiles = (townFile: string): string[] => {
  const folder = join(dirname(townFile), 'services');
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.yaml') || name.endsWith('.yml'))
      .sort()
      .map((name) => join(folder, name));
  } catch (error) {
    // A town without services is fine: its citizens can still have accounts.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
};

const readTown = (source: TownSource, validate: ValidateFunction): Town | undefined => {
  const value = source.value();
  if (source.faults.length > 0 || !checkSchema(source, validate, value)) return undefined;
  const { municipality_key, shared_networks, local_words, recovery_wait_hours, staff_wait_hours, proof_days, ...rest } =
    value as TownFile;
  const town: Town = {
    ...rest,
    municipalityKey: municipality_key,
    ...(shared_networks !== undefined && { sharedNetworks: shared_networks }),
    ...(local_words !== undefined && { localWords: local_words }),
    ...(staff_wait_hours !== undefined && { staffWaitHours: staff_wait_hours }),
    ...(recovery_wait_hours !== undefined && { recoveryWaitHours: recovery_wait_hours }),
    ...(proof_days !== undefined && { proofDays: proof_days }),
  };
  checkTown(source, town);
  return town;
};

const readService = (
  source: TownSource,
  validate: ValidateFunction,
  town: Town | undefined,
  options: TownOptions,
): Registration | undefined => {
  const value = source.value();
  if (source.faults.length > 0 || !checkSchema(source, validate, value)) return undefined;
  const registration = toRegistration(value as ServiceFile);
  checkService(source, registration, town, basename(source.file).replace(/\.ya?ml$/, ''), options);
  return registration;
};

const tlsSubject = (file: ServiceFile): { tlsSubject?: TlsSubject } => {
  const { tls_client_auth_subject_dn: subjectDn, tls_client_auth_san_dns: sanDns } = file;
  const { tls_client_auth_san_uri: sanUri } = file;
  if (subjectDn !== undefined) return { tlsSubject: { subjectDn } };
  if (sanDns !== undefined) return { tlsSubject: { sanDns } };
  return sanUri === undefined ? {} : { tlsSubject: { sanUri } };
};

const resourceOf = ({ resource }: ServiceFile): { resource?: Resource } => {
  if (resource === undefined) return {};
  const { encryption_key: encryptionKey, step_up: stepUp, ...rest } = resource;
  return {
    resource: { ...rest, ...(encryptionKey !== undefined && { encryptionKey }), ...(stepUp === true && { stepUp }) },
  };
};

const toRegistration = (file: ServiceFile): Registration => ({
  clientId: file.client_id,
  organisation: file.organisation,
  name: file.name,
  description: file.description,
  kind: file.kind,
  redirectUris: file.redirect_uris ?? [],
  postLogoutRedirectUris: file.post_logout_redirect_uris ?? [],
  ...(file.client_uri !== undefined && { homepage: file.client_uri }),
  ...(file.policy_uri !== undefined && { policyUri: file.policy_uri }),
  ...(file.tos_uri !== undefined && { tosUri: file.tos_uri }),
  ...(file.initiate_login_uri !== undefined && { initiateLoginUri: file.initiate_login_uri }),
  ...(file.backchannel_logout_uri !== undefined && { backchannelLogoutUri: file.backchannel_logout_uri }),
  ...(file.security_events_uri !== undefined && { securityEventsUri: file.security_events_uri }),
  authMethod: file.token_endpoint_auth_method,
  ...(file.jwks !== undefined && { jwks: file.jwks }),
  ...(file.jwks_uri !== undefined && { jwksUri: file.jwks_uri }),
  ...tlsSubject(file),
  ...(file.security_profile !== undefined && { securityProfile: file.security_profile }),
  ...(file.bound_tokens !== undefined && { boundTokens: file.bound_tokens }),
  ...(file.signed_requests !== undefined && { signedRequests: file.signed_requests }),
  ...(file.rs256 !== undefined && { rs256: file.rs256 }),
  claims: (file.claims ?? []).map(({ legal_basis: legalBasis, raw_because: rawBecause, ...use }) => ({
    ...use,
    legalBasis,
    ...(rawBecause !== undefined && { rawBecause }),
  })),
  refreshTokens: file.refresh_tokens ?? false,
  needsEmail: file.needs_email ?? false,
  ...(file.staff === true && { staff: true }),
  ...(file.pkce_exemption !== undefined && { pkceExemption: file.pkce_exemption }),
  ...(file.audience_exemption !== undefined && { audienceExemption: file.audience_exemption }),
  ...resourceOf(file),
  ...(file.apis !== undefined && {
    apis: file.apis.map(({ legal_basis: legalBasis, ...use }) => ({ ...use, legalBasis })),
  }),
  corsOrigins: file.cors_origins ?? [],
  ...(file.min_acr !== undefined && { minAcr: file.min_acr }),
  contacts: file.contacts,
});
