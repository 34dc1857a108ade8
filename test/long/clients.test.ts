/** Real client libraries, as their makers mean them to be used; only the citizen's part is played by plain forms. */
import test from 'ava';
import { generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';
import { CREDENTIALS, type FapiTown, startFapiTown } from '../harness/fapi-town.ts';
import { atHome } from '../harness/relying-party.ts';
import { answerPages, registerTrial } from '../harness/trial-client.ts';
import { Visitor } from '../harness/visitor.ts';

let place: FapiTown;

test.before(async () => {
  place = await startFapiTown();
});

test.after.always(() => place?.town.close());

/** Plays the citizen; the address at which the service is called back. */
const signIn = async (visitor: Visitor, url: URL): Promise<URL> => {
  const home = atHome(place.town);
  const end = await answerPages(place.town, visitor, await visitor.open(url, home), CREDENTIALS);
  return new URL(String(end.headers['location']));
};

test.serial('openid-client: signs in, reads claims, refreshes, revokes, signs out', async (t) => {
  const client = await registerTrial(place.town, {
    grant_types: ['authorization_code', 'refresh_token'],
    post_logout_redirect_uris: ['https://suite.example/ende'],
  });
  const config = await oidc.discovery(
    new URL(place.town.issuer),
    client.clientId,
    { client_secret: String(client.metadata['client_secret']), id_token_signed_response_alg: 'RS256' },
    oidc.ClientSecretBasic(String(client.metadata['client_secret'])),
  );
  const verifier = oidc.randomPKCECodeVerifier();
  const [state, nonce] = [oidc.randomState(), oidc.randomNonce()];
  const visitor = new Visitor();
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: client.redirectUri,
    scope: 'openid email',
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  const tokens = await oidc.authorizationCodeGrant(config, await signIn(visitor, url), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
  });
  const sub = tokens.claims()?.sub ?? '';
  t.is((await oidc.fetchUserInfo(config, tokens.access_token, sub)).email, CREDENTIALS.email);
  const next = await oidc.refreshTokenGrant(config, tokens.refresh_token ?? '');
  t.is((await oidc.fetchUserInfo(config, next.access_token, sub)).sub, sub);
  await oidc.tokenRevocation(config, tokens.refresh_token ?? '');
  await t.throwsAsync(oidc.refreshTokenGrant(config, tokens.refresh_token ?? ''), { message: /.*/ });
  const end = oidc.buildEndSessionUrl(config, {
    post_logout_redirect_uri: 'https://suite.example/ende',
    id_token_hint: tokens.id_token ?? '',
  });
  const home = atHome(place.town);
  const left = await visitor.submitTo(await visitor.open(end, home), 'confirm', { logout: 'yes' }, home);
  t.true(String(left.headers['location']).startsWith('https://suite.example/ende'));
});

test.serial('oauth4webapi: FAPI 2.0 with private_key_jwt, pushed requests and DPoP', async (t) => {
  const fapi = place.clients.jwtdpop;
  const issuer = new URL(place.town.issuer);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer));
  const client: oauth.Client = { client_id: fapi.variant.clientId };
  const authentication = oauth.PrivateKeyJwt({ key: fapi.keys.privateKey, kid: 'eins' });
  const DPoP = oauth.DPoP(client, await generateKeyPair('ES256'));
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const pushed = await oauth.processPushedAuthorizationResponse(
    server,
    client,
    await oauth.pushedAuthorizationRequest(
      server,
      client,
      authentication,
      new URLSearchParams({
        redirect_uri: fapi.redirectUri,
        response_type: 'code',
        scope: 'openid',
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }),
      { DPoP },
    ),
  );
  const callback = await signIn(new Visitor(), fapi.authorizationUrl(pushed.request_uri));
  const answer = oauth.validateAuthResponse(server, client, callback, state);
  const tokens = await oauth.processAuthorizationCodeResponse(
    server,
    client,
    await oauth.authorizationCodeGrantRequest(server, client, authentication, answer, fapi.redirectUri, verifier, {
      DPoP,
    }),
    { expectedNonce: nonce, requireIdToken: true },
  );
  t.is(tokens.token_type, 'dpop');
  const { sub = '' } = oauth.getValidatedIdTokenClaims(tokens) ?? {};
  const info = await oauth.processUserInfoResponse(
    server,
    client,
    sub,
    await oauth.userInfoRequest(server, client, tokens.access_token, { DPoP }),
  );
  t.is(info.sub, sub);
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    client,
    await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token ?? '', { DPoP }),
  );
  t.truthy(refreshed.access_token);
});
