import { connect, type Socket } from 'node:net';

export type Reply = { readonly status: number; readonly headers: ReadonlyMap<string, string[]>; readonly body: string };

type Send = { method?: string; headers?: Readonly<Record<string, string>>; body?: string };

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/**
 * One kept-alive connection that sends a request and reads its answer. As thin as can be: the load generator has one
 * core, and whatever it takes of it the store does not get.
 */
export class Wire {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  /** `host` is what the `Host` header says; the connection goes to this machine. */
  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  send(path: string, { method = 'GET', headers = {}, body }: Send = {}): Promise<Reply> {
    const socket = this.#socket ?? this.#open();
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nx-forwarded-proto: https\r\n`;
    for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
    if (body !== undefined) {
      head += `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.write(`${head}\r\n${body ?? ''}`);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#read();
    });
    const lost = (error?: Error): void => {
      // An answer may have said that this is the last one: then the next request has a connection of its own.
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.reject(error ?? new Error('the connection was closed'));
    };
    socket.once('error', lost);
    socket.once('close', () => lost());
    return socket;
  }

  #read(): void {
    const end = this.#received.indexOf(END_OF_HEAD);
    if (end < 0) return;
    const [status = '', ...lines] = this.#received.toString('latin1', 0, end).split('\r\n');
    const headers = new Map<string, string[]>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      const known = headers.get(name);
      if (known === undefined) headers.set(name, [value]);
      else known.push(value);
    }
    const start = end + END_OF_HEAD.length;
    const length = headers.get('content-length')?.[0];
    let body: string;
    if (length !== undefined) {
      if (this.#received.length < start + Number(length)) return;
      body = this.#received.toString('utf8', start, start + Number(length));
    } else if (headers.get('transfer-encoding')?.[0] === 'chunked') {
      const whole = this.#received.toString('utf8', start);
      if (!whole.endsWith('0\r\n\r\n')) return;
      body = whole.replaceAll(/(?:^|\r\n)[0-9a-f]+\r\n/gi, '').trimEnd();
    } else body = '';
    this.#received = Buffer.alloc(0);
    if (headers.get('connection')?.[0] === 'close') {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.destroy();
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(status.split(' ')[1]), headers, body });
  }
}

/** The `Cookie` header for what answers have set. */
export class Jar {
  readonly #cookies = new Map<string, string>();

  constructor(device = '') {
    const equals = device.indexOf('=');
    if (equals > 0) this.#cookies.set(device.slice(0, equals), device.slice(equals + 1));
  }

  keep({ headers }: Reply): void {
    for (const line of headers.get('set-cookie') ?? []) {
      const [pair = ''] = line.split(';', 1);
      const equals = pair.indexOf('=');
      const value = pair.slice(equals + 1);
      if (value === '') this.#cookies.delete(pair.slice(0, equals));
      else this.#cookies.set(pair.slice(0, equals), value);
    }
  }

  header(): string {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  /** Only the session, as a browser sends it to a later sign-in. */
  session(): string {
    return this.#named('session');
  }

  /** Only what tells a citizen's own browser from a new one; it is kept when the session is over. */
  device(): string {
    return this.#named('device');
  }

  #named(part: string): string {
    return [...this.#cookies]
      .filter(([name]) => name.includes(part))
      .map(([name, value]) => `${name}=${value}`)
      .join('; ');
  }
}
