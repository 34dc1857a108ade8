import * as backupCodes from '../../accounts/backup-codes.ts';
import * as totp from '../../accounts/totp.ts';
import type { Form } from '../form.ts';
import { field, form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { proofNow, withProof } from '../proofs.ts';
import { faulty, type Outcome, type Step, type Visit } from '../visit.ts';
import { nothingThere, stepPage } from './page.view.ts';
import { ceremonyForm } from './passkey.view.ts';
import { passkeyPosts, waysOut } from './sign-in.ts';

const view = (visit: Visit): string => {
  const t = visit.t.secondFactor;
  const { has } = visit;
  const app = has?.totp === true && visit.appHelps;
  const passkey = (has?.passkeys ?? 0) > 0;
  const backup = html`${field(visit, { name: 'backup_code', label: t.backupLabel, autocomplete: 'off', width: 'full', maxlength: 40 })}
    ${submit(t.backupSubmit, app || passkey ? 'secondary' : 'primary')}`;
  return stepPage(visit, {
    title: app || !passkey ? t.title : visit.t.signInMore.again,
    scripts: ['page.js', 'passkey.js'],
    body: html`${
      app &&
      html`<p class="kern-body">${t.lead}</p>
    ${form(
      visit,
      'totp',
      html`${field(visit, {
        name: 'code',
        label: t.label,
        hint: t.hint,
        inputmode: 'numeric',
        autocomplete: 'one-time-code',
        width: 'code',
        maxlength: 12,
      })}
      ${submit(t.submit)}`,
    )}`
    }
    ${
      passkey &&
      ceremonyForm(visit, {
        purpose: 'sign-in',
        action: 'passkey',
        label: visit.t.signIn.passkey,
        aborted: visit.t.signIn.passkeyAborted,
        kind: app ? 'secondary' : 'primary',
      })
    }
    ${
      (has?.codes ?? 0) > 0 &&
      html`<section class="ss-aside">
      ${(app || passkey) && html`<h2 class="kern-heading-small">${app ? t.backupTitle : t.noPasskeyTitle}</h2>`}
      <p class="kern-body">${app || passkey ? t.backupText : t.backupOnly}</p>
      ${form(visit, 'backup-code', backup)}
    </section>`
    }
    ${nothingThere(visit)}
    <div class="ss-row">
      ${visit.optional && form(visit, 'skip', submit(visit.t.signInMore.skip, 'tertiary', false))}
      ${form(visit, 'other-account', submit(visit.t.signInMore.otherAccount, 'tertiary', false))}
    </div>`,
  });
};

/** Checks the code of the app of the citizen whose first factor was shown. */
const checkTotp = async (visit: Visit, form: Form): Promise<Outcome> => {
  const { account } = visit;
  const code = form.text('code').trim();
  if (account === undefined) return { go: 'on' };
  if (code === '') return faulty([{ field: 'code', code: 'otp-missing' }]);
  const checked = await totp.check(visit.domain, account.id, code);
  switch (checked.outcome) {
    case 'proven': {
      const proof = proofNow(visit, 'otp', checked.weak);
      return { go: 'on', apply: (progress) => withProof(progress, account.id, proof) };
    }
    case 'wrong':
      return faulty([{ field: 'code', code: 'otp-wrong' }]);
    case 'wait':
      return faulty([{ code: 'sign-in-wait', until: checked.until.toISOString() }]);
  }
};

const checkBackupCode = async (visit: Visit, form: Form): Promise<Outcome> => {
  const { account } = visit;
  const code = form.text('backup_code').trim();
  if (account === undefined) return { go: 'on' };
  if (code === '') return faulty([{ field: 'backup_code', code: 'recovery-code-missing' }]);
  const spent = await backupCodes.spend(visit.domain, account.id, code);
  switch (spent.outcome) {
    case 'spent': {
      const proof = proofNow(visit, 'code');
      return { go: 'on', apply: (progress) => withProof(progress, account.id, proof) };
    }
    case 'wrong':
      return faulty([{ field: 'backup_code', code: 'otp-wrong' }]);
    case 'wait':
      return faulty([{ code: 'sign-in-wait', until: spent.until.toISOString() }]);
  }
};

export const step: Step = {
  view,
  posts: {
    totp: { fields: ['code'], handle: checkTotp },
    'backup-code': { fields: ['backup_code'], handle: checkBackupCode },
    ...passkeyPosts,
    ...waysOut,
  },
};
