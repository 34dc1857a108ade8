import dns from 'node:dns';

type Lookup = (hostname: string, options: dns.LookupOptions, callback: (...result: unknown[]) => void) => void;

/** Names below `.localhost` are this machine (RFC 6761 §6.3); browsers know, the C library of Debian does not. */
export const nameLocalHosts = (): void => {
  const lookup = dns.lookup as unknown as Lookup;
  const local: Lookup = (hostname, options, callback) => {
    if (!hostname.endsWith('.localhost')) return lookup(hostname, options, callback);
    if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(null, '127.0.0.1', 4);
  };
  dns.lookup = local as unknown as typeof dns.lookup;
};
