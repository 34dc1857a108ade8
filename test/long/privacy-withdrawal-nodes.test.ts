/** A consent is withdrawn on one node; another one, a process of its own, gives nothing any more at once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { type Node, startNode } from '../harness/production.ts';
import { atHome, authorizationUrl, basic, pkce, redeem } from '../harness/relying-party.ts';
import { type RunningTown, startTown } from '../harness/town.ts';
import { registerAt } from '../harness/walk-in.ts';

const ROUNDS = 5;
const CITIZEN = {
  email: 'zweiknoten@buerger.example',
  givenName: 'Zita',
  familyName: 'Zweiknoten',
  password: 'achtzehn rostige Fahrräder',
};

let town: RunningTown;
let other: Node;
const folder = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-nodes-'));

test.before(async () => {
  town = await startTown();
  const ring = path.join(folder, 'keyring.json');
  writeFileSync(ring, town.keyRing, { mode: 0o600 });
  other = await startNode({
    ISSUER: town.issuer,
    DATABASE_URL: town.database.url,
    // Whichever node takes a mail out of the outbox sends it.
    SMTP_URL: town.mail.url,
    TOWN_FILE: path.join(import.meta.dirname, '../../infra/towns/guetersloh/town.yaml'),
    TRUSTED_PROXIES: '127.0.0.1/32',
    KEYRING_FILE: ring,
  });
});

test.after.always(async () => {
  await other?.stop();
  await town?.close();
  rmSync(folder, { recursive: true, force: true });
});

type Asked = { status: number; body: Record<string, unknown> };

/** Asks the other node, as its proxy would. */
const ask = (at: string, authorization: string, fields?: Record<string, string>): Promise<Asked> =>
  new Promise((resolve, reject) => {
    const headers = {
      host: new URL(town.issuer).host,
      'x-forwarded-proto': 'https',
      accept: 'application/json',
      authorization,
      ...(fields && { 'content-type': 'application/x-www-form-urlencoded' }),
    };
    const options = { port: other.port, path: at, method: fields === undefined ? 'GET' : 'POST', headers };
    const req = request(options, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += String(chunk);
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: text.startsWith('{') ? JSON.parse(text) : {} }));
    });
    req.on('error', reject);
    req.end(fields === undefined ? undefined : new URLSearchParams(fields).toString());
  });

test('withdrawn on one node, the first answer of the other is a refusal; the service is told', async (t) => {
  const walk = await registerAt(town, 'portal', CITIZEN, { scope: 'openid email profile' });
  let tokens = await redeem(town, 'portal', walk.code, walk.proof.verifier);
  let slowest = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const token = tokens.body['access_token'] ?? '';
    const bearer = `Bearer ${token}`;
    const before = await ask('/userinfo', bearer);
    t.is(before.status, 200);
    t.is(before.body['given_name'], 'Zita');
    const told = town.services.portal.logouts.length;

    const page = await walk.visitor.open(new URL('/konto/daten', town.issuer), atHome(town));
    const begun = performance.now();
    await walk.visitor.submitTo(page, 'withdraw', { service: 'portal' }, atHome(town));
    t.is((await ask('/userinfo', bearer)).status, 401);
    const introspected = await ask('/token/introspection', basic(town, 'portal'), { token });
    t.deepEqual(introspected.body, { active: false });
    slowest = Math.max(slowest, performance.now() - begun);
    for (const end = Date.now() + 15_000; town.services.portal.logouts.length === told; ) {
      if (Date.now() > end) throw new Error('the service was not told');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }

    const proof = pkce();
    const url = authorizationUrl(town, 'portal', proof, { scope: 'openid email profile' });
    const asked = await walk.visitor.open(url, atHome(town));
    const back = await walk.visitor.submitTo(asked, 'consent', { 'claim.email': 'yes' }, atHome(town));
    const code = new URL(String(back.headers['location'])).searchParams.get('code') ?? '';
    tokens = await redeem(town, 'portal', code, proof.verifier);
  }
  t.log(`${ROUNDS} withdrawals, the slowest with the other node’s answers ${slowest.toFixed(0)} ms`);
});
