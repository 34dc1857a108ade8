/** FAPI 2.0 by a library that its certified client is written with; the citizen's part is played by plain forms. */
import test from 'ava';
import { generateKeyPair } from 'jose';
import * as oauth from 'oauth4webapi';
import { CREDENTIALS, type FapiTown, startFapiTown } from '../harness/fapi-town.ts';
import { atHome } from '../harness/relying-party.ts';
import { answerPages } from '../harness/trial-client.ts';
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
