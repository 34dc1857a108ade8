import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { addAuthenticator, startBrowser } from './harness/browser.ts';
import { certificateFor, nameExampleHosts } from './harness/names.ts';

test('the test browser makes passkeys on a page whose name and certificate exist only here', async (t) => {
  const certificate = await certificateFor(['id.stadt.example']);
  nameExampleHosts();
  const server = createServer(certificate, (_req, res) => {
    res.setHeader('content-type', 'text/html').end('<!doctype html><title>Seite</title><h1>Seite</h1>');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `https://id.stadt.example:${(server.address() as AddressInfo).port}/`;
  t.is((await fetch(url)).status, 200);

  const browser = await startBrowser(certificate.spki);
  const page = await browser.newPage();
  const authenticator = await addAuthenticator(page);
  await page.goto(url);
  const type = await page.evaluate(async () => {
    const credential = await navigator.credentials.create({
      publicKey: {
        rp: { id: 'id.stadt.example', name: 'Stadt' },
        user: { id: new Uint8Array(16), name: 'a', displayName: 'a' },
        challenge: new Uint8Array(32),
        pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      },
    });
    return credential?.type;
  });
  t.is(type, 'public-key');
  t.is(await authenticator.count(), 1);
  await browser.close();
  server.close();
  server.closeAllConnections();
});
