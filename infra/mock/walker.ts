import { type IncomingHttpHeaders, request } from 'node:http';

/** What a walk through the provider's own pages ended with. */
export type End = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Where it stands; of an answer that leads away, where it leads. */
  readonly url: URL;
  readonly away: boolean;
  readonly text: string;
};

const MAX_STEPS = 15;

const decoded = (text: string): string =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

/** The first form of a page: where it is sent, and its hidden fields. */
export const formOf = (page: string): { action: string; fields: Record<string, string> } | undefined => {
  const form = /<form\b[^>]*>[\s\S]*?<\/form>/i.exec(page)?.[0];
  const action = /\baction="([^"]*)"/i.exec(form ?? '')?.[1];
  if (form === undefined || action === undefined) return undefined;
  const fields: Record<string, string> = {};
  for (const [input] of form.matchAll(/<input\b[^>]*>/gi)) {
    const name = /\bname="([^"]*)"/i.exec(input)?.[1];
    if (name !== undefined) fields[decoded(name)] = decoded(/\bvalue="([^"]*)"/i.exec(input)?.[1] ?? '');
  }
  return { action: decoded(action), fields };
};

/** A browser without a window, for the provider's own addresses alone: it leaves for nowhere. */
export class Walker {
  readonly #issuer: URL;
  readonly #port: number;
  readonly #jar = new Map<string, string>();

  /** `port` is where the provider listens on this machine, whatever it calls itself. */
  constructor(issuer: URL, port: number) {
    this.#issuer = issuer;
    this.#port = port;
  }

  async walk(start: URL, headers: Record<string, string> = {}, form?: Record<string, string>): Promise<End> {
    let url = start;
    let body = form && new URLSearchParams(form).toString();
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const answer = await this.#send(url, headers, body);
      body = undefined;
      const { location } = answer.headers;
      if (location === undefined) return { ...answer, url, away: false };
      url = new URL(location, url);
      if (url.origin !== this.#issuer.origin) return { ...answer, url, away: true };
    }
    throw new Error(`no end after ${MAX_STEPS} redirects, last ${url.href}`);
  }

  #send(url: URL, headers: Record<string, string>, body: string | undefined): Promise<Omit<End, 'url' | 'away'>> {
    const cookie = [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ');
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          host: 'localhost',
          port: this.#port,
          path: `${url.pathname}${url.search}`,
          method: body === undefined ? 'GET' : 'POST',
          headers: {
            accept: 'text/html',
            ...headers,
            host: this.#issuer.host,
            ...(cookie !== '' && { cookie }),
            ...(body !== undefined && {
              'content-type': 'application/x-www-form-urlencoded',
              'content-length': Buffer.byteLength(body),
            }),
          },
        },
        (answer) => {
          for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line);
          const chunks: Buffer[] = [];
          answer.on('data', (chunk: Buffer) => chunks.push(chunk));
          answer.on('error', reject);
          answer.on('end', () =>
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              text: Buffer.concat(chunks).toString(),
            }),
          );
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  #keep(line: string): void {
    const [pair = ''] = line.split(';', 1);
    const name = pair.slice(0, pair.indexOf('='));
    const value = pair.slice(pair.indexOf('=') + 1);
    if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) this.#jar.delete(name);
    else this.#jar.set(name, value);
  }
}
