import type { ClaimUse, Registration } from '../accounts/town.ts';
import type { TownSource } from './town-source.ts';

/** Raw data, with the claims made from it that say less. */
const SAYS_LESS: Readonly<Record<string, readonly string[]>> = {
  birthdate: ['age_over_12', 'age_over_14', 'age_over_16', 'age_over_18', 'age_over_65'],
  address: ['resident', 'postal_code_area'],
};

/** What a purpose reads like that a claim which says less serves. A net for the usual cases; people still read purposes. */
const SERVED: readonly { readonly raw: string; readonly purpose: RegExp; readonly by: string }[] = [
  { raw: 'birthdate', purpose: /volljährig|erwachsen|adult|of age\b/i, by: 'age_over_18' },
  { raw: 'birthdate', purpose: /senior|rentner|pension/i, by: 'age_over_65' },
  {
    raw: 'birthdate',
    purpose: /mindestalter|altersgrenze|altersprüfung|jugendschutz|minimum age|age (limit|check)|jahre alt|years old/i,
    by: 'age_over_…',
  },
  {
    raw: 'address',
    purpose: /wohnt|wohnsitz|einwohner|einheimisch|gemeldet|resident|lives? in|inhabitant/i,
    by: 'resident',
  },
  { raw: 'address', purpose: /statistik|umland|region|einzugsgebiet|statistic|catchment/i, by: 'postal_code_area' },
  { raw: 'name', purpose: /anrede|begrüß|ansprechen|salutation|greet/i, by: 'given_name' },
  { raw: 'family_name', purpose: /anrede|begrüß|ansprechen|salutation|greet/i, by: 'given_name' },
];

const faultOf = (use: ClaimUse, registered: readonly string[]): { reason: string; example?: string } | undefined => {
  const { claim, purpose, rawBecause } = use;
  const less = SAYS_LESS[claim];
  const twin = less?.find((other) => registered.includes(other));
  if (twin !== undefined)
    return { reason: `${twin} is registered as well and says less; leave ${claim} out, or ${twin}` };
  const served = SERVED.find(
    ({ raw, purpose: like }) => raw === claim && Object.values(purpose).some((text) => like.test(text)),
  );
  if (served !== undefined) {
    return {
      reason: `the purpose of ${claim} is served by ${served.by}, which says less`,
      example: `claim: ${served.by}`,
    };
  }
  if (less === undefined || rawBecause !== undefined) return undefined;
  return {
    reason: `${claim} is raw data: raw_because must say why none of ${less.join(', ')} would do`,
    example: 'raw_because: { de: Die Karte wird dorthin geschickt }',
  };
};

/** Notes raw data where a claim that says less would serve the purpose (GDPR Art. 5(1)(c), Art. 25). */
export const checkLeastData = (source: TownSource, service: Registration): void => {
  const registered = service.claims.map(({ claim }) => claim);
  for (const [index, use] of service.claims.entries()) {
    const fault = faultOf(use, registered);
    if (fault !== undefined) source.fault(['claims', index], fault.reason, fault.example);
  }
};
