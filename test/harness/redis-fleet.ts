/** Real Redis as Sentinel keeps it, and as a Cluster; every process ends with `end`, and with this one at the latest. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { contentsOf, type RedisPlace } from './redis-store.ts';

type Node = { readonly port: number; readonly bus: number; readonly client: Redis; readonly process: ChildProcess };

/** A fleet that may lose a master. */
export type RedisFleet = RedisPlace & {
  /** As a crash, of one that is a master now. */
  killMaster(): Promise<void>;
  end(): Promise<void>;
};

const DEADLINE_MS = 60_000;

const until = async (what: string, check: () => Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await check().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS / 1000} s`);
    await pause(50);
  }
};

const fleet = () => {
  const home = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-fleet-'));
  const nodes: Node[] = [];
  const others: ChildProcess[] = [];
  const killAll = (): void => {
    for (const child of [...nodes.map((node) => node.process), ...others]) child.kill('SIGKILL');
  };
  process.once('exit', killAll);

  const run = (name: string, lines: readonly string[], ...flags: string[]): ChildProcess => {
    const file = path.join(home, `${name}.conf`);
    writeFileSync(file, ['bind 127.0.0.1', `dir ${home}`, ...lines, ''].join('\n'));
    return spawn('redis-server', [file, ...flags], { stdio: 'ignore' });
  };
  const masters = async (): Promise<Node[]> => {
    const found: Node[] = [];
    for (const node of nodes) {
      if (node.process.signalCode !== null) continue;
      if ((await node.client.info('replication')).includes('role:master')) found.push(node);
    }
    return found;
  };
  return {
    nodes,
    async server(...lines: string[]): Promise<Node> {
      const [port, bus] = [await freePort(), await freePort()];
      const own = [`port ${port}`, 'save ""', 'repl-diskless-sync-delay 0'];
      if (lines.includes('cluster-enabled yes'))
        own.push(`cluster-port ${bus}`, `cluster-config-file nodes-${port}.conf`);
      const child = run(`redis-${port}`, [...own, ...lines]);
      const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50 });
      client.on('error', () => {}); // the tests break it on purpose
      const node = { port, bus, client, process: child };
      nodes.push(node);
      await until('redis-server', async () => (await client.ping()) === 'PONG');
      return node;
    },
    async sentinel(master: number, name: string): Promise<number> {
      const port = await freePort();
      const monitor = [
        `sentinel monitor ${name} 127.0.0.1 ${master} 2`,
        `sentinel down-after-milliseconds ${name} 1000`,
      ];
      const lines = [`port ${port}`, ...monitor, `sentinel failover-timeout ${name} 4000`];
      others.push(run(`sentinel-${port}`, lines, '--sentinel'));
      return port;
    },
    async killMaster(): Promise<void> {
      for (const { client, process: child } of await masters()) {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await gone;
        client.disconnect();
        return;
      }
    },
    async contents(): Promise<string[]> {
      return (await Promise.all((await masters()).map(({ client }) => contentsOf(client)))).flat();
    },
    async end(): Promise<void> {
      process.off('exit', killAll);
      for (const { client } of nodes) client.disconnect();
      const gone = [...nodes.map((node) => node.process), ...others].map((child) =>
        child.exitCode !== null || child.signalCode !== null
          ? undefined
          : new Promise((resolve) => child.once('exit', resolve)),
      );
      killAll();
      await Promise.all(gone);
      rmSync(home, { recursive: true, force: true });
    },
  };
};

/** A master, two replicas, and three Sentinels that agree by two. */
export const startSentinel = async (): Promise<RedisFleet> => {
  const { nodes, server, sentinel, ...rest } = fleet();
  const master = await server();
  for (const _ of [1, 2]) await server(`replicaof 127.0.0.1 ${master.port}`);
  await until('the replicas', async () => /connected_slaves:2/.test(await master.client.info('replication')));
  const ports = [];
  for (const _ of [1, 2, 3]) ports.push(await sentinel(master.port, 'stadt'));
  for (const port of ports) {
    const client = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50 });
    client.on('error', () => {});
    await until('the Sentinels', async () => {
      const told = String(await client.call('SENTINEL', 'MASTER', 'stadt'));
      return /num-slaves,2\b/.test(told) && /num-other-sentinels,2\b/.test(told);
    });
    client.disconnect();
  }
  return { url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/stadt`, ...rest };
};

const SLOTS = 16_384;

/** Three masters, each with a replica. */
export const startRedisCluster = async (): Promise<RedisFleet> => {
  const { nodes, server, sentinel, ...rest } = fleet();
  for (let count = 0; count < 6; count += 1) await server('cluster-enabled yes', 'cluster-node-timeout 1500');
  const [first, ...others] = nodes as [Node, ...Node[]];
  for (const { port, bus } of others) await first.client.call('CLUSTER', 'MEET', '127.0.0.1', port, bus);
  const masters = nodes.slice(0, 3);
  for (const [index, { client }] of masters.entries()) {
    const [from, to] = [index, index + 1].map((third) => Math.floor((third * SLOTS) / 3)) as [number, number];
    await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1);
  }
  for (const [index, replica] of nodes.slice(3).entries()) {
    const id = String(await masters[index]?.client.call('CLUSTER', 'MYID'));
    await until('the nodes', async () => (await replica.client.call('CLUSTER', 'REPLICATE', id)) === 'OK');
  }
  for (const { client } of nodes) {
    await until('the cluster', async () => String(await client.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  }
  for (const { client } of masters) {
    await until('the replicas', async () => /connected_slaves:1/.test(await client.info('replication')));
  }
  return { url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`, ...rest };
};
