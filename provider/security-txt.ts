import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Town } from '../accounts/town.ts';

/** RFC 9116 §2.5.5 asks for less than a year; whoever reads the file gets one that is good for this long. */
const VALID_DAYS = 90;
const DAY_MS = 86_400_000;

/** The text of `/.well-known/security.txt`: where a finder of a weakness turns to (RFC 9116). */
export const securityTxt = (town: Town, issuer: URL, now: Date): string => {
  const expires = new Date(Math.floor((now.getTime() + VALID_DAYS * DAY_MS) / DAY_MS) * DAY_MS);
  return [
    `Contact: mailto:${town.contact.email}`,
    `Expires: ${expires.toISOString().replace(/\.\d+/, '')}`,
    `Preferred-Languages: ${town.languages.join(', ')}`,
    `Canonical: ${new URL('/.well-known/security.txt', issuer).href}`,
    '',
  ].join('\n');
};

/** Answers a request for it; false for any other request. */
export const answerSecurityTxt = (
  town: Town,
  issuer: URL,
  now: () => Date,
): ((req: IncomingMessage, res: ServerResponse) => boolean) => {
  return (req, res) => {
    const [path] = (req.url ?? '').split('?', 1);
    if (path !== '/.well-known/security.txt' && path !== '/security.txt') return false;
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.writeHead(405, { allow: 'GET, HEAD' }).end();
      return true;
    }
    const text = securityTxt(town, issuer, now());
    res.writeHead(200, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'public, max-age=3600',
      'x-content-type-options': 'nosniff',
    });
    res.end(req.method === 'HEAD' ? undefined : text);
    return true;
  };
};
