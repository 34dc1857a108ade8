/**
 * What FAPI 2.0 forbids of requests, codes and tokens, each case named after the sentence that it breaks, shortened where it is
 * long: SP = FAPI 2.0 Security Profile (final of 22 February 2025), MS = FAPI 2.0 Message Signing, whose clauses were
 * read for this, and the RFCs that they build on. `§5.3.2.1-8` is the eighth item of the list in that clause.
 */
import test from 'ava';
import { exportJWK } from 'jose';
import { selfSigned } from './harness/client-certificates.ts';
import { type Deviation, dpopProof, newKeyPair } from './harness/fapi-client.ts';
import { assertRefused, type Refusal, Refusals, seconds } from './harness/fapi-refusal.ts';
import { CREDENTIALS, type FapiName } from './harness/fapi-town.ts';
import { atHome, pkce } from './harness/relying-party.ts';
import { returned } from './harness/trial-client.ts';

const refusals = new Refusals();
const push = (name: FapiName, wrong: Deviation) => () => refusals.push(name, wrong);
const redeem =
  (name: FapiName, wrong: () => Deviation | Promise<Deviation> = () => ({}), change?: (value: string) => string) =>
  async () =>
    refusals.redeem(name, await wrong(), change);
const code = (name: FapiName, wrong: Deviation = {}) => refusals.code(name, wrong);
const accessToken = (name: FapiName) => refusals.accessToken(name);

test.before(() => refusals.start());
test.after.always(() => refusals.stop());

const CASES: Refusal[] = [
  // Authorization requests
  {
    sentence: 'SP §5.3.2.2-3: shall reject authorization requests sent without RFC 9126',
    error: 'invalid_request',
    act: () => refusals.plain('jwtdpop'),
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
      'RFC 9126 §2.1: the redirect_uri of a pushed request is validated as at the authorization endpoint (unregistered)',
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
      const pushed = await refusals.place.clients.jwtdpop.push(pkce());
      const url = refusals.place.clients.jwtmtls.authorizationUrl(pushed.body['request_uri'] ?? '');
      const answer = await refusals.visitor.open(url, atHome(refusals.place.town));
      return new URLSearchParams({ error: String(answer.status) });
    },
  },
  {
    sentence: 'RFC 9126 §4: authorization servers SHOULD treat request_uri values as one-time use',
    error: 'invalid_request_uri',
    async act() {
      const pushed = await refusals.place.clients.jwtdpop.push(pkce());
      const url = refusals.place.clients.jwtdpop.authorizationUrl(pushed.body['request_uri'] ?? '');
      const first = await refusals.place.clients.jwtdpop.visit(refusals.visitor, url, CREDENTIALS);
      if (first.back.get('code') === null) return new URLSearchParams({ error: `first: ${first.back}` });
      const again = await refusals.visitor.open(url, atHome(refusals.place.town));
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
    sentence: 'RFC 9449 §10.1: dpop_jkt that is not the key of the proof is refused where it is pushed',
    status: 400,
    error: 'invalid_request',
    async act() {
      const client = refusals.place.clients.jwtdpop;
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
      await refusals.place.clients.jwtdpop.redeem(issued.code, issued.verifier);
      return refusals.place.clients.jwtdpop.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'SP §5.3.2.1-11: shall issue authorization codes with a maximum lifetime of 60 seconds',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtmtls');
      refusals.pass(61_000);
      return refusals.place.clients.jwtmtls.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'RFC 6749 §4.1.3: ensure that the authorization code was issued to the authenticated confidential client',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtdpop');
      const { redirectUri } = refusals.place.clients.jwtdpop;
      return refusals.place.clients.jwtmtls.redeem(issued.code, issued.verifier, {
        fields: { redirect_uri: redirectUri },
      });
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
      refusals.place.clients.jwtdpop.post('/token', {
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
      return refusals.place.clients.jwtdpop.redeem(issued.code, '', { fields: { code_verifier: undefined } });
    },
  },
  {
    sentence: 'RFC 6749 §3.2.1: the client is authenticated at the token endpoint (no assertion)',
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
      const assertionKey = { key: refusals.place.clients.jwtdpop.keys.privateKey, alg: 'ES256' };
      return refusals.place.clients.jwtmtls.redeem(issued.code, issued.verifier, { assertionKey });
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
      proofHeader: { jwk: await exportJWK(refusals.place.clients.jwtdpop.proofKeys.privateKey) },
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
        refusals.place.clients.jwtdpop.proofKeys,
        'POST',
        `${refusals.place.town.issuer}/token`,
        undefined,
      );
      const first = await code('jwtdpop');
      await refusals.place.clients.jwtdpop.redeem(first.code, first.verifier, { rawProof });
      const second = await code('jwtdpop');
      return refusals.place.clients.jwtdpop.redeem(second.code, second.verifier, { rawProof });
    },
  },
  {
    sentence:
      'SP §5.3.2.1-12: shall support Authorization Code Binding to DPoP Key, RFC 9449 §10.1 (another key at the token endpoint)',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const proofs = await newKeyPair();
      const rawProof = await dpopProof(proofs, 'POST', `${refusals.place.town.issuer}/request`, undefined);
      const issued = await code('jwtdpop', { rawProof });
      return refusals.place.clients.jwtdpop.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (token of DPoP as bearer token)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      refusals.place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), {
        noProof: true,
        headers: { authorization: `Bearer ${await accessToken('jwtdpop')}` },
      }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (another DPoP key)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      refusals.place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), { proofKey: await newKeyPair() }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (proof without the token’s hash)',
    status: 401,
    error: 'invalid_dpop_proof',
    act: async () =>
      refusals.place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), { proof: { ath: undefined } }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (another certificate)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      refusals.place.clients.jwtmtls.userinfo(await accessToken('jwtmtls'), { certificate: await selfSigned('x') }),
  },
  {
    sentence: 'SP §5.3.4-5: shall support and verify sender-constrained access tokens (no certificate)',
    status: 401,
    error: 'invalid_token',
    act: async () => refusals.place.clients.jwtmtls.userinfo(await accessToken('jwtmtls'), { noCertificate: true }),
  },
];

for (const refusal of CASES) test.serial(refusal.sentence, (t) => assertRefused(t, refusal));

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
    const pushed = await refusals.place.clients.jwtdpop.push(pkce());
    const url = refusals.place.clients.jwtdpop.authorizationUrl(pushed.body['request_uri'] ?? '');
    t.is((await refusals.visitor.send(url)).status, 303);
  },
);
