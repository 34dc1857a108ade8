import { type Agent, request } from 'node:https';
import { ISSUER_HOST, LOOPBACK } from './places.ts';

export type Answer = { readonly status: number; readonly location: string | undefined; readonly text: string };

/** No answer at all: the connection was refused, broke, or nothing came in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

export type CallerOptions = {
  readonly port: number;
  /** PEM of the public end's certificate. */
  readonly certificate: string;
  /** Address on this machine from which it calls, as different citizens and services have different ones. */
  readonly from: string;
  readonly agent?: Agent;
};

const PATIENCE_MS = 20_000;

/** One citizen's browser or one service, as far as a load needs it: cookies, redirects and plain forms. */
export class Caller {
  readonly #options: CallerOptions;
  readonly #cookies = new Map<string, { value: string; path: string }>();

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** One request. Rejects with `NoAnswer` if none comes. */
  send(path: string, fields?: Readonly<Record<string, string>>): Promise<Answer> {
    const { port, certificate, from, agent } = this.#options;
    const body = fields === undefined ? undefined : new URLSearchParams(fields).toString();
    const cookie = [...this.#cookies]
      .filter(([, { path: below }]) => below === '/' || path.split('?', 1)[0]?.startsWith(below))
      .map(([name, { value }]) => `${name}=${value}`)
      .join('; ');
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => reject(new NoAnswer(error.message));
      const req = request(
        {
          host: LOOPBACK,
          port,
          path,
          method: body === undefined ? 'GET' : 'POST',
          servername: ISSUER_HOST,
          ca: certificate,
          localAddress: from,
          agent: agent ?? false,
          timeout: PATIENCE_MS,
          headers: {
            host: `${ISSUER_HOST}:${port}`,
            ...(cookie !== '' && { cookie }),
            ...(body !== undefined && {
              'content-type': 'application/x-www-form-urlencoded',
              'content-length': Buffer.byteLength(body),
            }),
          },
        },
        (res) => {
          for (const line of res.headers['set-cookie'] ?? []) this.#keep(line);
          let text = '';
          res.setEncoding('utf8');
          res.on('data', (chunk: string) => {
            text += chunk;
          });
          res.on('end', () => resolve({ status: res.statusCode ?? 0, location: res.headers.location, text }));
          res.on('error', failed);
        },
      );
      req.on('timeout', () => req.destroy(new Error('nothing came in time')));
      req.on('error', failed);
      req.end(body);
    });
  }

  /** Follows redirects within the provider; the last answer has one that leads elsewhere, or none. */
  async follow(answer: Answer): Promise<Answer> {
    let current = answer;
    for (let hops = 0; hops < 10; hops += 1) {
      const inside = current.location === undefined ? undefined : this.#inside(current.location);
      if (inside === undefined) return current;
      current = await this.send(inside);
    }
    return current;
  }

  #inside(location: string): string | undefined {
    const base = `https://${ISSUER_HOST}:${this.#options.port}`;
    const url = new URL(location, base);
    return url.origin === base ? url.pathname + url.search : undefined;
  }

  #keep(line: string): void {
    const [pair = '', ...rest] = line.split(';').map((part) => part.trim());
    const [name = '', ...value] = pair.split('=');
    const path = rest.find((part) => /^path=/i.test(part))?.slice(5) ?? '/';
    const expires = rest.find((part) => /^expires=/i.test(part))?.slice(8);
    if (expires !== undefined && Date.parse(expires) <= Date.now()) this.#cookies.delete(name);
    else this.#cookies.set(name, { value: value.join('='), path });
  }
}

/** The hidden fields of the form with a password field, and where it goes. */
export const passwordForm = (page: string): { action: string; fields: Record<string, string> } | undefined => {
  const form = [...page.matchAll(/<form\b[\s\S]*?<\/form>/gi)]
    .map(([text]) => text)
    .find((text) => text.includes('name="password"'));
  if (form === undefined) return undefined;
  const value = (tag: string, name: string): string | undefined => new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1];
  const fields: Record<string, string> = {};
  for (const [tag] of form.matchAll(/<input\b[^>]*type="hidden"[^>]*>/gi)) {
    const name = value(tag, 'name');
    if (name !== undefined) fields[name] = value(tag, 'value') ?? '';
  }
  return { action: value(form.split('>', 1)[0] ?? '', 'action') ?? '', fields };
};
