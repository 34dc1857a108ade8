import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type Koa from 'koa';

type Asset = { readonly type: string; readonly body: Buffer; readonly encoded: ReadonlyMap<'br' | 'gzip', Buffer> };

const require = createRequire(import.meta.url);
const KERN = path.dirname(require.resolve('@kern-ux/native/package.json'));
const WEBAUTHN = path.join(path.dirname(require.resolve('@simplewebauthn/browser')), '..');
const OWN = path.join(import.meta.dirname, 'public');
const WEIGHTS = ['Regular', 'Medium', 'SemiBold', 'Bold'];
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};
const BROTLI_QUALITY = 6; // 340 KB of CSS in some 10 ms at start; the highest quality takes 100 times as long

/** Name under which a file is served → where it lies. Everything comes from this machine, nothing from a CDN. */
const sources = (): Map<string, string> =>
  new Map([
    ['kern.css', path.join(KERN, 'dist/kern.min.css')],
    ...WEIGHTS.map((weight): [string, string] => [
      `fonts/FiraSans-${weight}.woff2`,
      path.join(KERN, `dist/fonts/fira-sans/FiraSans-${weight}.woff2`),
    ]),
    ['simplewebauthn.js', path.join(WEBAUTHN, 'dist/bundle/index.umd.min.js')],
    ...readdirSync(OWN).map((name): [string, string] => [name, path.join(OWN, name)]),
  ]);

const load = (file: string): Asset => {
  const body = readFileSync(file);
  const type = TYPES[path.extname(file)] ?? 'application/octet-stream';
  const encoded = new Map<'br' | 'gzip', Buffer>();
  if (type !== 'font/woff2') {
    encoded.set('br', brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }));
    encoded.set('gzip', gzipSync(body));
  }
  return { type, body, encoded };
};

let loaded: { readonly version: string; readonly files: ReadonlyMap<string, Asset> } | undefined;

const assets = (): { readonly version: string; readonly files: ReadonlyMap<string, Asset> } => {
  if (loaded !== undefined) return loaded;
  const files = new Map([...sources()].map(([name, file]): [string, Asset] => [name, load(file)]));
  const hash = createHash('sha256');
  for (const [name, { body }] of files) hash.update(name).update(body);
  loaded = { version: hash.digest('hex').slice(0, 16), files };
  return loaded;
};

/** The address of a static file; it carries a hash of all files, so that it may be cached for ever. */
export const assetUrl = (name: string): string => {
  const { version, files } = assets();
  if (!files.has(name)) throw new Error(`there is no asset ${name}`);
  return `/assets/${version}/${name}`;
};

/** Answers `/assets/<version>/<name>`; false for a name that does not exist. */
export const serveAsset = (ctx: Koa.Context, version: string, name: string): boolean => {
  const current = assets();
  const asset = current.files.get(name);
  if (asset === undefined) return false;
  // While nodes of two versions run, one may be asked for the other's files: answer, but let nobody keep the answer.
  const known = version === current.version;
  ctx.set('Cache-Control', known ? 'public, max-age=31536000, immutable' : 'no-cache');
  ctx.set('X-Content-Type-Options', 'nosniff');
  ctx.set('Cross-Origin-Resource-Policy', 'same-origin');
  ctx.type = asset.type;
  ctx.vary('Accept-Encoding');
  const encoding = ctx.acceptsEncodings('br', 'gzip', 'identity');
  const encoded = encoding === 'br' || encoding === 'gzip' ? asset.encoded.get(encoding) : undefined;
  if (encoded !== undefined && encoding !== false) ctx.set('Content-Encoding', encoding as string);
  ctx.body = encoded ?? asset.body;
  return true;
};
