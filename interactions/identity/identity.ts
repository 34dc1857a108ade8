import * as accounts from '../../accounts/accounts.ts';
import { parseEmail } from '../../accounts/email.ts';
import type { IdentitySource } from '../../accounts/identities.ts';
import * as identities from '../../accounts/identities.ts';
import type { Form } from '../form.ts';
import { form, submit } from '../form.view.ts';
import { html } from '../html.ts';
import type { IdentityFault, Progress } from '../progress.ts';
import { stepPage } from '../steps/page.view.ts';
import { faulty, type Outcome, type Post, type Step, type Visit } from '../visit.ts';
import { changeMail, closeAccount, doubleLead } from './double.ts';
import { freshlyShown, withIdentity } from './evidence.ts';
import type { SourceName } from './sources.ts';
import { sourcePosts } from './start.ts';

const fault = (identity: IdentityFault): Outcome => faulty([{ code: 'identity', identity }]);

const withoutIdentity = (progress: Progress): Progress => {
  const { identity: _, ...rest } = progress;
  return rest;
};

const back: Post = { fields: [], handle: async () => ({ go: 'on', apply: withoutIdentity }) };

/** Opens an account that this identity signs in to. */
const register = async (visit: Visit, sent: Form): Promise<Outcome> => {
  const { identity, draft } = visit.progress;
  const staff = identity?.proof.source === 'staff';
  if (identity === undefined || staff !== (visit.registration.staff === true)) return { go: 'on' };
  const email = draft?.contact === 'email' && draft.emailProven === true ? parseEmail(draft.email) : undefined;
  const registered = await accounts.register(visit.domain, {
    town: visit.deps.town,
    language: visit.shell.language,
    credential: { kind: 'identity', proof: identity.proof },
    ...(email !== undefined && { email }),
  });
  switch (registered.outcome) {
    case 'registered': {
      const { account, kennung } = registered;
      return {
        go: 'on',
        apply: () => ({
          ...withIdentity(visit, { path: 'sign-in' }, account, identity.proof),
          ...(!staff && { welcome: { kennung } }),
          capable: sent.text('capable') === 'yes',
        }),
      };
    }
    case 'email-taken':
      return {
        go: 'on',
        apply: (progress) => ({ ...progress, draft: { contact: 'open' } }),
        flash: { step: 'email', faults: [{ field: 'email', code: 'email-taken' }] },
      };
    case 'passkey-taken':
    case 'identity-taken':
      return { ...fault('taken'), go: 'on', apply: withoutIdentity };
  }
};

/** A service that writes to its citizens needs an address first; otherwise nothing is missing. */
const open = async (visit: Visit, sent: Form): Promise<Outcome> => {
  if (!visit.needs.needsEmail) return register(visit, sent);
  return {
    go: 'on',
    apply: (progress) =>
      progress.identity && {
        ...progress,
        path: 'register',
        draft: { contact: 'open', address: 'none' },
        identity: { ...progress.identity, intent: 'open' },
      },
  };
};

const unknownView = (visit: Visit): string => {
  const t = visit.t.identity.unknown;
  const source = visit.progress.identity?.proof.source ?? 'eid';
  return stepPage(visit, {
    title: t.title[source],
    back: true,
    scripts: ['page.js', 'passkey.js'],
    body: html`<section class="ss-choice"><h2 class="kern-heading-small">${t.openTitle[source]}</h2>
      <p class="kern-body">${t.openText[source]}</p>${form(visit, 'open-account', html`<input type="hidden" name="capable">${submit(t.open[source])}`)}</section>
    <section class="ss-choice"><h2 class="kern-heading-small">${t.linkTitle[source]}</h2>
      <p class="kern-body">${t.linkText[source]}</p>${form(visit, 'link-account', submit(t.link, 'secondary'))}</section>`,
  });
};

/** An identity that nobody has linked: it opens an account, or is linked to one that is proven next. */
export const unknownStep: Step = {
  view: unknownView,
  posts: {
    'open-account': { fields: ['capable'], handle: open },
    'link-account': {
      fields: [],
      handle: async () => ({
        go: 'on',
        apply: (progress) =>
          progress.identity && { ...progress, path: 'sign-in', identity: { ...progress.identity, intent: 'link' } },
      }),
    },
    back,
  },
};

/** After the e-mail address that a service needs: the account is opened. */
export const openStep: Step = {
  view: (visit) => {
    const t = visit.t.identity.unknown;
    return stepPage(visit, {
      title: t.openTitle.eid,
      back: true,
      scripts: ['page.js', 'passkey.js'],
      body: html`<p class="kern-body">${t.openText.eid}</p>${form(visit, 'open-account', html`<input type="hidden" name="capable">${submit(t.open.eid)}`)}`,
    });
  },
  posts: { 'open-account': { fields: ['capable'], handle: register }, back },
};

