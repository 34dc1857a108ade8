/** BundID's keys and responses for tests, and the provider's side of them. */
import { type BundId, type BundIdQuestion, type BundIdSettings, createBundId } from '../../adapters/bundid.ts';
import { type Pair, xmlPair } from '../../infra/sandbox/counterparts/certificates.ts';
import type { Statement } from '../../infra/sandbox/counterparts/saml-wire.ts';
import { memoryMarks } from './eid.ts';

export const ENTITY_ID = 'https://id.stadt.example';
export const ACS = 'https://id.stadt.example/bundid/acs';
export const IDP = 'https://id.bund.example/idp';
export const BPK2 = 'urn:oid:1.3.6.1.4.1.25484.494450.3';
export const QAA = 'urn:oid:1.2.40.0.10.2.1.1.261.94';

export type BundIdKeys = Readonly<
  Record<'idp' | 'nextIdp' | 'signing' | 'encryption' | 'oldEncryption' | 'stranger', Pair>
>;

let made: Promise<BundIdKeys> | undefined;

export const bundIdKeys = (): Promise<BundIdKeys> => {
  made ??= (async () => {
    const names = ['idp', 'nextIdp', 'signing', 'encryption', 'oldEncryption', 'stranger'] as const;
    const pairs = await Promise.all(names.map(async (name) => [name, await xmlPair(name)] as const));
    return Object.fromEntries(pairs) as BundIdKeys;
  })();
  return made;
};

export const bundIdSettings = (keys: BundIdKeys): BundIdSettings => ({
  entityId: ENTITY_ID,
  acsUrl: new URL(ACS),
  idp: {
    entityId: IDP,
    ssoUrl: new URL(`${IDP}/profile/SAML2/POST/SSO`),
    certificates: [keys.idp.certificate, keys.nextIdp.certificate],
  },
  signing: keys.signing,
  encryption: [keys.encryption, keys.oldEncryption],
  organisation: 'Stadt Gütersloh',
  onlineServiceId: 'BMI-X0000',
  backUrl: new URL(ENTITY_ID),
});

export const QUESTION: BundIdQuestion = { level: 3, pseudonym: true, read: [] };

export const startBridge = async (
  now: () => Date = () => new Date(),
): Promise<{ bridge: BundId; keys: BundIdKeys; reasons: string[] }> => {
  const keys = await bundIdKeys();
  const reasons: string[] = [];
  const log = { warn: (details: object) => void reasons.push(String((details as { detail?: unknown }).detail)) };
  return { bridge: createBundId(bundIdSettings(keys), { now, once: memoryMarks(), log }), keys, reasons };
};

export const statement = (requestId: string, more: Partial<Statement> = {}): Statement => ({
  issuer: IDP,
  recipient: ACS,
  audience: ENTITY_ID,
  inResponseTo: requestId,
  level: 'STORK-QAA-Level-4',
  attributes: { [BPK2]: 'bpk-of-erika', [QAA]: 'STORK-QAA-Level-4' },
  ...more,
});

export const encode = (xml: string): string => Buffer.from(xml, 'utf8').toString('base64');
