import type { Exemption, Registration } from './town.ts';

const DAY_MS = 24 * 3_600_000;

/** Whether an exemption is in force; the day named is its last one. */
export const holds = (exemption: Exemption | undefined, now: Date): boolean =>
  exemption !== undefined && now.getTime() < new Date(exemption.until).getTime() + DAY_MS;

/** All exemptions of a service, by the name of the rule. */
export const of = ({ pkceExemption, audienceExemption }: Registration): (readonly [string, Exemption])[] =>
  Object.entries({ pkce: pkceExemption, audience: audienceExemption }).flatMap(([rule, exemption]) =>
    exemption === undefined ? [] : [[rule, exemption] as const],
  );
