import { createPrivateKey, X509Certificate } from 'node:crypto';
import type { BundIdSettings } from './bundid-request.ts';
import type { EidServerSettings } from './eid-server.ts';
import { isLoopbackHost } from './mail.ts';
import type { UpstreamLevel, UpstreamSettings } from './upstream-oidc.ts';

/** What each identity source needs; one that is not named is off. */
export type SourceSettings = {
  /** `client`: where AusweisApp listens, if not where it always does. */
  readonly eid?: EidServerSettings & { readonly client?: URL };
  readonly bundid?: BundIdSettings;
  readonly upstream?: UpstreamSettings;
};

type Environment = Readonly<Record<string, string | undefined>>;
type Files = { read(path: string): { text: string; mode: number } };
type Fault = (line: string) => undefined;
type Pair = { readonly key: string; readonly certificate: string };

const READABLE_BY_GROUP_OR_OTHERS = 0o077;
/** TR-02102-1: from 3000 bits on; keys come in steps. */
const MIN_RSA_BITS = 3000;
const LEVELS: readonly UpstreamLevel[] = ['none', 'low', 'substantial', 'high'];

/** Reads one source: its settings begin with one prefix, and it is on if the first of them is set. */
class Reader {
  readonly #env: Environment;
  readonly #files: Files;
  readonly #now: Date;
  readonly fault: Fault;

  constructor(env: Environment, files: Files, now: Date, fault: Fault) {
    this.#env = env;
    this.#files = files;
    this.#now = now;
    this.fault = fault;
  }

  optional(name: string): string | undefined {
    const value = this.#env[name]?.trim();
    return value === '' ? undefined : value;
  }

  /** Whether the source is wanted; settings of one that is not are a slip. */
  wanted(first: string, prefix: string): boolean {
    if (this.optional(first) !== undefined) return true;
    const others = Object.keys(this.#env).filter(
      (name) => name.startsWith(prefix) && this.optional(name) !== undefined,
    );
    if (others.length > 0)
      this.fault(`${first} is missing, but ${others.sort().join(', ')} is set: set it, or leave all of them out.`);
    return false;
  }

  required(name: string, what: string): string | undefined {
    return this.optional(name) ?? this.fault(`${name} is missing: set ${what}.`);
  }

  /** An https address of another machine: nothing of the sandbox can be reached by production. */
  url(name: string, what: string): URL | undefined {
    const text = this.required(name, what);
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '')
      return this.fault(`${name} is not an address that begins with https://: set ${what}.`);
    if (isLoopbackHost(url.hostname)) return this.fault(`${name} names this machine: set ${what}.`);
    return url;
  }

  file(name: string, what: string, secret = false): string | undefined {
    const path = this.required(name, `the path of ${what}`);
    if (path === undefined) return undefined;
    try {
      const { text, mode } = this.#files.read(path);
      if (secret && (mode & READABLE_BY_GROUP_OR_OTHERS) !== 0)
        return this.fault(`${name}: ${path} is open to other users (mode ${mode.toString(8)}): chmod 600 ${path}`);
      return text;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
      return this.fault(`${name}: ${path} cannot be read (${code}): correct the path or its owner.`);
    }
  }

  /** One or more certificates in force; `most` of them, for the time in which a key is changed. */
  certificates(name: string, what: string, most = 1): string[] | undefined {
    const text = this.file(name, what);
    if (text === undefined) return undefined;
    const found = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
    if (found.length === 0 || found.length > most)
      return this.fault(
        `${name} holds ${found.length} certificates: put 1${most > 1 ? ` to ${most}` : ''} in PEM form into it.`,
      );
    try {
      const expired = found.every((pem) => new Date(new X509Certificate(pem).validTo) <= this.#now);
      return expired ? this.fault(`${name} has expired: put the certificate that is in force into it.`) : found;
    } catch {
      return this.fault(`${name} holds something that is no certificate: put it there in PEM form.`);
    }
  }

  pair(prefix: string, what: string, rsa: boolean): Pair | undefined {
    const key = this.file(`${prefix}_KEY_FILE`, `the private key ${what}`, true);
    const [certificate] = this.certificates(`${prefix}_CERT_FILE`, `the certificate ${what}`) ?? [];
    if (key === undefined || certificate === undefined) return undefined;
    try {
      const privateKey = createPrivateKey(key);
      if (!new X509Certificate(certificate).checkPrivateKey(privateKey))
        return this.fault(`${prefix}_KEY_FILE and ${prefix}_CERT_FILE do not belong together: correct one of them.`);
      const bits = privateKey.asymmetricKeyDetails?.modulusLength ?? 0;
      if (rsa && bits < MIN_RSA_BITS)
        return this.fault(
          `${prefix}_KEY_FILE is no RSA key of ${MIN_RSA_BITS} bits or more: make one of 3072 or 4096 bits.`,
        );
      return { key, certificate };
    } catch {
      return this.fault(
        `${prefix}_KEY_FILE holds no private key that can be read without a password: put it there in PEM form.`,
      );
    }
  }
}

const readEid = (read: Reader): EidServerSettings | undefined => {
  const url = read.url('EID_SERVER_URL', 'the SOAP address of your eID-Server, like https://eid.anbieter.example/eid');
  const paosUrl =
    read.optional('EID_SERVER_PAOS_URL') === undefined
      ? undefined
      : read.url('EID_SERVER_PAOS_URL', 'the address for AusweisApp, or leave it out');
  const tls = read.pair('EID_SERVER_TLS', 'for mutual TLS with the eID-Server', false);
  const authority = read.certificates('EID_SERVER_TLS_CA_FILE', 'the authority of the eID-Server’s TLS certificate', 5);
  const signing = read.pair('EID_SERVER_SIGNING', 'for signatures to the eID-Server', true);
  const serverCertificates = read.certificates(
    'EID_SERVER_PEER_CERT_FILE',
    'the certificate that the eID-Server signs with',
    2,
  );
  if (
    url === undefined ||
    tls === undefined ||
    authority === undefined ||
    signing === undefined ||
    serverCertificates === undefined
  )
    return undefined;
  return {
    url,
    ...(paosUrl && { paosUrl }),
    tls: { ...tls, authority: authority.join('\n') },
    signing,
    serverCertificates,
  };
};

