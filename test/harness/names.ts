/**
 * The world's name service and its certification authority, as this test process sees them: every name below the
 * reserved `.example` is this machine, and certificates of the tests' own authority are valid. Nothing in the product
 * knows about either.
 */

import { createHash, randomBytes } from 'node:crypto';
import dns from 'node:dns';
import tls from 'node:tls';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

type Certificate = {
  readonly key: string;
  readonly cert: string;
  /** Of the authority, PEM: for other processes. */
  readonly authority: string;
  /** For Chromium: base64 SHA-256 of the public key. */
  readonly spki: string;
};

export const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

export const pem = (label: string, der: ArrayBuffer): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;

/** Makes an authority and one certificate for all the names, and lets this process trust the authority. */
export const certificateFor = async (names: readonly string[]): Promise<Certificate> => {
  const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
  const authorityKeys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    serialNumber: '01',
    // Of two authorities with one name in a process, the wrong one may be asked to vouch.
    name: `CN=Tests ${randomBytes(8).toString('hex')}`,
    keys: authorityKeys,
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    ...validity,
    serialNumber: '02',
    subject: `CN=${names[0]}`,
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    signingAlgorithm: EC,
    extensions: [
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ],
  });
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), authority.toString('pem')]);
  const spki = await crypto.subtle.exportKey('spki', keys.publicKey);
  return {
    key: pem('PRIVATE KEY', await crypto.subtle.exportKey('pkcs8', keys.privateKey)),
    cert: leaf.toString('pem'),
    authority: authority.toString('pem'),
    spki: createHash('sha256').update(Buffer.from(spki)).digest('base64'),
  };
};

type Lookup = (hostname: string, options: dns.LookupOptions, callback: (...result: unknown[]) => void) => void;

const worldLookup = dns.lookup as unknown as Lookup;

/** Answers `.example` names with loopback; `net.connect` looks `dns.lookup` up at each call. */
export const nameExampleHosts = (): void => {
  const lookup: Lookup = (hostname, options, callback) => {
    if (!hostname.endsWith('.example')) return worldLookup(hostname, options, callback);
    if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(null, '127.0.0.1', 4);
  };
  dns.lookup = lookup as unknown as typeof dns.lookup;
};
