import * as assurance from '../../accounts/assurance.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import * as ceremonies from '../ceremonies.ts';
import type { Form } from '../form.ts';
import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { tellChange } from '../notices.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { stepPage } from './page.view.ts';
import { ceremonyForm } from './passkey.view.ts';

const view = (visit: Visit): string => {
  const t = visit.t.offerPasskey;
  return stepPage(visit, {
    title: t.title,
    cancel: false,
    scripts: ['page.js', 'passkey.js'],
    body: html`<p class="kern-body">${t.lead}</p>
    ${ceremonyForm(visit, { purpose: 'creation', action: 'new-passkey', label: t.submit, aborted: t.aborted, kind: 'primary', automatic: true })}
    ${form(visit, 'no-passkey', submit(t.later, 'secondary'))}`,
  });
};

/** Whether the factors shown in this very sign-in are the strongest that the account has: nothing less adds one. */
const mayAdd = ({ has, proofs, domain }: Visit): boolean =>
  has !== undefined && assurance.covers(assurance.FRESH, { proofs }, has, Math.floor(domain.now().getTime() / 1000));

const creationOptions = async (visit: Visit): Promise<Outcome> => {
  const { account, deps } = visit;
  if (account === undefined || !mayAdd(visit)) return { go: 'on' };
  const name = account.email ?? account.kennung;
  const who = { handle: account.passkeyHandle, name, displayName: name, exclude: [] };
  const { options, challenge } = await passkeys.creationOptions(visit.domain, deps.rp, who);
  return { go: 'json', body: { options, ceremony: await ceremonies.begin(visit, { purpose: 'creation', challenge }) } };
};

const add = async (visit: Visit, form: Form): Promise<Outcome> => {
  const { account, deps, domain } = visit;
  const failed = faulty([{ code: 'passkey-failed' }]);
  if (account === undefined || !mayAdd(visit)) return { go: 'on' };
  const ceremony = await ceremonies.take(visit, form.text('ceremony'), 'creation');
  if (ceremony === undefined) return failed;
  const response = ceremonies.parseResponse(form.text('response'));
  const created = await passkeys.verifyCreation(deps.rp, ceremony.challenge, response, { automatic: true });
  if (created.outcome === 'wrong') return failed;
  const now = Math.floor(domain.now().getTime() / 1000);
  const weak = !assurance.showsTwoFactors({ proofs: visit.proofs }, now);
  const added = await passkeys.add(domain, account.id, created.passkey, weak);
  if (added.outcome !== 'added') return failed;
  await tellChange(deps, domain, account, 'passkey-added');
  return { go: 'on', apply: (progress) => ({ ...progress, offered: true }) };
};

export const step: Step = {
  view,
  posts: {
    'new-passkey-options': { fields: [], handle: creationOptions },
    'new-passkey': { fields: ['ceremony', 'response'], handle: add },
    'no-passkey': {
      fields: [],
      handle: async (visit) => {
        if (visit.account !== undefined) await passkeys.decline(visit.domain, visit.account.id);
        return { go: 'on', apply: (progress) => ({ ...progress, offered: true }) };
      },
    },
  },
};
