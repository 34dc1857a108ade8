import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import { startTracing } from '../adapters/tracing.ts';
import { addCitizen, obtainCode, pkce, redeem, userinfo } from './harness/relying-party.ts';
import { startTown } from './harness/town.ts';
import { Visitor } from './harness/visitor.ts';

type Span = {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: { key: string; value: object }[];
};

/** The receiving end of OTLP over HTTP, as a collector has it. */
const startReceiver = async () => {
  const bodies: string[] = [];
  const paths = new Set<string | undefined>();
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk) => {
      body += String(chunk);
    });
    req.on('end', () => {
      paths.add(req.url);
      bodies.push(body);
      res.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const spans = (): Span[] =>
    bodies.flatMap((body) =>
      (JSON.parse(body) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] }).resourceSpans.flatMap((resource) =>
        resource.scopeSpans.flatMap((scope) => scope.spans),
      ),
    );
  const endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/sammler`);
  return { bodies, paths, spans, endpoint, close: () => server.close() };
};

test('traces show the parts of a request, and neither citizen nor service, secret nor statement', async (t) => {
  const receiver = await startReceiver();
  const town = await startTown();
  t.teardown(async () => {
    await town.close();
    receiver.close();
  });
  const email = 'verfolgt@buerger.example';
  const password = 'acht schnelle Igel im Laub';
  const account = await addCitizen(town, email, password);
  const tracing = await startTracing({ endpoint: receiver.endpoint, share: 1 });
  const proof = pkce();
  const visitor = new Visitor();
  const code = await obtainCode(town, visitor, 'fahrkarte', proof, { email, password });
  const { body } = await redeem(town, 'fahrkarte', code, proof.verifier);
  const info = await userinfo(town, body['access_token'] ?? '');
  t.is(info.status, 200);
  const foreign = '0af7651916cd43dd8448eb211c80319c';
  const headers = { traceparent: `00-${foreign}-b7ad6b7169203331-01` };
  const refused = await new Visitor().send(`${town.issuer}/auth?client_id=fahrkarte`, { headers });
  t.is(refused.status, 400);
  await tracing.close();

  t.deepEqual([...receiver.paths], ['/sammler/v1/traces']);
  const spans = receiver.spans();
  const roots = spans.filter(({ parentSpanId }) => !parentSpanId);
  const names = new Set(roots.map(({ name }) => name));
  for (const name of ['authorization', 'sign-in', 'token', 'userinfo']) t.true(names.has(name), name);
  const token = roots.find(({ name }) => name === 'token');
  const parts = spans.filter(({ parentSpanId }) => parentSpanId === token?.spanId);
  t.true(parts.length > 0 && parts.every(({ name, traceId }) => name === 'database' && traceId === token?.traceId));
  t.true(spans.some(({ name, parentSpanId }) => name === 'hashing' && parentSpanId));
  t.deepEqual([...new Set(spans.flatMap(({ attributes }) => attributes.map(({ key }) => key)))].sort(), [
    'http.request.method',
    'http.response.status_code',
    'schluessel.request',
  ]);
  const all = receiver.bodies.join('\n');
  const said = [email, password, account, 'fahrkarte', code, body['access_token'], info.body['sub'], proof.verifier];
  for (const secret of [...said, 'SELECT', 'client_id', '127.0.0.1', foreign])
    t.false(all.includes(String(secret)), String(secret));

  // Afterwards nothing is collected any more.
  const before = receiver.bodies.length;
  await new Visitor().send(`${town.issuer}/auth?client_id=fahrkarte`);
  t.is(receiver.bodies.length, before);
});

test('without a collector none of its code is loaded', (t) => {
  const loadedBy = (file: string): (string | undefined)[] => {
    const source = readFileSync(new URL(`../adapters/${file}`, import.meta.url), 'utf8');
    return [...source.matchAll(/^import (?!type).*from '([^']+)'/gm)].map(([, name]) => name);
  };
  t.deepEqual(loadedBy('tracing.ts'), ['./request-context.ts']);
  t.deepEqual(loadedBy('request-context.ts'), ['node:async_hooks']);
});
