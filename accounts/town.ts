import type { ProofDays } from './proof-age.ts';

/** A text in the languages of the town; German is always there. */
export type Text = Readonly<Record<string, string>> & { readonly de: string };

/** An organisation of the town. It is the sector of its services' pseudonyms: within it one citizen is one subject. */
type Organisation = { readonly id: string; readonly name: Text };

/** A town as its file describes it; nothing about a town is in the code. */
export type Town = {
  readonly id: string;
  readonly name: Text;
  /** Amtlicher Gemeindeschlüssel, 8 digits. */
  readonly municipalityKey: string;
  /** BCP 47 tags, the first is the default. */
  readonly languages: readonly string[];
  readonly contact: { readonly email: string; readonly phone: string; readonly address: string };
  /** The citizens' office, where people without e-mail or smartphone go. */
  readonly office: { readonly name: Text; readonly address: string; readonly hours: Text };
  /** https addresses, linked from every page. */
  readonly pages: {
    readonly imprint: string;
    readonly privacy: string;
    readonly accessibility: string;
    readonly feedback: string;
    readonly ombuds: string;
  };
  /** Hours until a role that a chief has given acts, in which everybody on the staff can object. */
  readonly staffWaitHours?: number;
  /** Hours between opening a recovery and the first moment of its code, by what the clerk has seen. */
  readonly recoveryWaitHours?: { readonly eid: number; readonly card: number; readonly other: number };
  /** For how long proofs of identity are believed. */
  readonly proofDays?: ProofDays;
  readonly organisations: readonly Organisation[];
  /** What people here like to build passwords of: clubs, firms, streets, nicknames. */
  readonly localWords?: readonly string[];
  /** CIDR ranges of public computers (library terminals): every sign-in from there is one on a shared computer. */
  readonly sharedNetworks?: readonly string[];
};

/** Why a service gets a claim; shown to the citizen who is asked for consent. */
export type ClaimUse = {
  readonly claim: string;
  readonly purpose: Text;
  readonly legalBasis: Text;
  /** Why no claim that says less would do; raw data is not registered without it. */
  readonly rawBecause?: Text;
  readonly required: boolean;
};

/** Kinds of relying parties; the kind decides what redirect URIs and which authentication are acceptable. */
type ServiceKind = 'web' | 'spa' | 'native' | 'device' | 'api';

/** How a service authenticates at the token endpoint (RFC 6749 §2.3, RFC 8705, OpenID Connect Core §9). */
type AuthMethod =
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'private_key_jwt'
  | 'tls_client_auth'
  | 'self_signed_tls_client_auth'
  | 'none';

/** The one name by which a certificate of the city's own authority is known (RFC 8705 §2.1.2). */
export type TlsSubject = { readonly subjectDn: string } | { readonly sanDns: string } | { readonly sanUri: string };

/** An API: its name in `resource` (an absolute https URI), what may be done with it, and the tokens it can check. */
export type Resource = {
  readonly identifier: string;
  readonly scopes: readonly string[];
  /** A JWT is checked by the API alone and outlives its revocation by up to five minutes; an opaque token is introspected. */
  readonly tokens: 'opaque' | 'jwt';
  /** The API's public key (JWK): its JWTs are encrypted to it, so that the service that carries one cannot read it. */
  readonly encryptionKey?: Readonly<Record<string, unknown>>;
  /** It may ask for a stronger or fresher sign-in (RFC 9470): its tokens for citizens say level and time of theirs. */
  readonly stepUp?: boolean;
};

/** An API of another organisation that a service calls for a citizen, who is asked first. */
export type ApiUse = {
  /** The `identifier` of the API. */
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly purpose: Text;
  readonly legalBasis: Text;
};

/** A service as it is registered; the wanted state is its YAML file, the one in force is in Postgres. */
/** From a rule that the service's software cannot keep yet. `until` is its last day, YYYY-MM-DD. */
export type Exemption = { readonly reason: string; readonly until: string };

export type Registration = {
  /** Only `[A-Za-z0-9]`: clients mis-encode anything else in HTTP Basic. */
  readonly clientId: string;
  readonly organisation: string;
  readonly name: Text;
  readonly description: Text;
  readonly kind: ServiceKind;
  /** Compared exactly (RFC 9700 §4.1.3). */
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly homepage?: string;
  /** The service's own notices; the citizen is led to them where the service is named. */
  readonly policyUri?: string;
  readonly tosUri?: string;
  readonly initiateLoginUri?: string;
  readonly backchannelLogoutUri?: string;
  /** Where the service takes Security Event Tokens (RFC 8935): that an account is gone, that a consent was withdrawn. */
  readonly securityEventsUri?: string;
  readonly authMethod: AuthMethod;
  readonly jwks?: { readonly keys: readonly object[] };
  readonly jwksUri?: string;
  /** For tls_client_auth. */
  readonly tlsSubject?: TlsSubject;
  /** FAPI 2.0 Security Profile; `message-signing` also signs requests (JAR), answers (JARM) and introspection. */
  readonly securityProfile?: 'fapi2' | 'fapi2-message-signing';
  /** Access tokens are of use only to the holder of a key (RFC 9449, RFC 8705 §3). */
  readonly boundTokens?: 'dpop' | 'mtls';
  /** Requests only as signed JWTs (RFC 9101). */
  readonly signedRequests?: boolean;
  /** ID tokens by RS256, for software that knows nothing better; the reason is on record. */
  readonly rs256?: { readonly reason: string };
  readonly claims: readonly ClaimUse[];
  readonly refreshTokens: boolean;
  /** Citizens without e-mail are told so before they go on. */
  readonly needsEmail: boolean;
  /** Registered itself in a sandbox: gets what the account has, and nothing is asked of the citizen for it. */
  readonly trial?: boolean;
  readonly pkceExemption?: Exemption;
  /** Its assertions may name the token endpoint as audience beside the issuer (decision 0082). */
  readonly audienceExemption?: Exemption;
  /** An API that other services may get tokens for, in their own name (RFC 8707 and the client credentials grant). */
  readonly resource?: Resource;
  /** APIs of other organisations that it calls for citizens; those of its own organisation need no mention. */
  readonly apis?: readonly ApiUse[];
  /** Exact origins of single-page apps. */
  readonly corsOrigins: readonly string[];
  /** For accounts of staff only; to such a service no citizen exists, and to all others no member of staff. */
  readonly staff?: true;
  /** The `acr` value that every sign-in to the service must cover. */
  readonly minAcr?: string;
  /** E-mail addresses of the people who answer for the service. */
  readonly contacts: readonly string[];
};
