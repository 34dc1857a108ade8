import { SAML } from '@node-saml/node-saml';
import { SignedXml } from 'xml-crypto';
import { type BundIdAttribute, nameOfAttribute } from './bundid-attributes.ts';

/** How BundID is reached, and as whom. Keys and certificates are PEM. */
export type BundIdSettings = {
  /** Ours: an https URL without port, never to be changed, as bPK2 is derived from its host name. */
  readonly entityId: string;
  readonly acsUrl: URL;
  readonly idp: {
    readonly entityId: string;
    readonly ssoUrl: URL;
    /** Two while BundID changes its key. */
    readonly certificates: readonly string[];
  };
  /** `next` is published before it signs: BundID must know it first. */
  readonly signing: { readonly key: string; readonly certificate: string; readonly next?: string };
  /** The first is published; those after it still open what was sealed for them. */
  readonly encryption: readonly { readonly key: string; readonly certificate: string }[];
  readonly organisation: string;
  /** BMI-ID of the online service; mandatory since 2025-06-30. */
  readonly onlineServiceId: string;
  /** Where BundID's own "back" leads; BundID does not check it, so it is never taken from a request. */
  readonly backUrl: URL;
};

/** STORK levels (BundID interface description §6.2.3); 2 is not in use. */
export const STORK_LEVELS = { 1: 'none', 3: 'substantial', 4: 'high' } as const;
export type StorkLevel = keyof typeof STORK_LEVELS;

export type BundIdQuestion = {
  /** At least this. */
  readonly level: StorkLevel;
  /** Whether a temporary login, which has no lasting pseudonym, will not do. */
  readonly pseudonym: boolean;
  readonly read: readonly ('names' | 'birthdate' | 'address')[];
};

const READS: Readonly<Record<BundIdQuestion['read'][number], readonly BundIdAttribute[]>> = {
  names: ['givenName', 'surname'],
  birthdate: ['birthdate'],
  address: ['street', 'postalCode', 'locality', 'country'],
};

/** The means that reach a level; what BundID would offer beyond them could only end in a refusal. */
const METHODS: Readonly<Record<StorkLevel, readonly string[]>> = {
  1: ['Benutzername', 'Elster', 'eID', 'eIDAS', 'FINK'],
  3: ['Elster', 'eID', 'eIDAS', 'FINK'],
  4: ['eID', 'eIDAS'],
};

const CLASSIC_UI = 'https://www.akdb.de/request/2018/09/classic-ui/v1';

const extensions = (settings: BundIdSettings, question: BundIdQuestion, language: string): Record<string, unknown> => {
  const attributes = [
    ...(question.pseudonym ? (['bpk2'] as const) : []),
    'qaaLevel' as const,
    ...question.read.flatMap((one) => READS[one]),
  ];
  return {
    'akdb:AuthenticationRequest': {
      '@xmlns:akdb': 'https://www.akdb.de/request/2018/09',
      '@EnableStatusDetail': 'true',
      '@Version': '2',
      'akdb:AuthnMethods': Object.fromEntries(
        METHODS[question.level].map((method) => [`akdb:${method}`, { 'akdb:Enabled': 'true' }]),
      ),
      'akdb:RequestedAttributes': {
        'akdb:RequestedAttribute': attributes.map((attribute) => ({
          '@Name': nameOfAttribute(attribute),
          '@RequiredAttribute': attribute === 'bpk2' ? 'true' : 'false',
        })),
      },
      'akdb:DisplayInformation': {
        'classic-ui:Version': {
          '@xmlns:classic-ui': CLASSIC_UI,
          'classic-ui:OrganizationDisplayName': settings.organisation,
          'classic-ui:Lang': language === 'de' ? 'de' : 'en',
          'classic-ui:BackURL': settings.backUrl.href,
          'classic-ui:OnlineServiceId': settings.onlineServiceId,
        },
      },
    },
  };
};

/** What both directions of node-saml are set to; everything that it would choose by itself is said. */
export const commonOptions = (settings: BundIdSettings) => ({
  issuer: settings.entityId,
  audience: settings.entityId,
  callbackUrl: settings.acsUrl.href,
  entryPoint: settings.idp.ssoUrl.href,
  idpIssuer: settings.idp.entityId,
  idpCert: [...settings.idp.certificates],
  privateKey: settings.signing.key,
  publicCert: settings.signing.certificate,
  // Its default is SHA-1.
  signatureAlgorithm: 'sha256' as const,
  digestAlgorithm: 'sha256',
  identifierFormat: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient',
  authnRequestBinding: 'HTTP-POST',
  skipRequestCompression: true,
});

/** A signed AuthnRequest with the given id, as the value of the form field `SAMLRequest`. */
export const authnRequest = async (
  settings: BundIdSettings,
  id: string,
  question: BundIdQuestion,
  language: string,
): Promise<string> => {
  const saml = new SAML({
    ...commonOptions(settings),
    generateUniqueId: () => id,
    forceAuthn: true,
    racComparison: 'minimum',
    authnContext: [`STORK-QAA-Level-${question.level}`],
    samlAuthnRequestExtensions: extensions(settings, question, language),
  });
  const { SAMLRequest } = await saml.getAuthorizeMessageAsync('', undefined, {});
  if (typeof SAMLRequest !== 'string') throw new Error('node-saml made no request');
  return SAMLRequest;
};

/** What may seal for us, the best first, in the place of the list that node-saml has. */
const ENCRYPTION_METHODS = [
  '<EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>',
  '<EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/>',
  '<EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#rsa-oaep"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/></EncryptionMethod>',
  '<EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>',
].join('');

/**
 * Our metadata in the form that BundID takes (interface description §7.2): without `ID` and `validUntil`, with every
 * certificate that is in force, signed. As there is no `ID`, the signature refers to the document (`URI=""`).
 */
export const bundIdMetadata = (settings: BundIdSettings): string => {
  const [current] = settings.encryption;
  if (current === undefined) throw new Error('no key for encryption');
  const { certificate, next, key } = settings.signing;
  const saml = new SAML({ ...commonOptions(settings), decryptionPvk: current.key, wantAssertionsSigned: true });
  const xml = saml
    .generateServiceProviderMetadata(current.certificate, next === undefined ? certificate : [certificate, next])
    .replace(/ ID="[^"]*"/, '')
    .replace(/<EncryptionMethod [\s\S]*<EncryptionMethod [^>]*>/, ENCRYPTION_METHODS);
  const signature = new SignedXml({
    privateKey: key,
    publicCert: certificate,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: 'http://www.w3.org/2001/10/xml-exc-c14n#',
  });
  signature.addReference({
    xpath: '/*',
    transforms: ['http://www.w3.org/2000/09/xmldsig#enveloped-signature', 'http://www.w3.org/2001/10/xml-exc-c14n#'],
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
    isEmptyUri: true,
  });
  signature.computeSignature(xml, { prefix: 'ds', location: { reference: '/*', action: 'prepend' } });
  return signature.getSignedXml();
};
