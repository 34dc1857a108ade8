/** Races over two processes: the same request on many connections at once. */
import type { ExecutionContext } from 'ava';
import type { Registration } from '../../accounts/town.ts';
import { type Citizen, signIn, type Target } from '../bench/scenarios.ts';
import { addCitizens, services } from '../bench/stage.ts';
import { type Reply, Wire } from '../bench/wire.ts';
import { PRODUCTION_HOST, type Production, startProduction } from './production.ts';

export const RIVALS = 16;

export const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString();

/** Of parallel answers exactly one is a success, all others the protocol's own refusal. */
export const oneWinner = (
  t: ExecutionContext,
  replies: readonly Reply[],
  what: string,
  won: (reply: Reply) => boolean = ({ status }) => status === 200,
): Reply | undefined => {
  const winners = replies.filter(won);
  const odd = replies.filter((reply) => !won(reply) && reply.status !== 400 && reply.status !== 401);
  if (winners.length !== 1) {
    const [first] = replies;
    t.fail(
      `${what}: ${winners.length} winners; ${first?.status} ${first?.headers.get('location')?.[0] ?? first?.body}`,
    );
  }
  if (odd.length > 0) t.fail(`${what}: ${odd.map(({ status, body }) => `${status} ${body}`).join(', ')}`);
  return winners[0];
};

export type Track = {
  readonly node: Production;
  readonly target: Target;
  /** One for each rival; the connections are dealt out to the processes in turn. */
  readonly wires: readonly Wire[];
  /** For what is not raced. */
  readonly wire: Wire;
  readonly citizens: readonly Citizen[];
};

/** Two processes on one port, two citizens who are signed in, and 16 connections. */
export const onTrack = async (
  redisUrl: string | undefined,
  more: readonly Registration[],
  work: (track: Track) => Promise<void>,
): Promise<void> => {
  const registrations = [...services('stadt-guetersloh'), ...more];
  const [portal] = registrations;
  if (portal === undefined) throw new Error('no service');
  const node = await startProduction(registrations, {
    WORKERS: '2',
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
  });
  const wires = Array.from({ length: RIVALS }, () => new Wire(PRODUCTION_HOST, node.port));
  const wire = wires[0] as Wire;
  try {
    await node.wrote('listening', 2);
    const citizens = await addCitizens(node.context, portal, 2);
    const origin = `https://${PRODUCTION_HOST}`;
    const target: Target = { host: PRODUCTION_HOST, origin, port: node.port, citizens, secretOf: node.secretOf };
    for (const citizen of citizens) citizen.cookie = (await signIn(target, wire, citizen, 'password')).session();
    await work({ node, target, wires, wire, citizens });
  } finally {
    for (const one of wires) one.close();
    await node.stop();
  }
};
