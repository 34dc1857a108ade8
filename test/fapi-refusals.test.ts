/**
 * What FAPI 2.0 forbids, each case named after the sentence of the specification that it breaks, shortened where it is
 * long: SP = FAPI 2.0 Security Profile (final of 22 February 2025), MS = FAPI 2.0 Message Signing, whose clauses were
 * read for this, and the RFCs that they build on. `§5.3.2.1-8` is the eighth item of the list in that clause.
 */
import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { exportJWK } from 'jose';
import { selfSigned } from './harness/client-certificates.ts';
import { type Deviation, dpopProof, newKeyPair } from './harness/fapi-client.ts';
import { CREDENTIALS, type FapiName, type FapiTown, opened, startFapiTown } from './harness/fapi-town.ts';
import { atHome, pkce, type Tokens } from './harness/relying-party.ts';
import { returned } from './harness/trial-client.ts';
import { Visitor } from './harness/visitor.ts';

let place: FapiTown;
/** How far the town's clock is ahead. */
let aheadMs = 0;

test.before(async () => {
  place = await startFapiTown({ now: () => new Date(Date.now() + aheadMs) });
});

test.after.always(() => place?.town.close());

/** One browser, signed in once. */
const visitor = new Visitor();

const seconds = (): number => Math.floor(Date.now() / 1000);

const code = async (name: FapiName, wrong: Deviation = {}) => {
  const { back, proof } = await place.clients[name].obtainCode(visitor, CREDENTIALS, wrong);
  const answer = await opened(place.town, back, name);
  return { code: answer.get('code'), answer, verifier: proof.verifier };
};

const accessToken = async (name: FapiName): Promise<string> => {
  const { code: issued, verifier } = await code(name);
  const tokens = await place.clients[name].redeem(issued, verifier);
  if (tokens.status !== 200) throw new Error(JSON.stringify(tokens.body));
  return tokens.body['access_token'] ?? '';
};

type Refusal = { sentence: string; status?: number; error: string; act: () => Promise<Tokens | URLSearchParams> };

const push = (name: FapiName, wrong: Deviation) => async (): Promise<Tokens> => place.clients[name].push(pkce(), wrong);

const redeem =
  (name: FapiName, wrong: () => Deviation | Promise<Deviation> = () => ({}), change = (value: string) => value) =>
  async (): Promise<Tokens> => {
    const issued = await code(name);
    return place.clients[name].redeem(issued.code, change(issued.verifier), await wrong());
  };

/** What a plain authorization request, without a pushed one, gets back. */
const plain = async (name: FapiName, changes: Record<string, string> = {}): Promise<URLSearchParams> => {
  const url = new URL('/auth', place.town.issuer);
  url.search = new URLSearchParams({
    client_id: name,
    response_type: 'code',
    redirect_uri: place.clients[name].redirectUri,
    scope: 'openid',
    state: 'zustand',
    code_challenge: pkce().challenge,
    code_challenge_method: 'S256',
    ...changes,
  }).toString();
  return opened(place.town, returned(await visitor.open(url, atHome(place.town))), name);
};

