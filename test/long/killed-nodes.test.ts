/** Nodes that die at any moment, without a goodbye, while citizens sign in: nothing that was acknowledged is lost. */
import test from 'ava';
import * as auditChain from '../../accounts/audit-chain.ts';
import { type Citizen, scenarioTokens, signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { type Reply, Wire } from '../bench/wire.ts';
import { type Node, PRODUCTION_HOST, startNode, startProduction } from '../harness/production.ts';
import { form } from '../harness/races.ts';
import { scaled } from './scale.ts';

const LANES = 4;
const SIGN_INS = scaled(500, 40);
const KILLS = scaled(50, 3);

/** A connection as a proxy gives it: every request goes to any node that takes it. What a node has begun is not repeated. */
class Front extends Wire {
  readonly #nodes: () => readonly number[];
  readonly #wires = new Map<number, Wire>();

  constructor(nodes: () => readonly number[]) {
    super(PRODUCTION_HOST, 0);
    this.#nodes = nodes;
  }

  override async send(...request: Parameters<Wire['send']>): Promise<Reply> {
    const ports = this.#nodes().toSorted(() => Math.random() - 0.5);
    for (const [tried, port] of ports.entries()) {
      const wire = this.#wires.get(port) ?? new Wire(PRODUCTION_HOST, port);
      this.#wires.set(port, wire);
      try {
        return await wire.send(...request);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ECONNREFUSED' || tried === ports.length - 1) throw error;
      }
    }
    throw new Error('no node');
  }

  override close(): void {
    for (const wire of this.#wires.values()) wire.close();
  }
}

type Acknowledged = { cookie: string; access: string; refresh: string };

test.serial(
  `${KILLS} kills in ${SIGN_INS} sign-ins: nothing acknowledged is lost, nothing is there twice`,
  async (t) => {
    const registrations = services('stadt-guetersloh');
    const [portal] = registrations;
    if (portal === undefined) throw new Error('no service');
    const place = await startProduction(registrations);
    const nodes: Node[] = [place, await startNode(place.settings)];
    const ports = nodes.map(({ port }) => port);
    const fronts = Array.from({ length: LANES }, () => new Front(() => ports));
    try {
      const citizens = await addCitizens(place.context, portal, 40);
      const target: Target = {
        host: PRODUCTION_HOST,
        origin: `https://${PRODUCTION_HOST}`,
        port: 0,
        citizens,
        secretOf: place.secretOf,
      };
      const acknowledged: Acknowledged[] = [];
      let [begun, retried, failed, killed] = [0, 0, 0, 0];
      const faults: string[] = [];

      const attempt = async (front: Front, citizen: Citizen, number: number): Promise<void> => {
        const way = number % 2 === 0 ? 'password' : 'passkey';
        const cookie = (await signIn(target, front, citizen, way)).session();
        const own = { ...target, citizens: [{ ...citizen, cookie }] };
        const { access_token: access, refresh_token: refresh } = await scenarioTokens(own, front, 0, 'app');
        acknowledged.push({ cookie, access, refresh });
      };
      const lane = async (front: Front): Promise<void> => {
        while (begun < SIGN_INS || killed < KILLS) {
          const number = begun;
          begun += 1;
          const citizen = citizens[number % citizens.length] as Citizen;
          try {
            await attempt(front, citizen, number);
          } catch {
            retried += 1;
            // Nobody is faster; the kernel may still be closing the dead node's sockets.
            await new Promise((resolve) => setTimeout(resolve, 300));
            await attempt(front, citizen, number).catch((error: unknown) => {
              failed += 1;
              faults.push(String(error).slice(0, 300));
            });
          }
        }
      };
      const kill = async (): Promise<void> => {
        for (; killed < KILLS; killed += 1) {
          const after = acknowledged.length + Math.min(10, SIGN_INS / KILLS);
          while (acknowledged.length < after - 5) await new Promise((resolve) => setTimeout(resolve, 10));
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 500));
          const index = killed % nodes.length;
          nodes[index]?.signal('SIGKILL');
          await nodes[index]?.ended;
          nodes[index] = await startNode({ ...place.settings, PORT: String(ports[index]) });
        }
      };
      await Promise.all([...fronts.map(lane), kill()]);

      t.log(`${begun} sign-ins, ${killed} kills: ${retried} begun again, ${failed} failed`);
      t.true(failed <= begun * 0.005, faults.join('\n'));
      t.is(killed, KILLS);

      // Everything that a service or a citizen was given is still good.
      const [front] = fronts as [Front, ...Front[]];
      for (const { cookie, access, refresh } of acknowledged) {
        t.is((await front.send('/userinfo', { headers: { authorization: `Bearer ${access}` } })).status, 200);
        const body = form({ grant_type: 'refresh_token', refresh_token: refresh, client_id: 'app' });
        t.is((await front.send('/token', { method: 'POST', body })).status, 200);
        const again = await scenarioTokens({ ...target, citizens: [{ cookie } as Citizen] }, front, 0, 'app');
        t.truthy(again.access_token);
      }
      const { db } = place.context;
      const count = async (what: string): Promise<number> =>
        Number((await db.raw(`SELECT count(*) FROM ${what}`)).rows[0].count);
      t.is(
        await count(
          'oidc_lasting l WHERE grant_id IS NOT NULL AND NOT EXISTS (SELECT FROM oidc_grants g WHERE g.id = l.grant_id)',
        ),
        0,
      );
      t.is(
        await count(
          'oidc_sessions s, unnest(s.grants) AS u (id) WHERE NOT EXISTS (SELECT FROM oidc_grants g WHERE g.id = u.id)',
        ),
        0,
      );
      t.is(await count('oidc_sessions s WHERE NOT EXISTS (SELECT FROM oidc_session_ids i WHERE i.uid = s.uid)'), 0);
      t.is(await count('attempts WHERE count < 0'), 0);
      t.is(await count("pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"), 0);
      await auditChain.advance(place.context);
      t.deepEqual((await auditChain.verify(place.context, [])).faults, []);
    } finally {
      for (const front of fronts) front.close();
      await Promise.all(nodes.filter((node) => node !== place).map((node) => node.stop()));
      await place.stop();
    }
  },
);
