/** Keys and certificates for the sandbox's counterparts and for the provider's side of each connection. */
import 'reflect-metadata';
import { createHash, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export type Pair = { readonly key: string; readonly certificate: string };

const DAY_MS = 86_400_000;
const VALID_DAYS = 3650;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 3072,
};

type KeyPair = { readonly privateKey: webcrypto.CryptoKey; readonly publicKey: webcrypto.CryptoKey };

const newKeys = async (algorithm: typeof EC | typeof RSA): Promise<KeyPair> =>
  (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as KeyPair;

const pem = async (key: webcrypto.CryptoKey): Promise<string> => {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
};

const validity = () => ({
  notBefore: new Date(Date.now() - DAY_MS),
  notAfter: new Date(Date.now() + VALID_DAYS * DAY_MS),
});
const serialNumber = (): string => `01${randomBytes(15).toString('hex')}`;

/** A self-signed certificate with an RSA key, for signatures and encryption in XML; 3072 bit (TR-02102). */
export const xmlPair = async (name: string): Promise<Pair> => {
  const keys = await newKeys(RSA);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    serialNumber: serialNumber(),
    name: `CN=${name}, O=Sandbox, C=DE`,
    keys: keys as unknown as CryptoKeyPair,
    signingAlgorithm: RSA,
  });
  return { key: await pem(keys.privateKey), certificate: certificate.toString('pem') };
};

/** An authority of its own that makes certificates for TLS servers and clients. */
export const createAuthority = async (): Promise<{
  certificate: string;
  issue(name: string, use: 'server' | 'client'): Promise<Pair>;
}> => {
  const keys = await newKeys(EC);
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    serialNumber: serialNumber(),
    name: 'CN=Sandbox Authority',
    keys: keys as unknown as CryptoKeyPair,
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    certificate: root.toString('pem'),
    async issue(name, use) {
      const own = await newKeys(EC);
      const certificate = await x509.X509CertificateGenerator.create({
        ...validity(),
        serialNumber: serialNumber(),
        subject: `CN=${name}`,
        issuer: root.subject,
        publicKey: own.publicKey as unknown as CryptoKey,
        signingKey: keys.privateKey as unknown as CryptoKey,
        signingAlgorithm: EC,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: name },
            { type: 'ip', value: '127.0.0.1' },
          ]),
          new x509.ExtendedKeyUsageExtension([
            use === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
          ]),
        ],
      });
      return { key: await pem(own.privateKey), certificate: certificate.toString('pem') };
    },
  };
};

/** SHA-256 of a certificate's DER form, hexadecimal; how a Berechtigungszertifikat lists TLS certificates. */
export const certificateHash = (der: Uint8Array): string => createHash('sha256').update(der).digest('hex');