const readBundId = (read: Reader, issuer: URL): BundIdSettings | undefined => {
  const entityId = read.url(
    'BUNDID_ENTITY_ID',
    'your entity id as registered, an https address without port, like https://login.stadt.example',
  );
  // bPK2 is derived from its host name, and BundID takes none with a port (interface description §7.2).
  if (entityId !== undefined && entityId.port !== '')
    read.fault('BUNDID_ENTITY_ID has a port: BundID takes an entity id without one only.');
  const idpEntityId = read.required('BUNDID_IDP_ENTITY_ID', 'BundID’s entity id, like https://id.bund.de/idp');
  const ssoUrl = read.url('BUNDID_IDP_SSO_URL', 'BundID’s address, like https://id.bund.de/idp/profile/SAML2/POST/SSO');
  const certificates = read.certificates('BUNDID_IDP_CERT_FILE', 'BundID’s certificate', 2);
  const signing = read.pair('BUNDID_SIGNING', 'for requests to BundID', true);
  const encryption = read.pair('BUNDID_ENCRYPTION', 'that BundID seals its answers for', true);
  const before =
    read.optional('BUNDID_OLD_ENCRYPTION_KEY_FILE') === undefined
      ? []
      : [read.pair('BUNDID_OLD_ENCRYPTION', 'used until now', true)];
  const nextSigning =
    read.optional('BUNDID_NEXT_SIGNING_CERT_FILE') === undefined
      ? undefined
      : read.certificates('BUNDID_NEXT_SIGNING_CERT_FILE', 'the certificate that requests will be signed with next');
  const onlineServiceId = read.required(
    'BUNDID_ONLINE_SERVICE_ID',
    'the BMI-ID of your online service, like BMI-X0000',
  );
  const organisation = read.required('BUNDID_ORGANISATION', 'the name that BundID shows, like Stadt Gütersloh');
  const old = before[0];
  if (
    entityId === undefined ||
    entityId.port !== '' ||
    idpEntityId === undefined ||
    ssoUrl === undefined ||
    certificates === undefined ||
    signing === undefined ||
    encryption === undefined ||
    onlineServiceId === undefined ||
    organisation === undefined ||
    (before.length > 0 && old === undefined)
  )
    return undefined;
  return {
    // As registered: without the slash that a parser adds.
    entityId: read.optional('BUNDID_ENTITY_ID') ?? '',
    acsUrl: new URL('/bundid/acs', issuer),
    idp: { entityId: idpEntityId, ssoUrl, certificates },
    signing: { ...signing, ...(nextSigning?.[0] && { next: nextSigning[0] }) },
    encryption: [encryption, ...(old === undefined ? [] : [old])],
    organisation,
    onlineServiceId,
    backUrl: issuer,
  };
};

/** `acr=level` pairs with commas between; an acr may hold equals signs. */
const readLevels = (text: string | undefined, fault: Fault): Record<string, UpstreamLevel> | undefined => {
  const levels: Record<string, UpstreamLevel> = {};
  for (const pair of (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)) {
    const [, acr, name] = /^(.+)=([a-z]+)$/.exec(pair) ?? [];
    const level = LEVELS.find((one) => one === name);
    if (acr === undefined || level === undefined)
      return fault(`UPSTREAM_LEVELS: ${pair} is not acr=level with a level of ${LEVELS.join(', ')}.`);
    levels[acr] = level;
  }
  return levels;
};

const readUpstream = (read: Reader, issuer: URL): UpstreamSettings | undefined => {
  const upstream = read.url(
    'UPSTREAM_ISSUER',
    'the issuer of the staff’s provider, like https://login.microsoftonline.com/TENANT/v2.0',
  );
  const clientId = read.required('UPSTREAM_CLIENT_ID', 'the client id that the staff’s provider knows this one by');
  const clientSecret = read.file('UPSTREAM_CLIENT_SECRET_FILE', 'the client secret', true)?.trim();
  const levels = readLevels(read.optional('UPSTREAM_LEVELS'), read.fault);
  if (upstream === undefined || clientId === undefined || clientSecret === undefined || levels === undefined)
    return undefined;
  return { issuer: upstream, clientId, clientSecret, redirectUri: new URL('/upstream/callback', issuer), levels };
};

/** Reads the identity sources; each is off unless its first setting is there. */
export const readSources = (
  env: Environment,
  files: Files,
  issuer: URL | undefined,
  now: Date,
  fault: Fault,
): SourceSettings => {
  const read = new Reader(env, files, now, fault);
  const own = issuer ?? new URL('https://unknown.invalid');
  const eid = read.wanted('EID_SERVER_URL', 'EID_SERVER_') ? readEid(read) : undefined;
  const bundid = read.wanted('BUNDID_ENTITY_ID', 'BUNDID_') ? readBundId(read, own) : undefined;
  const upstream = read.wanted('UPSTREAM_ISSUER', 'UPSTREAM_') ? readUpstream(read, own) : undefined;
  return { ...(eid && { eid }), ...(bundid && { bundid }), ...(upstream && { upstream }) };
};
