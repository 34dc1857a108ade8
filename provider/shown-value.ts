/** What a stranger sent, made fit for a developer's terminal: short, printable, and without what may concern a person. */

const MAX_CHARACTERS = 160;

/** Text without control and direction characters. */
export const shownText = (text: string): string => {
  const printable = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
  return printable.length > MAX_CHARACTERS ? `${printable.slice(0, MAX_CHARACTERS)}…` : printable;
};

/** An address without user, fragment and the values of its query, in which a person may stand. */
export const shownAddress = (address: string): string => {
  if (!URL.canParse(address)) return shownText(address.replace(/[?#].*$/s, '?…'));
  const { protocol, host, pathname, searchParams } = new URL(address);
  const names = [...new Set(searchParams.keys())];
  const slashes = address.startsWith(`${protocol}//`) ? '//' : '';
  return shownText(`${protocol}${slashes}${host}${pathname}${names.length > 0 ? `?${names.join('&')}` : ''}`);
};

type Parts = Readonly<Record<'scheme' | 'host' | 'port' | 'path' | 'query', string>>;

const partsOf = (address: string): Parts | undefined => {
  if (!URL.canParse(address)) return undefined;
  const { protocol, hostname, port, pathname, search } = new URL(address);
  return { scheme: protocol, host: hostname, port, path: pathname, query: search };
};

const differing = (one: Parts, other: Parts): string[] =>
  (Object.keys(one) as (keyof Parts)[]).flatMap((part) => {
    if (one[part] === other[part]) return [];
    if (part !== 'path') return [part];
    if (one.path.replace(/\/$/, '') === other.path.replace(/\/$/, '')) return ['slash'];
    return one.path.toLowerCase() === other.path.toLowerCase() ? ['case'] : ['path'];
  });

/** In which parts an address differs from the registered one that is nearest to it. */
export const difference = (address: string, registered: readonly string[]): string[] => {
  const actual = partsOf(address);
  if (actual === undefined) return [];
  return registered
    .flatMap((one) => {
      const parts = partsOf(one);
      return parts === undefined ? [] : [differing(actual, parts)];
    })
    .reduce<string[]>((best, one) => (best.length === 0 || one.length < best.length ? one : best), []);
};
