/** Two nodes, processes and ports of their own, behind HAProxy with our configuration: renewed one after the other under load. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { Wire } from '../bench/wire.ts';
import { freePort } from '../harness/free-port.ts';
import { type Node, PRODUCTION_HOST, startNode, startProduction } from '../harness/production.ts';
import { certificateIn, INFRA, installed, startProxy, untilListening } from '../harness/proxies.ts';
import { form } from '../harness/races.ts';
import { pkce } from '../harness/relying-party.ts';

const LANES = 8;
const CALLBACK = 'https://portal.stadt.example/callback';

type Answer = { readonly status: number; readonly location: string; readonly body: string };
type Ask = (
  path: string,
  options?: { method?: string; headers?: Record<string, string>; body?: string },
) => Promise<Answer>;

/** A caller with an address of its own, as the front counts requests by address. */
const caller = (port: number, lane: number): { ask: Ask; close: () => void } => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false, servername: PRODUCTION_HOST });
  const ask: Ask = (path, { method = 'GET', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const type = body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
      const all = { host: PRODUCTION_HOST, ...type, ...headers };
      const options = {
        host: '127.0.0.1',
        localAddress: `127.0.0.${lane + 2}`,
        port,
        path,
        method,
        agent,
        headers: all,
      };
      const req = request(options, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        res.on('end', () =>
          resolve({ status: res.statusCode ?? 0, location: String(res.headers.location ?? ''), body: text }),
        );
        res.on('error', reject);
      });
      req.on('error', reject);
      req.end(body);
    });
  return { ask, close: () => agent.destroy() };
};

/** One turn of a lane: single sign-on to tokens, a machine's token, the keys. Throws for whatever was not answered well. */
const turn = async (ask: Ask, cookie: string, secretOf: (id: string) => string): Promise<number> => {
  const wanted = async (what: string, answer: Answer, status: number): Promise<Answer> => {
    if (answer.status !== status) throw new Error(`${what}: ${answer.status} ${answer.body.slice(0, 300)}`);
    return answer;
  };
  const basic = (id: string): string => `Basic ${Buffer.from(`${id}:${secretOf(id)}`).toString('base64')}`;
  const { verifier, challenge } = pkce();
  const query = form({
    client_id: 'portal',
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  });
  const { location } = await wanted('authorization', await ask(`/auth?${query}`, { headers: { cookie } }), 303);
  const code = new URL(location).searchParams.get('code');
  if (code === null) throw new Error(`no code: ${location}`);
  const body = form({ grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier });
  const token = await ask('/token', { method: 'POST', headers: { authorization: basic('portal') }, body });
  await wanted('token', token, 200);
  const machine = { method: 'POST', headers: { authorization: basic('maschine') } };
  await wanted('machine', await ask('/token', { ...machine, body: 'grant_type=client_credentials' }), 200);
  await wanted('keys', await ask('/jwks'), 200);
  return 4;
};

test('two nodes are renewed one after the other behind HAProxy, and no request fails', async (t) => {
  const program = installed(t, 'haproxy');
  if (program === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'schluessel-roll-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const registrations = services('stadt-guetersloh');
  const [portal] = registrations;
  if (portal === undefined) throw new Error('no service');
  const ports = [await freePort(), await freePort()] as const;
  const first = await startProduction(registrations, { PORT: String(ports[0]) });
  const nodes: Node[] = [first, await startNode({ ...first.settings, PORT: String(ports[1]) })];
  const lanes: Promise<void>[] = [];
  let done = false;
  try {
    const { key, cert } = certificateIn(folder, 'front', PRODUCTION_HOST);
    const bundle = join(folder, 'bundle.pem');
    writeFileSync(bundle, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
    const [front, mtls, stats] = [await freePort(), await freePort(), await freePort()];
    startProxy(t, program, ['-db', '-f', join(INFRA, 'haproxy/front.cfg')], {
      FRONT_BIND: `127.0.0.1:${front}`,
      FRONT_CERTIFICATE: bundle,
      MTLS_BIND: `127.0.0.1:${mtls}`,
      MTLS_CA: cert,
      STATS_BIND: `127.0.0.1:${stats}`,
      NODE1: `127.0.0.1:${ports[0]}`,
      NODE2: `127.0.0.1:${ports[1]}`,
      ERROR_PAGES: join(INFRA, 'haproxy/errors'),
    });
    await untilListening(front);
    const measure = async (name: string, index: number, label: string): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${stats}/metrics`)).text();
      const line = `^haproxy_server_${name}\\{proxy="nodes",server="node${index + 1}",${label}\\} (\\d+)`;
      return Number(new RegExp(line, 'm').exec(text)?.[1]);
    };
    const inService = async (index: number): Promise<void> => {
      const deadline = Date.now() + 120_000;
      while ((await measure('status', index, 'state="UP"')) !== 1) {
        if (Date.now() > deadline) throw new Error(`HAProxy sends nothing to node ${index + 1}`);
        await pause(50);
      }
    };
    const served = (index: number): Promise<number> => measure('http_responses_total', index, 'code="2xx"');
    await Promise.all([inService(0), inService(1)]);

    const citizens = await addCitizens(first.context, portal, 2);
    const origin = `https://${PRODUCTION_HOST}`;
    const target: Target = { host: PRODUCTION_HOST, origin, port: ports[0], citizens, secretOf: first.secretOf };
    const wire = new Wire(PRODUCTION_HOST, ports[0]);
    for (const citizen of citizens) citizen.cookie = (await signIn(target, wire, citizen, 'password')).session();
    wire.close();

    let answered = 0;
    const faults: string[] = [];
    for (let lane = 0; lane < LANES; lane += 1) {
      const { ask, close } = caller(front, lane);
      const cookie = citizens[lane % citizens.length]?.cookie ?? '';
      const run = async (): Promise<void> => {
        while (!done) {
          await turn(ask, cookie, first.secretOf).then(
            (count) => {
              answered += count;
            },
            (error: unknown) => void faults.push(String(error)),
          );
          // However fast the machine: the front lets an address ask 1,000 times in ten seconds.
          await pause(50);
        }
        close();
      };
      lanes.push(run());
    }
    const untilAnswered = async (more: number): Promise<void> => {
      const wanted = answered + more;
      while (answered < wanted && faults.length === 0) await pause(20);
    };
    await untilAnswered(100);
    for (const index of [0, 1]) {
      const before = nodes[index] as Node;
      before.signal('SIGTERM');
      t.is(await before.ended, 0);
      nodes[index] = await startNode({ ...first.settings, PORT: String(ports[index]) });
      await inService(index);
      // The new process has its share before the other one goes.
      const share = await served(index);
      while ((await served(index)) < share + 20 && faults.length === 0) await pause(50);
    }
    await untilAnswered(100);
    done = true;
    await Promise.all(lanes);
    t.deepEqual(faults, []);
    t.log(`${answered} requests answered while both nodes were renewed, none failed`);
  } finally {
    done = true;
    await Promise.all(lanes);
    for (const node of nodes.slice(1)) await node.stop();
    await nodes[0]?.stop();
    await first.stop();
  }
});
