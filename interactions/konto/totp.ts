import * as assurance from '../../accounts/assurance.ts';
import { inTransaction } from '../../accounts/context.ts';
import * as totp from '../../accounts/totp.ts';
import type { Form } from '../form.ts';
import { field, submit } from '../form.view.ts';
import { type Html, html } from '../html.ts';
import { inLanguage } from '../language.ts';
import { tellChange } from '../notices.ts';
import { appSecret } from '../totp.view.ts';
import { type KontoOutcome, type KontoPage, type Visitor, wrong } from './konto.ts';
import { kontoForm, kontoPage, toFinder } from './page.view.ts';

const KIND = 'NewTotp';
const SECONDS = 600;
/** The secret being set up in this session: the same until it is confirmed, so that a typing error costs no new scan. */
const pending = async ({ deps, uid }: Visitor): Promise<string> => {
  const found = await deps.fleeting.get<string>(KIND, uid);
  if (found !== undefined) return found.value;
  const secret = totp.newSecret();
  await deps.fleeting.put(KIND, uid, secret, SECONDS);
  return secret;
};

const setUp = async (visitor: Visitor): Promise<Html> => {
  const t = visitor.t.konto.totp;
  const { account, deps, shell } = visitor;
  const secret = await pending(visitor);
  const issuer = `${visitor.t.common.product} ${inLanguage(deps.town.name, shell.language)}`;
  return html`${appSecret(visitor.t, secret, issuer, account.email ?? account.kennung)}
    <h2 class="kern-heading-small">${t.step2}</h2>
    ${kontoForm(
      visitor,
      'enrol',
      html`${field(visitor, {
        name: 'code',
        label: visitor.t.secondFactor.label,
        hint: visitor.t.secondFactor.hint,
        inputmode: 'numeric',
        autocomplete: 'one-time-code',
        width: 'code',
        maxlength: 12,
      })}
      ${submit(t.submit)}`,
    )}`;
};

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.konto.totp;
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    ${
      visitor.has.totp
        ? html`<section class="ss-choice"><h2 class="kern-heading-small">${t.is}</h2><p class="kern-body">${t.removeText}</p>
      ${kontoForm(visitor, 'remove', submit(t.remove, 'secondary', false))}</section>`
        : html`${await setUp(visitor)}${toFinder(visitor)}`
    }`,
  });
};

const enrol = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, deps, domain, uid } = visitor;
  const pendingSecret = await deps.fleeting.get<string>(KIND, uid);
  if (pendingSecret === undefined || visitor.has.totp) return { go: 'page' };
  const weak = !assurance.showsTwoFactors(visitor, Math.floor(domain.now().getTime() / 1000));
  const outcome = await inTransaction(domain, async (tx): Promise<KontoOutcome> => {
    const enrolled = await totp.enrol(tx, account.id, pendingSecret.value, form.text('code'), weak);
    if (enrolled.outcome === 'wrong') return wrong([{ field: 'code', code: 'otp-wrong' }]);
    await tellChange(deps, tx, account, 'totp-enrolled');
    return { go: 'page', to: '/konto', flash: { done: true } };
  });
  if (outcome.go === 'page' && outcome.to !== undefined) await deps.fleeting.take(KIND, uid);
  return outcome;
};

const remove = (visitor: Visitor): Promise<KontoOutcome> =>
  inTransaction(visitor.domain, async (tx) => {
    if (!visitor.has.totp) return { go: 'page' };
    const removed = await totp.remove(tx, visitor.account.id);
    if (removed.outcome === 'password-too-short') return wrong([{ code: 'password-first' }]);
    await tellChange(visitor.deps, tx, visitor.account, 'totp-removed');
    return { go: 'page', to: '/konto', flash: { done: true } };
  });

export const page: KontoPage = {
  fresh: true,
  view,
  posts: {
    enrol: { fields: ['code'], fresh: true, handle: enrol },
    remove: { fields: [], fresh: true, handle: remove },
  },
};
