import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oidc from 'openid-client';
import type { Cli } from './cli.ts';
import { EXIT, Refusal } from './command.ts';
import { plainText } from './plain.ts';
import { begin, discover, newKey, resourceOf, SCOPE } from './session.ts';

const WAIT_MS = 10 * 60 * 1000;

const openBrowser = (url: string): void => {
  const command = process.platform === 'darwin' ? 'open' : process.platform === 'win32' ? 'explorer' : 'xdg-open';
  const child = spawn(command, [url], { stdio: 'ignore', detached: true });
  // No browser here: the address stands on the terminal anyway.
  child.on('error', () => {});
  child.unref();
};

const page = (res: ServerResponse, language: string, text: string): void => {
  res.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'",
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    connection: 'close',
  });
  res.end(
    `<!doctype html><html lang="${language}"><meta charset="utf-8"><title>Stadtschlüssel</title><main><h1>Stadtschlüssel</h1><p>${text}</p></main></html>`,
  );
};

/** By the browser on this machine: PKCE and a redirect to a port of the loopback address (RFC 8252 §7.3). */
const byBrowser = async (
  cli: Cli,
  config: oidc.Configuration,
  pair: oidc.CryptoKeyPair,
  server: string,
  browser: boolean,
) => {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  try {
    const redirectUri = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
    const verifier = oidc.randomPKCECodeVerifier();
    const state = oidc.randomState();
    const nonce = oidc.randomNonce();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: SCOPE,
      resource: resourceOf(server),
      // Each sign-in asks for the passkey, whatever session the browser has.
      prompt: 'login',
      state,
      nonce,
      ui_locales: cli.language,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
    cli.say(cli.t.open);
    cli.say(`\n  ${url.href}\n`);
    cli.say(cli.t.waiting);
    if (browser) openBrowser(url.href);
    const back = await new Promise<URL>((resolve, reject) => {
      const late = setTimeout(() => reject(new Refusal(EXIT.signIn, cli.t.noSession)), WAIT_MS);
      listener.on('request', (req, res) => {
        const called = new URL(req.url ?? '/', redirectUri);
        if (called.pathname !== '/callback' || called.searchParams.get('state') !== state) {
          res.writeHead(404).end();
          return;
        }
        page(res, cli.language, called.searchParams.has('code') ? cli.t.closeWindow : cli.t.refusedWindow);
        clearTimeout(late);
        resolve(called);
      });
    });
    return await oidc.authorizationCodeGrant(
      config,
      back,
      { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce },
      { resource: resourceOf(server) },
      { DPoP: oidc.getDPoPHandle(config, pair) },
    );
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
};

/** By a browser elsewhere (RFC 8628): over SSH there is none here. */
const byDevice = async (cli: Cli, config: oidc.Configuration, pair: oidc.CryptoKeyPair, server: string) => {
  const DPoP = oidc.getDPoPHandle(config, pair);
  const device = await oidc.initiateDeviceAuthorization(config, { scope: SCOPE, resource: resourceOf(server) });
  cli.say(cli.t.open);
  cli.say(`\n  ${device.verification_uri}\n`);
  cli.say(cli.t.code(device.user_code));
  cli.say(cli.t.waiting);
  return oidc.pollDeviceAuthorizationGrant(config, device, { resource: resourceOf(server) }, { DPoP });
};

/** Signs in to a server and keeps the tokens. */
export const signIn = async (cli: Cli, server: string, way: 'browser' | 'address' | 'device'): Promise<void> => {
  const pair = await newKey();
  try {
    const config = await discover(server);
    const tokens =
      way === 'device'
        ? await byDevice(cli, config, pair, server)
        : await byBrowser(cli, config, pair, server, way === 'browser');
    await begin(cli, server, pair, tokens);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) {
      throw new Refusal(EXIT.signIn, cli.t.loginFailed(plainText(error.error_description ?? error.error)));
    }
    if (error instanceof oidc.ClientError || error instanceof TypeError) {
      throw new Refusal(EXIT.unavailable, cli.t.unreachable(server));
    }
    throw error;
  }
};
