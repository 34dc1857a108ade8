/**
 * Stands where AusweisApp stands on a citizen's device: fetches and checks the TC token, tells what the service asks,
 * takes a specimen card instead of a real one, and leads the browser back.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { connect, type TLSSocket } from 'node:tls';
import { choicePage, refusalPage } from './eid-client.view.ts';
import { checkTerminal, type FetchedToken, fetchTcToken } from './tc-token.ts';

export type EidClientOptions = {
  readonly port: number;
  /** Who makes the certificate of the provider, where it is not one that everybody knows. */
  readonly authority?: string;
};

export type Greeting = {
  readonly terminal: {
    readonly subjectName: string;
    readonly subjectUrl: string;
    readonly tlsHashes: readonly string[];
  };
  readonly asked: readonly string[];
  readonly age?: number;
  readonly community?: string;
};

/** One way to the eID-Server, one line of JSON for each message. */
type Line = { ask(message?: object): Promise<unknown>; close(): void };

const RUN_MILLISECONDS = 10 * 60_000;
const ANSWER_MILLISECONDS = 10_000;

const openLine = (token: FetchedToken): Promise<Line> =>
  new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      host: token.serverAddress.hostname,
      port: Number(token.serverAddress.port || 443),
      ciphers: 'PSK-AES128-GCM-SHA256:DHE-PSK-AES128-GCM-SHA256',
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ identity: token.session, psk: token.psk }),
    });
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    socket.setTimeout(RUN_MILLISECONDS, () => socket.destroy());
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      socket.off('error', reject).on('error', () => {});
      resolve({
        async ask(message) {
          if (message !== undefined) socket.write(`${JSON.stringify(message)}\n`);
          const timer = setTimeout(() => socket.destroy(), ANSWER_MILLISECONDS);
          const { value, done } = await lines.next();
          clearTimeout(timer);
          if (done === true) throw new Error('the eID-Server hung up');
          return JSON.parse(String(value));
        },
        close: () => void socket.destroy(),
      });
    });
  });

type Run = { readonly token: FetchedToken; readonly line: Line; readonly greeting: Greeting };

/** The way back (TR-03124-1 §2.5.4): the refresh address with what came of it. */
const wayBack = (address: URL, major: 'ok' | 'error', minor?: string): string => {
  const url = new URL(address);
  url.searchParams.set('ResultMajor', major);
  if (minor !== undefined) url.searchParams.set('ResultMinor', minor);
  return url.href;
};

export const startEidClient = async (options: EidClientOptions): Promise<{ port: number; close(): Promise<void> }> => {
  const runs = new Map<string, Run>();

  const begin = async (tcTokenUrl: string, res: ServerResponse): Promise<void> => {
    let token: FetchedToken;
    try {
      token = await fetchTcToken(tcTokenUrl, options.authority);
    } catch (error) {
      // Without a token there is no way back: AusweisApp shows a page of its own.
      return void res
        .writeHead(404, { 'content-type': 'text/html; charset=utf-8' })
        .end(refusalPage((error as Error).message));
    }
    let line: Line | undefined;
    try {
      line = await openLine(token);
      const greeting = (await line.ask()) as Greeting;
      checkTerminal(token, greeting.terminal);
      const id = randomBytes(16).toString('hex');
      runs.set(id, { token, line, greeting });
      setTimeout(() => runs.delete(id), RUN_MILLISECONDS).unref();
      res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(choicePage(id, greeting));
    } catch {
      line?.close();
      res
        .writeHead(303, { location: wayBack(token.refreshAddress, 'error', 'trustedChannelEstablishmentFailed') })
        .end();
    }
  };

  const choose = async (form: URLSearchParams, res: ServerResponse): Promise<void> => {
    const id = form.get('run') ?? '';
    const run = runs.get(id);
    if (run === undefined)
      return void res
        .writeHead(404, { 'content-type': 'text/html; charset=utf-8' })
        .end(refusalPage('Vorgang abgelaufen'));
    const back = (major: 'ok' | 'error', minor?: string): void => {
      runs.delete(id);
      run.line.close();
      res.writeHead(303, { location: wayBack(run.token.refreshAddress, major, minor) }).end();
    };
    const how = form.get('how') ?? 'send';
    if (how === 'cancel') return back('error', 'cancellationByUser');
    if (how === 'break') return back('error', 'communicationError');
    const message =
      how === 'deny'
        ? { deny: true }
        : how.startsWith('answer:')
          ? { answer: how.slice(7) }
          : { card: form.get('card'), pin: form.get('pin') };
    const { ok } = (await run.line.ask(message)) as { ok: boolean };
    if (ok) return back('ok');
    res
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
      .end(choicePage(id, run.greeting, 'Die PIN ist falsch. Die PIN der Musterkarten ist 123456.'));
  };

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const url = new URL(req.url ?? '/', 'http://127.0.0.1');
    if (url.pathname !== '/eID-Client') return void res.writeHead(404).end();
    if (req.method === 'POST') {
      let body = '';
      for await (const chunk of req) body += String(chunk);
      return choose(new URLSearchParams(body), res);
    }
    const status = url.searchParams.get('Status');
    if (status !== null) {
      const info = { 'Implementation-Title': 'Sandbox-eID-Client', 'Specification-Version': 'TR-03124-1 1.3' };
      res.writeHead(200, { 'access-control-allow-origin': '*' });
      return void res.end(
        status === 'json'
          ? JSON.stringify(info)
          : Object.entries(info)
              .map((pair) => pair.join(': '))
              .join('\n'),
      );
    }
    return begin(url.searchParams.get('tcTokenURL') ?? '', res);
  };

  const server = createServer((req, res) => {
    answer(req, res).catch(() => (res.headersSent ? res.destroy() : res.writeHead(500).end()));
  });
  await new Promise<void>(
    (resolve, reject) => void server.once('error', reject).listen(options.port, '127.0.0.1', resolve),
  );
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const { line } of runs.values()) line.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
