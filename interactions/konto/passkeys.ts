import * as assurance from '../../accounts/assurance.ts';
import { inTransaction } from '../../accounts/context.ts';
import { providerOf } from '../../accounts/passkey-providers.ts';
import * as passkeys from '../../accounts/passkeys.ts';
import * as ceremonies from '../ceremonies.ts';
import { notHere } from '../device.ts';
import type { Form } from '../form.ts';
import { submit } from '../form.view.ts';
import { type Html, html } from '../html.ts';
import { tellChange } from '../notices.ts';
import { ownPasskeys } from '../signals.view.ts';
import { type KontoOutcome, type KontoPage, type Visitor, wrong } from './konto.ts';
import { day, kontoForm, kontoPage, passkeyForm, toFinder } from './page.view.ts';

const nameOf = (visitor: Visitor, passkey: passkeys.Passkey): string =>
  passkey.label ?? providerOf(passkey.aaguid) ?? visitor.t.konto.passkeys.unnamed;

const entry = (visitor: Visitor, passkey: passkeys.Passkey): Html => {
  const t = visitor.t.konto;
  const { language } = visitor.shell;
  const provider = providerOf(passkey.aaguid);
  const facts = [
    passkey.label !== undefined && provider,
    t.since(day(passkey.createdAt, language)),
    passkey.lastUsedAt === undefined ? t.neverUsed : t.lastUsed(day(passkey.lastUsedAt, language)),
    passkey.backedUp && t.passkeys.synced,
  ].filter(Boolean);
  return html`<li class="ss-choice">
    <h2 class="kern-heading-small">${nameOf(visitor, passkey)}</h2>
    <p class="kern-body">${facts.join(' · ')}</p>
    <details class="ss-details"><summary>${t.passkeys.rename}</summary>
    ${kontoForm(
      visitor,
      'rename',
      html`<input type="hidden" name="id" value="${passkey.id}">
      <div class="kern-form-input"><label class="kern-label" for="label-${passkey.id}">${t.passkeys.label}</label><input class="kern-form-input__input" id="label-${passkey.id}" name="label" type="text" autocomplete="off" maxlength="60" value="${nameOf(visitor, passkey)}"></div>
      ${submit(t.save, 'secondary', false)}`,
    )}</details>
    <details class="ss-details"><summary>${t.passkeys.remove}</summary>
    <p class="kern-body">${t.passkeys.removeHint}</p>
    ${kontoForm(visitor, 'remove', html`<input type="hidden" name="id" value="${passkey.id}">${submit(t.passkeys.remove, 'secondary', false)}`)}</details>
  </li>`;
};

const view = async (visitor: Visitor): Promise<string> => {
  const t = visitor.t.konto;
  const all = await passkeys.list(visitor.domain, visitor.account.id);
  return kontoPage(visitor, {
    title: t.passkeys.title,
    scripts: ['page.js', 'signal.js'],
    body: html`<p class="kern-body">${t.passkeys.lead}</p>
    ${ownPasskeys(visitor.deps, visitor.account, all)}
    <ul class="ss-list">${all.map((passkey) => entry(visitor, passkey))}</ul>
    <div class="ss-actions"><a class="kern-btn kern-btn--primary" href="/konto/passkey-neu"><span class="kern-label">${all.length === 0 ? t.passkeys.first : t.passkeys.add}</span></a></div>
    ${toFinder(visitor)}`,
  });
};

const rename = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { domain, account } = visitor;
  const renamed = await passkeys.rename(domain, account.id, form.text('id'), form.text('label'));
  return { go: 'page', flash: { done: renamed.outcome === 'renamed' } };
};

const remove = (visitor: Visitor, form: Form): Promise<KontoOutcome> =>
  inTransaction(visitor.domain, async (tx) => {
    const removed = await passkeys.remove(tx, visitor.account.id, form.text('id'));
    if (removed.outcome === 'last') return wrong([{ code: 'passkey-last' }]);
    if (removed.outcome === 'removed') await tellChange(visitor.deps, tx, visitor.account, 'passkey-removed');
    return { go: 'page', flash: { done: removed.outcome === 'removed' } };
  });

/** The list. */
export const page: KontoPage = {
  fresh: false,
  view,
  posts: {
    rename: { fields: ['id', 'label'], fresh: false, handle: rename },
    remove: { fields: ['id'], fresh: true, handle: remove },
  },
};

const creationOptions = async (visitor: Visitor): Promise<KontoOutcome> => {
  const { account, deps, domain } = visitor;
  const name = account.email ?? account.kennung;
  const exclude = await passkeys.list(domain, account.id);
  const who = { handle: account.passkeyHandle, name, displayName: name, exclude };
  const { options, challenge } = await passkeys.creationOptions(domain, deps.rp, who);
  const ceremony = await ceremonies.begin(visitor, { purpose: 'creation', challenge });
  return { go: 'json', body: { options, ceremony } };
};

const add = async (visitor: Visitor, form: Form): Promise<KontoOutcome> => {
  const { account, deps, domain } = visitor;
  const failed = wrong([{ code: 'passkey-failed' }]);
  const ceremony = await ceremonies.take(visitor, form.text('ceremony'), 'creation');
  if (ceremony === undefined) return failed;
  const response = ceremonies.parseResponse(form.text('response'));
  const created = await passkeys.verifyCreation(deps.rp, ceremony.challenge, response);
  if (created.outcome === 'wrong') return failed;
  const weak = !assurance.showsTwoFactors(visitor, Math.floor(domain.now().getTime() / 1000));
  return inTransaction(domain, async (tx) => {
    const added = await passkeys.add(tx, account.id, created.passkey, weak);
    if (added.outcome === 'passkey-taken') return wrong([{ code: 'passkey-taken' }]);
    await tellChange(deps, tx, account, 'passkey-added');
    return { go: 'page', to: '/konto/passkeys', flash: { done: true } };
  });
};

/** Adds one. */
export const newPage: KontoPage = {
  fresh: true,
  view: (visitor) => {
    const t = visitor.t.konto.passkeys;
    return kontoPage(visitor, {
      title: t.first,
      scripts: ['page.js', 'passkey.js'],
      body: html`<p class="kern-body">${visitor.t.credential.passkeyText}</p>
      ${notHere(visitor)}
      ${passkeyForm(visitor, t.first)}
      <p class="kern-body kern-body--muted" data-without-passkey>${visitor.t.credential.passkeyUnsupported}</p>`,
    });
  },
  posts: {
    'new-passkey-options': { fields: [], fresh: true, handle: creationOptions },
    'new-passkey': { fields: ['ceremony', 'response'], fresh: true, handle: add },
  },
};
