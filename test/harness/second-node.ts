/** A second node beside the one of a town, in a process of its own, and a balancer that sends requests to both in turn. */
import { type ChildProcess, fork } from 'node:child_process';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Town } from '../../accounts/town.ts';
import type { SourceSettings } from '../../adapters/source-config.ts';

/** What makes a node: all that the nodes of a town share. */
export type NodeFacts = {
  readonly issuer: string;
  readonly databaseUrl: string;
  readonly keyRing: string;
  readonly smtpUrl: string;
  readonly town: Town;
  readonly sources: SourceSettings | undefined;
};

export type NodeState = {
  readonly served: number;
  readonly memoryBytes: number;
  readonly busyConnections: number;
  readonly waitingForConnections: number;
};

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

const URL_MARK = 'url of the facts';

/** Addresses do not survive JSON by themselves. */
const writeFacts = (facts: NodeFacts): string =>
  JSON.stringify(facts, function (this: Record<string, unknown>, name, value) {
    const original = this[name];
    return original instanceof URL ? { [URL_MARK]: original.href } : value;
  });

export const readFacts = (text: string): NodeFacts =>
  JSON.parse(text, (_name, value) =>
    typeof value === 'object' && value !== null && URL_MARK in value ? new URL(value[URL_MARK]) : value,
  );

export class SecondNode {
  #child: ChildProcess | undefined;
  #port = 0;

  /** Starts it; with `--expose-gc`, so that its memory can be measured. */
  async start(facts: NodeFacts): Promise<void> {
    const child = fork(fileURLToPath(new URL('node-process.ts', import.meta.url)), {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    const { port } = await this.#answer<{ port: number }>(() => child.send(writeFacts(facts)));
    this.#port = port;
  }

  #answer<T>(ask: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the second node ended with ${code}`));
      this.#child?.once('exit', ended);
      this.#child?.once('message', (message) => {
        this.#child?.off('exit', ended);
        resolve(message as T);
      });
      ask();
    });
  }

  state(): Promise<NodeState> {
    return this.#answer<NodeState>(() => void this.#child?.send('state'));
  }

  /** Hands a request on to it. */
  readonly handler: Handler = (req, res) => {
    const { method, url, headers } = req;
    const onward = request({ host: '127.0.0.1', port: this.#port, method, path: url, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on('error', () => res.destroy());
    req.pipe(onward);
  };

  async close(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    await ended;
  }
}

/** Each request goes to the other node than the one before. */
export const inTurn = (one: Handler, other: Handler): Handler => {
  let count = 0;
  return (req, res) => {
    count += 1;
    (count % 2 === 0 ? one : other)(req, res);
  };
};
