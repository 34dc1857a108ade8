/**
 * What FAPI 2.0 forbids of clients that authenticate and sign, each case named after the sentence that it breaks, shortened where it is
 * long: SP = FAPI 2.0 Security Profile (final of 22 February 2025), MS = FAPI 2.0 Message Signing, whose clauses were
 * read for this, and the RFCs that they build on. `§5.3.2.1-8` is the eighth item of the list in that clause.
 */
import { randomUUID } from 'node:crypto';
import test from 'ava';
import { selfSigned } from './harness/client-certificates.ts';
import { type Deviation, newKeyPair } from './harness/fapi-client.ts';
import { assertRefused, type Refusal, Refusals, seconds } from './harness/fapi-refusal.ts';
import type { FapiName } from './harness/fapi-town.ts';

const refusals = new Refusals();
const push = (name: FapiName, wrong: Deviation) => () => refusals.push(name, wrong);

test.before(() => refusals.start());
test.after.always(() => refusals.stop());

const CASES: Refusal[] = [
  // Client authentication
  {
    sentence: 'SP §5.3.2.2-4: shall reject pushed authorization requests without client authentication',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { anonymous: true }),
  },
  {
    sentence:
      'SP §5.3.2.1-8: shall only accept its issuer identifier value as a string in the aud claim (token endpoint)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { aud: `${refusals.place.town.issuer}/token` } })(),
  },
  {
    sentence: 'SP §5.3.2.1-8: shall only accept its issuer identifier value as a string in the aud claim (array)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { aud: [refusals.place.town.issuer] } })(),
  },
  {
    sentence:
      'SP §5.3.2.1-8: shall only accept its issuer identifier value as a string in the aud claim (another server)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { aud: 'https://anderswo.example' } }),
  },
  {
    sentence:
      'SP §5.3.2.1-13: shall reject JWTs with an iat or nbf timestamp greater than 60 seconds in the future (iat)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { iat: seconds() + 75, exp: seconds() + 130 } })(),
  },
  {
    sentence:
      'SP §5.3.2.1-13: shall reject JWTs with an iat or nbf timestamp greater than 60 seconds in the future (nbf)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { nbf: seconds() + 75, exp: seconds() + 130 } })(),
  },
  {
    sentence: 'RFC 7523 §3-4: the JWT MUST contain an exp claim that limits the time window (none)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { exp: undefined } }),
  },
  {
    sentence: 'RFC 7523 §3-4: the authorization server MUST reject any JWT with an expiration time that has passed',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { iat: seconds() - 120, exp: seconds() - 60 } })(),
  },
  {
    sentence:
      'RFC 7523 §3-1: the JWT MUST contain an iss claim that identifies the entity that issued it (another client)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { iss: 'jwtmtls' } }),
  },
  {
    sentence: 'RFC 7523 §3-2B: for client authentication, the subject MUST be the client_id',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { assertion: { sub: 'jwtmtls' } }),
  },
  {
    sentence: 'RFC 7523 §3-7: the jti lets the server ensure that JWTs are not replayed (no jti)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { jti: undefined } }),
  },
  {
    sentence: 'RFC 7523 §3-7: the jti lets the server ensure that JWTs are not replayed (same jti twice)',
    status: 401,
    error: 'invalid_client',
    async act() {
      const jti = randomUUID();
      await push('jwtdpop', { assertion: { jti } })();
      return push('jwtdpop', { assertion: { jti } })();
    },
  },
  {
    sentence: 'RFC 7523 §3-2: the JWT MUST contain a sub claim (none)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { sub: undefined } }),
  },
  {
    sentence:
      'SP §5.3.2.1-8: shall only accept its issuer identifier value as a string in the aud claim (PAR endpoint)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { aud: `${refusals.place.town.issuer}/request` } })(),
  },
  {
    sentence: 'SP §5.4.1-1.3: shall not use or accept the none algorithm (client assertion)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { fields: {}, unsignedAssertion: true })(),
  },
  {
    sentence:
      'RFC 7523 §3-9: the JWT MUST be digitally signed by the issuer; an invalid signature is rejected (another key)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('jwtdpop', { assertionKey: { key: (await newKeyPair()).privateKey, alg: 'ES256' } })(),
  },
  {
    sentence: 'SP §5.4.1-1.2: shall use PS256, ES256, or EdDSA algorithms (client assertion by RS256)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('jwtdpop', { assertionKey: { key: (await newKeyPair('RS256')).privateKey, alg: 'RS256' } })(),
  },
  {
    sentence:
      'RFC 8705 §2: the connection MUST have been established with mutual-TLS X.509 certificate authentication (none)',
    status: 401,
    error: 'invalid_client',
    act: push('tlstls', { noCertificate: true }),
  },
  {
    sentence:
      'RFC 8705 §2.1: a validated certificate chain, and the expected subject of the certificate (another subject)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('tlstls', { certificate: await refusals.place.authority.issue('boese.bank.example') })(),
  },
  {
    sentence:
      'RFC 8705 §2.1: a validated certificate chain, and the expected subject of the certificate (nobody vouches)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('tlstls', { certificate: await selfSigned('tlstls.bank.example') })(),
  },
  {
    sentence:
      'RFC 8705 §2.2: the certificate matches one of those registered for that client (another self-signed one)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('selftls', { certificate: await selfSigned('selftls') })(),
  },
  {
    sentence: 'RFC 8705 §6.5: TLS termination: headers with a certificate count only from the proxy',
    status: 401,
    error: 'invalid_client',
    async act() {
      const { certificate } = refusals.place.clients.tlstls.variant;
      const der = (certificate?.jwk as { x5c: string[] } | undefined)?.x5c[0];
      const headers = { 'client-cert': `:${der}:`, 'client-cert-verify': 'SUCCESS' };
      const byIssuer = await push('tlstls', { noCertificate: true, headers, origin: refusals.place.town.issuer })();
      if (byIssuer.status !== 401) return byIssuer;
      return push('tlstls', { noCertificate: true, headers })();
    },
  },
  {
    sentence: 'SP §5.3.2.1-6: shall authenticate clients using MTLS or private_key_jwt (a secret)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', {
      anonymous: true,
      headers: { authorization: `Basic ${Buffer.from('jwtdpop:geheim').toString('base64')}` },
    }),
  },
  // Message signing
  {
    sentence: 'MS §5.3.1-1: shall support, require use of, and verify signed request objects (parameters in the open)',
    status: 400,
    error: 'invalid_request',
    act: push('signing', { unsignedRequest: true }),
  },
  {
    sentence:
      'MS §5.3.1-2: shall require the aud claim to be, or to be an array containing, the issuer identifier URL (another)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { aud: 'https://anderswo.example' } }),
  },
  {
    sentence: 'MS §5.3.1-3: shall require an nbf claim that is no longer than 60 minutes in the past (older)',
    status: 400,
    error: 'invalid_request_object',
    act: () => push('signing', { request: { nbf: seconds() - 4000, exp: seconds() + 60 } })(),
  },
  {
    sentence: 'MS §5.3.1-3: shall require an nbf claim that is no longer than 60 minutes in the past (none)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { nbf: undefined } }),
  },
  {
    sentence: 'MS §5.3.1-4: shall require an exp claim with a lifetime of no longer than 60 minutes after nbf (none)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { exp: undefined } }),
  },
  {
    sentence: 'MS §5.3.1-4: shall require an exp claim with a lifetime of no longer than 60 minutes after nbf (longer)',
    status: 400,
    error: 'invalid_request_object',
    act: () => push('signing', { request: { exp: seconds() + 3700 } })(),
  },
  {
    sentence: 'MS §5.3.1-4: shall require an exp claim (past)',
    status: 400,
    error: 'invalid_request_object',
    act: () => push('signing', { request: { nbf: seconds() - 600, exp: seconds() - 300 } })(),
  },
  {
    sentence: 'SP §5.3.2.1-13: shall reject JWTs with an nbf timestamp greater than 60 seconds ahead (request object)',
    status: 400,
    error: 'invalid_request_object',
    act: () => push('signing', { request: { nbf: seconds() + 75, exp: seconds() + 300 } })(),
  },
  {
    sentence: 'SP §5.4.1-1.2: shall use PS256, ES256, or EdDSA algorithms (request object by RS256)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { requestAlg: 'RS256' }),
  },
  {
    sentence: 'SP §5.4.1-1.3: shall not use or accept the none algorithm (request object)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { requestAlg: 'none' }),
  },
  {
    sentence: 'RFC 9101 §4: request and request_uri parameters MUST NOT be included in Request Objects',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { request_uri: 'urn:ietf:params:oauth:request_uri:x' } }),
  },
  {
    sentence: 'RFC 9101 §6.2: the signature of the JWS-Signed Request Object is validated (another key)',
    status: 400,
    error: 'invalid_request_object',
    act: async () => push('signing', { requestKey: { key: (await newKeyPair()).privateKey, alg: 'ES256' } })(),
  },
  {
    sentence: 'RFC 9101 §6.3: the client_id request parameter and the client_id claim MUST be identical',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { client_id: 'jwtdpop' } }),
  },
  {
    sentence:
      'MS §5.4.1-1: shall support, require use of, and issue signed authorization responses via JARM (an unsigned one)',
    status: 400,
    error: 'invalid_request',
    act: push('signing', { fields: { response_mode: 'query' } }),
  },
];

for (const refusal of CASES) test.serial(refusal.sentence, (t) => assertRefused(t, refusal));

test.serial(
  'SP §5.3.2.1-13: shall accept JWTs with an iat or nbf timestamp between 0 and 10 seconds in the future',
  async (t) => {
    const ahead = seconds() + 9;
    t.is((await push('jwtdpop', { assertion: { iat: ahead, nbf: ahead } })()).status, 201);
  },
);
