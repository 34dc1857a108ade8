/** Where everything listens on this machine: one block of ports on loopback. */
export type Places = ReturnType<typeof placesFrom>;

export const LOOPBACK = '127.0.0.1';
export const ISSUER_HOST = 'login.stadt.localhost';

const SERVICES = 3;

/** The ports of a cluster with that many nodes, beginning at `base`. */
export const placesFrom = (base: number, nodes: number) => {
  const row = (start: number, length: number): number[] => Array.from({ length }, (_, index) => base + start + index);
  return {
    front: base,
    mtls: base + 1,
    stats: base + 2,
    database: base + 3,
    redis: base + 4,
    inbox: base + 5,
    others: base + 6,
    services: row(7, SERVICES),
    nodes: row(10, nodes),
    metrics: row(20, nodes),
    postgres: row(30, 2),
    patroni: row(40, 2),
    etcd: row(50, 2) as [number, number],
    redisServers: row(60, 3),
    sentinels: row(70, 3),
  } as const;
};

/** All ports, to see beforehand whether they are free. */
export const allPorts = (places: Places): number[] => Object.values(places).flat();

export const at = (port: number | undefined): string => `${LOOPBACK}:${port}`;
