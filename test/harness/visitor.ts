/**
 * A visitor without a browser: cookies, redirects and plain HTML forms, as a simple HTML engine or an attacker's script
 * would do it. Sends no `Sec-Fetch-*` headers.
 */
import { type RequestOptions, request } from 'node:https';

export type Answer = {
  readonly url: URL;
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
};

export type Form = { readonly action: URL; readonly method: string; readonly fields: [string, string][] };

type Cookie = { name: string; value: string; host: string; path: string };

export type Send = {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | URLSearchParams;
  timeoutMs?: number;
  /** As a form from another site is sent: `SameSite=Lax` cookies stay at home. */
  withoutCookies?: boolean;
  /** A client certificate, PEM. */
  tls?: { readonly key: string; readonly cert: string } | undefined;
};

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'", '#34': '"' };
const decode = (text: string): string => text.replace(/&(#?\w+);/g, (all, name: string) => ENTITIES[name] ?? all);

const attributes = (tag: string): Record<string, string> => {
  const result: Record<string, string> = {};
  for (const [, name = '', , double, single, bare] of tag.matchAll(
    /([\w-]+)(\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g,
  )) {
    result[name.toLowerCase()] ??= decode(double ?? single ?? bare ?? '');
  }
  return result;
};

/** The forms of a page, with the fields a browser would send untouched (no buttons, no unticked boxes). */
export const forms = (page: Answer): Form[] =>
  Array.from(page.text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi), ([, head = '', inner = '']) => {
    const form = attributes(head);
    const fields: [string, string][] = [];
    for (const [, tag = ''] of inner.matchAll(/<input\b([^>]*)>/gi)) {
      const input = attributes(tag);
      const type = (input['type'] ?? 'text').toLowerCase();
      if (input['name'] === undefined || type === 'submit' || type === 'button') continue;
      if ((type === 'checkbox' || type === 'radio') && !('checked' in input)) continue;
      fields.push([input['name'], input['value'] ?? (type === 'checkbox' ? 'on' : '')]);
    }
    return {
      action: new URL(form['action'] || page.url, page.url),
      method: (form['method'] ?? 'get').toUpperCase(),
      fields,
    };
  });

/** One person's cookies and what they do. */
export class Visitor {
  readonly cookies: Cookie[] = [];

  #remember(url: URL, lines: string[]): void {
    for (const line of lines) {
      const [pair = '', ...rest] = line.split(';').map((part) => part.trim());
      const [name = '', ...value] = pair.split('=');
      const options = new Map(rest.map((part) => [part.split('=')[0]?.toLowerCase() ?? '', part.split('=')[1] ?? '']));
      const path = options.get('path') ?? '/';
      const index = this.cookies.findIndex((c) => c.name === name && c.host === url.hostname && c.path === path);
      if (index >= 0) this.cookies.splice(index, 1);
      const expires = options.get('expires');
      const gone = options.get('max-age') === '0' || (expires !== undefined && Date.parse(expires) <= Date.now());
      if (!gone) this.cookies.push({ name, value: value.join('='), host: url.hostname, path });
    }
  }

  #cookieHeader(url: URL): string {
    return this.cookies
      .filter(({ host, path }) => {
        const inside = url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
        return host === url.hostname && inside;
      })
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  /** One request, redirects not followed. */
  send(
    to: string | URL,
    { method = 'GET', headers = {}, body, timeoutMs = 30_000, withoutCookies = false, tls }: Send = {},
  ): Promise<Answer> {
    const url = new URL(to);
    const cookie = withoutCookies ? '' : this.#cookieHeader(url);
    const options: RequestOptions = {
      method,
      agent: false,
      servername: url.hostname,
      timeout: timeoutMs,
      ...tls,
      headers: {
        'accept-language': 'de',
        accept: 'text/html',
        ...(body instanceof URLSearchParams && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...(cookie !== '' && { cookie }),
        ...headers,
      },
    };
    return new Promise((resolve, reject) => {
      const req = request(url, options, (res) => {
        this.#remember(url, res.headers['set-cookie'] ?? []);
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({ url, status: res.statusCode ?? 0, headers: res.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
      req.on('timeout', () => req.destroy(new Error('timed out')));
      req.on('error', reject);
      req.end(body === undefined ? undefined : String(body));
    });
  }

  /** Follows redirects as long as `wanted` says so (default: always). */
  async follow(answer: Answer, wanted: (to: URL) => boolean = () => true): Promise<Answer> {
    let current = answer;
    for (let hops = 0; hops < 20; hops += 1) {
      const location = current.headers['location'];
      if (typeof location !== 'string' || current.status < 300 || current.status > 399) return current;
      const to = new URL(location, current.url);
      if (!to.protocol.startsWith('http') || !wanted(to)) return current;
      current = await this.send(to);
    }
    throw new Error(`too many redirects, last to ${current.url.href}`);
  }

  /** Opens an address and follows its redirects. */
  async open(to: string | URL, wanted?: (to: URL) => boolean): Promise<Answer> {
    return this.follow(await this.send(to), wanted);
  }

  /** Fills in and sends the form of a page that has all the given fields; redirects are followed while `wanted`. */
  submit(page: Answer, values: Record<string, string>, wanted?: (to: URL) => boolean): Promise<Answer> {
    return this.#fillIn(formWith(page, Object.keys(values)), values, wanted);
  }

  /** Fills in and sends the form of a page whose action ends with `/action`. */
  submitTo(
    page: Answer,
    action: string,
    values: Record<string, string> = {},
    wanted?: (to: URL) => boolean,
  ): Promise<Answer> {
    const form = forms(page).find((one) => one.action.pathname.endsWith(`/${action}`));
    if (form === undefined) throw new Error(`no form to ${action} at ${page.url.href} (${page.status}):\n${page.text}`);
    return this.#fillIn(form, values, wanted);
  }

  async #fillIn(form: Form, values: Record<string, string>, wanted?: (to: URL) => boolean): Promise<Answer> {
    const fields = form.fields.filter(([name]) => values[name] === undefined);
    const body = new URLSearchParams([...fields, ...Object.entries(values)]);
    if (form.method === 'POST')
      return this.follow(
        await this.send(form.action, { method: 'POST', body, headers: { origin: form.action.origin } }),
        wanted,
      );
    const action = new URL(form.action);
    action.search = body.toString();
    return this.open(action, wanted);
  }
}

/** The form of a page that has the given fields or buttons. */
export const formWith = (page: Answer, names: readonly string[]): Form => {
  const sources = [...page.text.matchAll(/<form\b[\s\S]*?<\/form>/gi)].map(([text]) => text);
  const index = sources.findIndex((text) => names.every((name) => text.includes(`name="${name}"`)));
  const form = forms(page)[index];
  if (form === undefined) {
    throw new Error(
      `no form with ${names.join(', ')} at ${page.url.href} (${page.status}):\n${page.text.slice(0, 4000)}`,
    );
  }
  return form;
};
