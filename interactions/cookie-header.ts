/**
 * The pairs of a `Cookie` header, in order (RFC 6265 §5.4). Before a name only spaces are passed over: whatever else a
 * `trim` takes away is part of the name for a browser, which lets any host of the town set such a one, as it does not
 * begin with `__Host-`.
 */
export const cookiePairs = (header: string): (readonly [name: string, value: string])[] =>
  header.split(';').map((part) => {
    const pair = part.replace(/^ +/, '');
    const equals = pair.indexOf('=');
    return equals < 0 ? [pair, ''] : [pair.slice(0, equals), pair.slice(equals + 1)];
  });
