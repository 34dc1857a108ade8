/**
 * What FAPI 2.0 forbids, each case named after the sentence of the specification that it breaks:
 * Sections are cited as remembered and not yet held against the published text; the sentences are paraphrased.
 * SP = FAPI 2.0 Security Profile (final), MS = FAPI 2.0 Message Signing, and the RFCs that they build on.
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
    sentence: 'SP §5.3.2.2-3: shall reject pushed authorization requests without client authentication',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { anonymous: true }),
  },
  {
    sentence:
      'SP §5.3.2.1-6: shall only accept its issuer identifier value as a string in the aud claim (token endpoint)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { aud: `${place.town.issuer}/token` } })(),
  },
  {
    sentence: 'SP §5.3.2.1-6: shall only accept its issuer identifier value as a string in the aud claim (array)',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { aud: [place.town.issuer] } })(),
  },
  {
    sentence:
      'SP §5.3.2.1-6: shall only accept its issuer identifier value as a string in the aud claim (another server)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { aud: 'https://anderswo.example' } }),
  },
  {
    sentence: 'SP §5.3.2.1-13: shall reject JWTs with an iat timestamp greater than 60 seconds in the future',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { iat: seconds() + 75, exp: seconds() + 130 } })(),
  },
  {
    sentence: 'SP §5.3.2.1-13: shall reject JWTs with an nbf timestamp greater than 60 seconds in the future',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { nbf: seconds() + 75, exp: seconds() + 130 } })(),
  },
  {
    sentence: 'RFC 7523 §3-4: the JWT must contain an exp claim that limits the time window',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { exp: undefined } }),
  },
  {
    sentence: 'RFC 7523 §3-4: the authorization server must reject any JWT with an expiration time that has passed',
    status: 401,
    error: 'invalid_client',
    act: () => push('jwtdpop', { assertion: { iat: seconds() - 120, exp: seconds() - 60 } })(),
  },
  {
    sentence: 'RFC 7523 §3-1: for client authentication the iss must be the client_id',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', { assertion: { iss: 'jwtmtls' } }),
  },
  {
    sentence: 'RFC 7523 §3-2: for client authentication the sub must be the client_id',
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
    sentence: 'RFC 7523 §3-9: the JWT must be digitally signed by the issuer (another key)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('jwtdpop', { assertionKey: { key: (await newKeyPair()).privateKey, alg: 'ES256' } })(),
  },
  {
    sentence: 'SP §5.4.1-1: shall use PS256, ES256, or EdDSA (RS256)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('jwtdpop', { assertionKey: { key: (await newKeyPair('RS256')).privateKey, alg: 'RS256' } })(),
  },
  {
    sentence: 'RFC 8705 §2: the certificate must be presented (tls_client_auth without one)',
    status: 401,
    error: 'invalid_client',
    act: push('tlstls', { noCertificate: true }),
  },
  {
    sentence: 'RFC 8705 §2.1: the chain must be validated, and the subject must be the registered one (another name)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('tlstls', { certificate: await place.authority.issue('boese.bank.example') })(),
  },
  {
    sentence: 'RFC 8705 §2.1: the chain must be validated, and the subject must be the registered one (nobody vouches)',
    status: 401,
    error: 'invalid_client',
    act: async () => push('tlstls', { certificate: await selfSigned('tlstls.bank.example') })(),
  },
  {
    sentence: 'RFC 8705 §2.2: a self-signed certificate must be one of those registered',
    status: 401,
    error: 'invalid_client',
    act: async () => push('selftls', { certificate: await selfSigned('selftls') })(),
  },
  {
    sentence: 'RFC 8705 §6.5: certificate headers from others than the proxy must not be believed',
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
    sentence: 'SP §5.3.2.1-5: shall authenticate clients by mTLS or private_key_jwt (secret in the form)',
    status: 401,
    error: 'invalid_client',
    act: push('jwtdpop', {
      anonymous: true,
      headers: { authorization: `Basic ${Buffer.from('jwtdpop:geheim').toString('base64')}` },
    }),
  },
  // Authorization requests
  {
    sentence: 'SP §5.3.2.2-2: shall reject authorization requests sent without PAR',
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
    sentence: 'SP §5.3.2.2-5: shall require PKCE with S256 (no challenge)',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { fields: { code_challenge: undefined, code_challenge_method: undefined } }),
  },
  {
    sentence: 'SP §5.3.2.2-5: shall require PKCE with S256 (plain)',
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
    sentence: 'SP §5.3.2.2-6: a redirect_uri that is not registered is refused when it is pushed',
    status: 400,
    error: 'invalid_request',
    act: push('jwtdpop', { fields: { redirect_uri: 'https://boese.example/callback' } }),
  },
  {
    sentence: 'RFC 9126 §2.1: the request_uri parameter must not be provided in a pushed request',
    status: 400,
    error: 'request_uri_not_supported',
    act: push('jwtdpop', { fields: { request_uri: 'urn:ietf:params:oauth:request_uri:x' } }),
  },
  {
    sentence: 'RFC 9126 §4: the request_uri is bound to the client that pushed it',
    error: '400',
    async act() {
      const pushed = await place.clients.jwtdpop.push(pkce());
      const url = place.clients.jwtmtls.authorizationUrl(pushed.body['request_uri'] ?? '');
      const answer = await visitor.open(url, atHome(place.town));
      return new URLSearchParams({ error: String(answer.status) });
    },
  },
  {
    sentence: 'RFC 9126 §7.3: request_uri values should be treated as one-time use values',
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
  // Codes
  {
    sentence: 'RFC 7636 §4.6: a code_verifier that does not match is refused',
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
    sentence: 'SP §5.3.2.1-10: shall issue authorization codes with a maximum lifetime of 60 seconds',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtmtls');
      aheadMs += 61_000;
      return place.clients.jwtmtls.redeem(issued.code, issued.verifier);
    },
  },
  {
    sentence: 'RFC 6749 §4.1.3: the code must have been issued to the authenticated client',
    status: 400,
    error: 'invalid_grant',
    async act() {
      const issued = await code('jwtdpop');
      const { redirectUri } = place.clients.jwtdpop;
      return place.clients.jwtmtls.redeem(issued.code, issued.verifier, { fields: { redirect_uri: redirectUri } });
    },
  },
  {
    sentence: 'RFC 6749 §4.1.3: the redirect_uri must be the one of the authorization request',
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
    sentence: 'RFC 9449 §4.3-2: the proof’s typ is dpop+jwt',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proofHeader: { typ: 'jwt' } })),
  },
  {
    sentence: 'RFC 9449 §4.3-7: the key in the proof does not contain a private key',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', async () => ({
      proofHeader: { jwk: await exportJWK(place.clients.jwtdpop.proofKeys.privateKey) },
    })),
  },
  {
    sentence: 'RFC 9449 §4.3-8: the proof’s htm matches the method of the request',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { htm: 'GET' } })),
  },
  {
    sentence: 'RFC 9449 §4.3-9: the proof’s htu matches the address of the request',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { htu: 'https://anderswo.example/token' } })),
  },
  {
    sentence: 'RFC 9449 §4.3-11: the proof was made lately (ten minutes ago)',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { iat: seconds() - 600 } })),
  },
  {
    sentence: 'SP §5.3.2.1-13: shall reject JWTs with an iat greater than 60 seconds in the future (DPoP proof)',
    status: 400,
    error: 'invalid_dpop_proof',
    act: redeem('jwtdpop', () => ({ proof: { iat: seconds() + 75 } })),
  },
  {
    sentence: 'RFC 9449 §11.1: a proof is accepted once only',
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
      'RFC 9449 §10: shall support Authorization Code Binding to a DPoP Key (another key at the token endpoint)',
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
    sentence: 'SP §5.3.3-5: resource servers shall verify the sender constraint (token of DPoP as bearer token)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), {
        noProof: true,
        headers: { authorization: `Bearer ${await accessToken('jwtdpop')}` },
      }),
  },
  {
    sentence: 'SP §5.3.3-5: resource servers shall verify the sender constraint (another DPoP key)',
    status: 401,
    error: 'invalid_token',
    act: async () => place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), { proofKey: await newKeyPair() }),
  },
  {
    sentence: 'SP §5.3.3-5: resource servers shall verify the sender constraint (proof without the token’s hash)',
    status: 401,
    error: 'invalid_dpop_proof',
    act: async () => place.clients.jwtdpop.userinfo(await accessToken('jwtdpop'), { proof: { ath: undefined } }),
  },
  {
    sentence: 'SP §5.3.3-5: resource servers shall verify the sender constraint (another certificate)',
    status: 401,
    error: 'invalid_token',
    act: async () =>
      place.clients.jwtmtls.userinfo(await accessToken('jwtmtls'), { certificate: await selfSigned('x') }),
  },
  {
    sentence: 'SP §5.3.3-5: resource servers shall verify the sender constraint (no certificate)',
    status: 401,
    error: 'invalid_token',
    act: async () => place.clients.jwtmtls.userinfo(await accessToken('jwtmtls'), { noCertificate: true }),
  },
  // Message signing
  {
    sentence: 'MS §5.3.1: shall require signed request objects (parameters in the open)',
    status: 400,
    error: 'invalid_request',
    act: push('signing', { unsignedRequest: true }),
  },
  {
    sentence: 'MS §5.3.1-3: shall require the aud claim in the request object to be the issuer',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { aud: 'https://anderswo.example' } }),
  },
  {
    sentence:
      'MS §5.3.1-4: shall require the request object to contain an nbf claim that is no longer than 60 minutes ago',
    status: 400,
    error: 'invalid_request_object',
    act: () => push('signing', { request: { nbf: seconds() - 4000, exp: seconds() + 60 } })(),
  },
  {
    sentence: 'MS §5.3.1-4: shall require the request object to contain an nbf claim (none)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { nbf: undefined } }),
  },
  {
    sentence: 'MS §5.3.1-5: shall require the request object to contain an exp claim (none)',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { exp: undefined } }),
  },
  {
    sentence: 'RFC 9101 §6.2: the signature of the request object must be validated (another key)',
    status: 400,
    error: 'invalid_request_object',
    act: async () => push('signing', { requestKey: { key: (await newKeyPair()).privateKey, alg: 'ES256' } })(),
  },
  {
    sentence: 'RFC 9101 §6.3: the client_id in the request object must be the client’s own',
    status: 400,
    error: 'invalid_request_object',
    act: push('signing', { request: { client_id: 'jwtdpop' } }),
  },
  {
    sentence: 'MS §5.4.1: shall return signed responses (a request for an unsigned one)',
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

test.serial('SP §5.3.2.1-13: shall accept JWTs with an iat or nbf 0 to 10 seconds in the future', async (t) => {
  const ahead = seconds() + 9;
  t.is((await push('jwtdpop', { assertion: { iat: ahead, nbf: ahead } })()).status, 201);
});

test.serial('SP §5.3.2.2-11: shall issue pushed request URIs with expires_in of less than 600 seconds', async (t) => {
  const { body } = await push('jwtdpop', {})();
  t.true(Number(body['expires_in']) < 600);
});

test.serial('SP §5.3.2.2-8: shall not use the HTTP 307 status code when redirecting', async (t) => {
  const pushed = await place.clients.jwtdpop.push(pkce());
  const url = place.clients.jwtdpop.authorizationUrl(pushed.body['request_uri'] ?? '');
  t.is((await visitor.send(url)).status, 303);
});