/** Whether the account was proven just now, by the strongest factor that it has. */
const provenEnough = (visit: Visit): IdentityFault | undefined => {
  if (freshlyShown(visit)) return undefined;
  return (visit.has?.passkeys ?? 0) > 0 ? 'stronger-factor' : 'not-fresh';
};

const link = async (visit: Visit): Promise<Outcome> => {
  const { account, progress } = visit;
  const { identity } = progress;
  if (account === undefined || identity === undefined) return { go: 'on' };
  const lacking = provenEnough(visit);
  if (lacking !== undefined) return fault(lacking);
  const linked = await identities.link(visit.domain, account.id, account.credentialState, identity.proof, {
    linked: changeMail(visit, 'linked'),
    email: account.email,
  });
  switch (linked.outcome) {
    case 'linked':
    case 'linked-before':
      return { go: 'on', apply: (now) => withIdentity(visit, withoutIdentity(now), account.id, identity.proof) };
    case 'elsewhere': {
      const other = linked.account;
      return { go: 'on', apply: (now) => ({ ...now, identity: { ...identity, intent: 'double', other } }) };
    }
    case 'contradiction':
      return fault(linked.names.length === 0 ? 'new-card' : 'contradiction');
    case 'stale':
      return fault('not-fresh');
    case 'wrong-kind':
      return fault('wrong-kind');
  }
};

/** The form that leads to a source once more. */
const POST_OF: Readonly<Record<IdentitySource, SourceName>> = { eid: 'eid', bundid: 'bundid', staff: 'upstream' };

const linkView = (visit: Visit): string => {
  const t = visit.t.identity.link;
  const source = visit.progress.identity?.proof.source ?? 'eid';
  const newCard = visit.flash?.faults?.some(({ identity }) => identity === 'new-card') === true;
  return stepPage(visit, {
    title: t.title[source],
    body: html`<p class="kern-body">${t.lead}</p>
    <dl class="ss-facts"><div><dt>${t.account}</dt><dd>${visit.account?.email ?? visit.account?.kennung}</dd></div></dl>
    ${newCard ? form(visit, POST_OF[source], submit(t.newCard[source])) : form(visit, 'link', submit(t.submit))}
    ${form(visit, 'back', submit(t.leave, 'secondary'))}`,
  });
};

/** Both are proven, the identity and the account: the citizen says whether they belong together. */
export const linkStep: Step = { view: linkView, posts: { ...sourcePosts, link: { fields: [], handle: link }, back } };

const close = async (visit: Visit, keep: 'this' | 'other'): Promise<Outcome> => {
  const { account, progress } = visit;
  const { identity } = progress;
  if (account === undefined || identity?.other === undefined) return { go: 'on' };
  const lacking = provenEnough(visit);
  if (lacking !== undefined) return fault(lacking);
  const two =
    keep === 'this' ? { keep: account.id, close: identity.other } : { keep: identity.other, close: account.id };
  const closed = await closeAccount(visit, two, identity.proof);
  if (closed.outcome !== 'closing') return fault(closed.outcome === 'stale' ? 'contradiction' : 'weaker');
  // The session that goes on is that of the account which is to be deleted.
  const switched = visit.steppingUp && two.keep !== account.id;
  const start: Progress = { path: 'sign-in', ...(switched && { otherAccount: true }) };
  return { go: 'on', apply: () => withIdentity(visit, start, two.keep, identity.proof) };
};

/** The identity signs in to an older account of the same citizen: one of the two may be closed. */
export const doubleStep: Step = {
  view: (visit) => {
    const t = visit.t.identity.double;
    return stepPage(visit, {
      title: t.title,
      body: html`${doubleLead(visit.t, visit.progress.identity?.proof.source)}
      <section class="ss-choice"><h2 class="kern-heading-small">${t.thisTitle}</h2><p class="kern-body">${t.thisText(visit.account?.kennung ?? '')}</p>${form(visit, 'keep-this', submit(t.keepThis, 'secondary'))}</section>
      <section class="ss-choice"><h2 class="kern-heading-small">${t.otherTitle}</h2><p class="kern-body">${t.otherText}</p>${form(visit, 'keep-other', submit(t.keepOther, 'secondary'))}</section>
      ${form(visit, 'back', submit(t.leave))}`,
    });
  },
  posts: {
    'keep-this': { fields: [], handle: (visit) => close(visit, 'this') },
    'keep-other': { fields: [], handle: (visit) => close(visit, 'other') },
    back,
  },
};
