// npm install openid-client     Run: ISSUER=… CLIENT_ID=… CLIENT_SECRET=… node node.mjs
import { createServer } from 'node:http';
import * as oidc from 'openid-client';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, BASE = 'http://localhost:8080' } = process.env;
const local = ISSUER.startsWith('http://localhost') ? { execute: [oidc.allowInsecureRequests] } : {};
const auth = oidc.ClientSecretBasic(CLIENT_SECRET);
const config = await oidc.discovery(new URL(ISSUER), CLIENT_ID, undefined, auth, local);
const redirect_uri = `${BASE}/callback`;
const pending = new Map(); // one browser session each; use your framework's session instead

async function start(res) {
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  pending.set(state, { verifier, nonce });
  const to = oidc.buildAuthorizationUrl(config, {
    redirect_uri,
    scope: 'openid email',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  res.writeHead(303, { location: to.href, 'set-cookie': `state=${state}; HttpOnly; SameSite=Lax; Path=/` }).end();
}

async function callback(req, res, url) {
  const state = /(?:^|; )state=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
  const { verifier, nonce } = pending.get(state) ?? {};
  pending.delete(state);
  const tokens = await oidc.authorizationCodeGrant(config, url, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
  const { sub } = tokens.claims();
  const citizen = await oidc.fetchUserInfo(config, tokens.access_token, sub);
  res.setHeader('content-type', 'application/json').end(JSON.stringify(citizen));
}

createServer((req, res) => {
  const url = new URL(req.url, BASE);
  const answer = url.pathname === '/callback' ? callback(req, res, url) : start(res);
  answer.catch((error) => res.writeHead(400).end(`${error.code ?? ''} ${error.message}`));
}).listen(new URL(BASE).port, () => console.log(`open ${BASE}`));