const refusals: Refusal[] = [
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
    act: () => push('jwtdpop', { assertion: { aud: `${place.town.issuer}/token` } })(),
  },
  {
    sentence: 'SP §5.3.2.1-8: shall only accept its issuer identifier value as a string in the aud claim (array)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { aud: [place.town.issuer] } })(),
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
    act: () => push('jwtdpop', { assertion: { aud: `${place.town.issuer}/request` } })(),
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
    act: async () => push('tlstls', { certificate: await place.authority.issue('boese.bank.example') })(),
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
      const { certificate } = place.clients.tlstls.variant;
      const der = (certificate?.jwk as { x5c: string[] } | undefined)?.x5c[0];
      const headers = { 'client-cert': `:${der}:`, 'client-cert-verify': 'SUCCESS' };
      const byIssuer = await push('tlstls', { noCertificate: true, headers, origin: place.town.issuer })();
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
  // Authorization requests
  {
    sentence: 'SP §5.3.2.2-3: shall reject authorization requests sent without RFC 9126',
    error: 'invalid_request',
    act: () => plain('jwtdpop'),
  },
  {
    sentence: 'SP §5.3.2.2-1: shall require the value of response_type to be code',
    status: 400,
    error: 'unsupported_response_type',
    act: push('jwtdpop', { fields: { response_type: 'code id_token' } }),
  },
  {
    sentence: 'SP §5.3.2.2-5: shall require PKCE with S256 as the code challenge method (no challenge)',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { fields: { code_challenge: undefined, code_challenge_method: undefined } }),
  },
  {
    sentence: 'SP §5.3.2.2-5: shall require PKCE with S256 as the code challenge method (plain)',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { fields: { code_challenge_method: 'plain' } }),
  },
  {
    sentence: 'SP §5.3.2.2-6: shall require the redirect_uri parameter in pushed authorization requests',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { fields: { redirect_uri: undefined } }),
  },
  {
    sentence:
      'RFC 9126 §2.3: the redirect_uri of a pushed request is validated as at the authorization endpoint (unregistered)',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { fields: { redirect_uri: 'https://boese.example/callback' } }),
  },
  {
    sentence: 'RFC 9126 §2.1: the request_uri authorization request parameter MUST NOT be provided',
    status: 400,
    error: 'request_uri_not_supported',
    act: push('jwtdpop', { fields: { request_uri: 'urn:ietf:params:oauth:request_uri:x' } }),
  },
  {
    sentence: 'RFC 9126 §2.2: the request_uri MUST be bound to the client that posted the authorization request',
    error: '400',
    async act() {
      const pushed = await place.clients.jwtdpop.push(pkce());
      const url = place.clients.jwtmtls.authorizationUrl(pushed.body['request_uri'] ?? '');
      const answer = await visitor.open(url, atHome(place.town));
      return new URLSearchParams({ error: String(answer.status) });
    },
  },
  {
    sentence: 'RFC 9126 §4: authorization servers SHOULD treat request_uri values as one-time use',
    error: 'invalid_request_uri',
    async act() {
      const pushed = await place.clients.jwtdpop.push(pkce());
      const url = place.clients.jwtdpop.authorizationUrl(pushed.body['request_uri'] ?? '');
      const first = await place.clients.jwtdpop.visit(visitor, url, CREDENTIALS);
      if (first.back.get('code') === null) return new URLSearchParams({ error: `first: ${first.back}` });
      const again = await visitor.open(url, atHome(place.town));
      const code = /<code>(?:<a [^>]*>)?([a-z_]+)</.exec(again.text)?.[1];
      return new URLSearchParams({ error: code ?? returned(again).get('error') ?? String(again.status) });
    },
  },
  {
    sentence: 'SP §5.3.2.2-1: shall require the value of response_type to be code (token)',
    status: 400,
    error: 'unsupported_response_type',
    act: push('jwtdpop', { fields: { response_type: 'token' } }),
  },
  {
    sentence: 'RFC 9449 §10: dpop_jkt that is not the key of the proof is refused where it is pushed',
    status: 400,
    error: 'invalid_request',
    async act() {
      const client = place.clients.jwtdpop;
      const rawProof = await client.proofFor('/request', await newKeyPair());
      return client.push(pkce(), { fields: { dpop_jkt: await client.thumbprint() }, rawProof });
    },
  },
  // Codes
  {
    sentence: 'RFC 7636 §4.6: if the values are not equal, an error response indicating invalid_grant',
    status: 400,
    error: 'invalid_grant',
    act: redeem('jwtdpop', undefined, () => pkce().verifier),
  },
  {
    sentence: 'SP §5.3.2.2-9: shall reject an authorization code if it has been previously used',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtdpop');
      await place.clients.jwtdpop.redeem(issued.code, issued.verifier);
      return place.clients.jwtdpop.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'SP §5.3.2.1-11: shall issue authorization codes with a maximum lifetime of 60 seconds',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtmtls');
      aheadMs += 61_000;
      return place.clients.jwtmtls.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'RFC 6749 §4.1.3: ensure that the authorization code was issued to the authenticated confidential client',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtdpop');
      const { redirectUri } = place.clients.jwtdpop;
      return place.clients.jwtmtls.redeem(issued.code, issued.verifier, { fields: { redirect_uri: redirectUri } });
    },
  },
  {
    sentence: 'RFC 6749 §4.1.3: if a redirect_uri was in the request, ensure that their values are identical',
    status: 400,
    error: 'invalid_grant',
    act: redeem('jwtdpop', () => ({ fields: { redirect_uri: 'https://jwtdpop.bank.example/woanders' } })),
  },
  {
    sentence: 'SP §5.3.2.1-2: shall reject requests using the resource owner password credentials grant',
    status: 400,
    error: 'unsupported_grant_type',
    act: () =>
      place.clients.jwtdpop.post('/token', {
        grant_type: 'password',
        username: CREDENTIALS.email,
        password: CREDENTIALS.password,
      }),
  },
  {
    sentence: 'RFC 7636 §4.6: the server verifies code_verifier (none)',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtdpop');
      return place.clients.jwtdpop.redeem(issued.code, '', { fields: { code_verifier: undefined } });
    },
  },
  {
    sentence: 'RFC 6749 §2.3.1: the client is authenticated at the token endpoint (no assertion)',
    status: 401,
    error: 'invalid_client',
    act: redeem('jwtdpop', () => ({ anonymous: true })),
  },
  {
    sentence: 'RFC 6749 §5.2: invalid_client, client authentication failed (in the name of another client)',
    status: 401,
    error: 'invalid_client',
    async act() {
      const issued = await code('jwtdpop');
      const assertionKey = { key: place.clients.jwtdpop.keys.privateKey, alg: 'ES256' };
      return place.clients.jwtmtls.redeem(issued.code, issued.verifier, { assertionKey });
    },
  },
  // Sender-constrained tokens
  {
    sentence: 'SP §5.3.2.1-4: shall only issue sender-constrained access tokens (no DPoP proof)',
    status: 400,
    error: 'invalid_grant',
    act: redeem('jwtdpop', () => ({ noProof: true })),
  },
  {
    sentence: 'SP §5.3.2.1-4: shall only issue sender-constrained access tokens (no certificate)',
    status: 400,
    error: 'invalid_grant',
    act: redeem('jwtmtls', () => ({ noCertificate: true })),
  },
  {
    sentence: 'RFC 9449 §4.3-4: the typ JOSE Header Parameter has the value dpop+jwt',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proofHeader: { typ: 'jwt' } })),
  },
  {
    sentence: 'RFC 9449 §4.3-7: the jwk JOSE Header Parameter does not contain a private key',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', async () => ({
      proofHeader: { jwk: await exportJWK(place.clients.jwtdpop.proofKeys.privateKey) },
    })),
  },
  {
    sentence: 'RFC 9449 §4.3-8: the htm claim matches the HTTP method of the current request',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { htm: 'GET' } })),
  },
  {
    sentence: 'RFC 9449 §4.3-9: the htu claim matches the HTTP URI value of the request',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { htu: 'https://anderswo.example/token' } })),
  },
  {
    sentence: 'RFC 9449 §4.3-11: the creation time of the JWT is within an acceptable window (ten minutes ago)',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { iat: seconds() - 600 } })),
  },
  {
    sentence:
      'SP §5.3.2.1-13: shall reject JWTs with an iat or nbf timestamp greater than 60 seconds in the future (DPoP proof)',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { iat: seconds() + 75 } })),
  },
  {
    sentence: 'RFC 9449 §11.1: the jti value of a proof is used once only within its time window',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const rawProof = await dpopProof(
        place.clients.jwtdpop.proofKeys,
        'POST',
        `${place.town.issuer}/token`,
        undefined,
      );
      const first = await code('jwtdpop');
      await place.clients.jwtdpop.redeem(first.code, first.verifier, { rawProof });
      const second = await code('jwtdpop');
      return place.clients.jwtdpop.redeem(second.code, second.verifier, { rawProof });
    },
  },
  {
    sentence:
      'SP §5.3.2.1-12: shall support Authorization Code Binding to DPoP Key, RFC 9449 §10.1 (another key at the token endpoint)',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const proofs = await newKeyPair();
      const rawProof = await dpopProof(proofs, 'POST', `${place.town.issuer}/request`, undefined);
      const issued = await code('jwtdpop', { rawProof });
      return place.clients.jwtdpop.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (token of DPoP as bearer token)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), {
        noProof: true,
        headers: { authorization: `Bearer ${await accessToken('jwtdpop')}` },
      }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (another DPoP key)',
    status: 401,
    error: 'invalid_token',
    act: async () => place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), { proofKey: await newKeyPair() }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (proof without the token’s hash)',
    status: 401,
    error: 'invalid_dpop_proof',
    act: async () => place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), { proof: { ath: undefined } }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (another certificate)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      place.clients.jwtmtls.userinfo(await accessToken('jwtmtls'), { certificate: await selfSigned('x') }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (no certificate)',
    status: 401,
    error: 'invalid_token',
    act: async () => place.clients.jwtmtls.userinfo(await accessToken('jwtmtls'), { noCertificate: true }),
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

for (const { sentence, status, error, act } of refusals) {
  test.serial(sentence, async (t: ExecutionContext) => {
    const answer = await act();
    if (answer instanceof URLSearchParams) {
      t.is(answer.get('error'), error, String(answer));
      t.is(answer.get('code'), null);
      return;
    }
    t.is(answer.body['error'], error, JSON.stringify(answer.body));
    if (status !== undefined) t.is(answer.status, status);
    t.is(answer.body['access_token'], undefined);
  });
}

test.serial(
  'SP §5.3.2.1-13: shall accept JWTs with an iat or nbf timestamp between 0 and 10 seconds in the future',
  async (t) => {
    const ahead = seconds() + 9;
    t.is((await push('jwtdpop', { assertion: { iat: ahead, nbf: ahead } })()).status, 201);
  },
);

test.serial(
  'SP §5.3.2.2-12: shall issue pushed authorization requests request_uri with expires_in values of less than 600 seconds',
  async (t) => {
    const { body } = await push('jwtdpop', {})();
    t.true(Number(body['expires_in']) < 600);
  },
);

test.serial(
  'SP §5.3.2.2-10: shall not use the HTTP 307 status code when redirecting a request that contains user credentials',
  async (t) => {
    const pushed = await place.clients.jwtdpop.push(pkce());
    const url = place.clients.jwtdpop.authorizationUrl(pushed.body['request_uri'] ?? '');
    t.is((await visitor.send(url)).status, 303);
  },
);
