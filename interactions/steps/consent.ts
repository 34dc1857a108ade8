import { CLAIM_CATALOGUE } from '../../accounts/claims.ts';
import * as consents from '../../accounts/consents.ts';
import type { ClaimUse } from '../../accounts/town.ts';
import type { Form } from '../form.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { view } from './consent.view.ts';
import { checkboxOf, shown, usesOf } from './consent-form.ts';

const allow = async (visit: Visit, form: Form): Promise<Outcome> => {
  if (visit.account === undefined) return { go: 'on' };
  if (form.text('shown') !== shown(visit)) return faulty([{ code: 'consent-changed' }]);
  const uses = usesOf(visit);
  const wanted = ({ claim, required }: ClaimUse): boolean =>
    required || (form.text(checkboxOf(claim)) === 'yes' && visit.values[claim] !== undefined);
  const earlier = await consents.find(visit.domain, visit.account.id, visit.clientId);
  // What was decided about what this request leaves out stays decided, as long as the registration is the same.
  const same = earlier?.digest === consents.registrationDigest(visit.registration) ? earlier : undefined;
  const asked = [...visit.requested, ...visit.apis];
  const kept = (names: readonly string[] = []): string[] => names.filter((name) => !asked.includes(name));
  await consents.record(visit.domain, visit.account.id, visit.registration, {
    given: [...kept(same?.given), ...uses.filter(wanted).map(({ claim }) => claim), ...visit.apis],
    refused: [...kept(same?.refused), ...uses.filter((use) => !wanted(use)).map(({ claim }) => claim)],
  });
  return { go: 'on', apply: (progress) => ({ ...progress, consented: true }) };
};

export const step: Step = {
  view,
  posts: {
    consent: { fields: ['shown', ...Object.keys(CLAIM_CATALOGUE).map(checkboxOf)], handle: allow },
    deny: { fields: [], handle: async () => ({ go: 'back-to-service' }) },
  },
};
