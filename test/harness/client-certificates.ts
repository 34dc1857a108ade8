/** Certificates of relying parties: by an authority that the proxy knows, or signed by themselves. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { EC, pem } from './names.ts';

const DAY_MS = 86_400_000;
const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };

export type ClientCertificate = {
  readonly key: string;
  readonly cert: string;
  /** The public key as JWK with the certificate in `x5c`. */
  readonly jwk: object;
};

export type ClientAuthority = {
  readonly pem: string;
  issue(name: string): Promise<ClientCertificate>;
};

const certificateOf = async (certificate: x509.X509Certificate, keys: CryptoKeyPair): Promise<ClientCertificate> => ({
  key: pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', keys.privateKey)),
  cert: certificate.toString('pem'),
  jwk: {
    ...(({ kty, crv, x, y }) => ({ kty, crv, x, y }))(await crypto.subtle.exportKey('jwk', keys.publicKey)),
    x5c: [certificate.toString('base64')],
  },
});

const newKeys = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey(EC, true, ['sign', 'verify']);

/** An authority that issues certificates for DNS names. */
export const startAuthority = async (): Promise<ClientAuthority> => {
  const authorityKeys = await newKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: '01',
    name: 'CN=Dienste',
    keys: authorityKeys,
    signingAlgorithm: EC,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return {
    pem: authority.toString('pem'),
    async issue(name) {
      const keys = await newKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        ...validity,
        serialNumber: '02',
        subject: `CN=${name}, O=Teststadt`,
        issuer: authority.subject,
        publicKey: keys.publicKey,
        signingKey: authorityKeys.privateKey,
        signingAlgorithm: EC,
        extensions: [
          new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        ],
      });
      return certificateOf(certificate, keys);
    },
  };
};

/** A certificate that nobody vouches for. */
export const selfSigned = async (name: string): Promise<ClientCertificate> => {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: '03',
    name: `CN=${name}`,
    keys,
    signingAlgorithm: EC,
  });
  return certificateOf(certificate, keys);
};
