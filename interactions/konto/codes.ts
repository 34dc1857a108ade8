import * as backupCodes from '../../accounts/backup-codes.ts';
import { inTransaction } from '../../accounts/context.ts';
import { submit } from '../form.view.ts';
import { html } from '../html.ts';
import { tellChange } from '../notices.ts';
import type { KontoOutcome, KontoPage, Visitor } from './konto.ts';
import { kontoForm, kontoPage } from './page.view.ts';

const view = (visitor: Visitor): string => {
  const t = visitor.t.konto.codes;
  const codes = visitor.flash?.codes;
  return kontoPage(visitor, {
    title: t.title,
    body:
      codes === undefined
        ? html`<p class="kern-body">${t.lead}</p>
    <p class="kern-body"><strong>${t.left(visitor.has.codes)}</strong></p>
    <p class="kern-body">${t.makeHint}</p>
    ${kontoForm(visitor, 'make', submit(t.make, 'secondary', false))}`
        : html`<p class="kern-body ss-no-print"><strong>${t.shown}</strong></p>
    <ol class="ss-codes" aria-label="${visitor.t.backupCodes.list}">${codes.map((code) => html`<li><code>${code}</code></li>`)}</ol>
    <button type="button" class="kern-btn kern-btn--secondary ss-btn--wide" data-print hidden><span class="kern-label">${visitor.t.common.print}</span></button>
    <p class="kern-body kern-body--small kern-body--muted ss-no-print" data-without-script>${visitor.t.common.printWithoutScript}</p>`,
  });
};

const make = (visitor: Visitor): Promise<KontoOutcome> =>
  inTransaction(visitor.domain, async (tx) => {
    const codes = await backupCodes.generate(tx, visitor.account.id);
    await tellChange(visitor.deps, tx, visitor.account, 'backup-codes-created');
    return { go: 'page', flash: { codes } };
  });

export const page: KontoPage = {
  fresh: true,
  view,
  posts: { make: { fields: [], fresh: true, handle: make } },
};
