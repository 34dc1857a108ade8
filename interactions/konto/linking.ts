import * as identities from '../../accounts/identities.ts';
import type { AccountId } from '../../accounts/ids.ts';
import { submit } from '../form.view.ts';
import { html } from '../html.ts';
import { BUNDID_POLICY, bundIdBody, eidBody, eidPolicy } from '../identity/away.ts';
import { changeMail, closeAccount, doubleLead } from '../identity/double.ts';
import * as exchanges from '../identity/exchanges.ts';
import type { SourceAnswer } from '../identity/sources.ts';
import { TO_COMPARE } from '../identity/start.ts';
import type { IdentityFault } from '../progress.ts';
import { type KontoOutcome, type KontoPage, type KontoPost, type Visitor, wrong } from './konto.ts';
import { kontoForm, kontoPage } from './page.view.ts';

/** Linking an identity from the citizen's own pages: the same exchanges as in a sign-in, awaited by the session. */
type Citizens = 'eid' | 'bundid';

/** What the page of this session waits for. */
type Waiting =
  | { readonly for: 'source'; readonly source: Citizens; readonly exchange: string; readonly door: string }
  /** The identity signs in to another account: one of the two may be closed. */
  | { readonly for: 'choice'; readonly proof: identities.LinkableProof; readonly other: AccountId };

const KIND = 'KontoLinking';
const PAGE = '/konto/ausweise';

/** The sources of citizens that can be used now. */
export const offered = ({ deps: { sources } }: Visitor): Citizens[] => [
  ...(sources?.eid?.up() === true ? (['eid'] as const) : []),
  ...(sources?.bundid !== undefined ? (['bundid'] as const) : []),
];

const fault = (identity: IdentityFault): KontoOutcome => wrong([{ code: 'identity', identity }]);

const wait = ({ deps, uid }: Visitor, waiting: Waiting): Promise<void> =>
  deps.fleeting.put(KIND, uid, waiting, exchanges.EXCHANGE_SECONDS);

const waitingOf = async ({ deps, uid }: Visitor): Promise<Waiting | undefined> =>
  (await deps.fleeting.get<Waiting>(KIND, uid))?.value;

const begin = async (visitor: Visitor, source: Citizens): Promise<KontoOutcome> => {
  const { deps, ctx, domain, account, shell } = visitor;
  const all = await identities.list(domain, account.id);
  // A second one must say whose it is (identities.link).
  const read = all.some((one) => one.source === source && one.retiredAt === undefined) ? TO_COMPARE : [];
  if (!offered(visitor).includes(source)) return fault('unavailable');
  if (source === 'eid') {
    const exchange = await exchanges.begin(deps, ctx, PAGE, { source, question: { read } });
    await wait(visitor, {
      for: 'source',
      source,
      exchange,
      door: await exchanges.openDoor(deps.fleeting, 'tc-token', exchange),
    });
    return { go: 'page' };
  }
  const bundid = deps.sources?.bundid;
  if (bundid === undefined) return fault('unavailable');
  const question = { level: read.length > 0 ? 3 : 1, pseudonym: true, read } as const;
  const { action, samlRequest, requestId } = await bundid.request(question, shell.language);
  const exchange = await exchanges.begin(deps, ctx, PAGE, { source, question, requestId, samlRequest, action });
  const door = await exchanges.openDoor(deps.fleeting, 'bundid-relay', exchange);
  await wait(visitor, { for: 'source', source, exchange, door });
  return { go: 'page' };
};

/** Links what a source has proven; the account was proven by the strongest factor that it has, minutes ago. */
const settle = async (visitor: Visitor, answer: SourceAnswer): Promise<KontoOutcome> => {
  const { account, domain, fresh } = visitor;
  if ('fault' in answer) return fault(answer.fault);
  const { proof } = answer;
  if (!identities.isLinkable(proof)) return fault('temporary');
  if (!fresh) return fault('not-fresh');
  const mail = { linked: changeMail(visitor, 'linked'), email: account.email };
  const linked = await identities.link(domain, account.id, account.credentialState, proof, mail);
  switch (linked.outcome) {
    case 'linked':
    case 'linked-before':
      return { go: 'page', flash: { done: true } };
    case 'elsewhere':
      await wait(visitor, { for: 'choice', proof, other: linked.account });
      return { go: 'page' };
    case 'contradiction':
      return fault('contradiction');
    case 'stale':
      return fault('not-fresh');
    case 'wrong-kind':
      return fault('wrong-kind');
  }
};

/** Back from a source: what it said is taken once. */
export const arrive = async (visitor: Visitor): Promise<KontoOutcome | undefined> => {
  const { deps, uid } = visitor;
  const waiting = await waitingOf(visitor);
  if (waiting?.for !== 'source') return undefined;
  const answer = await exchanges.takeAnswer(deps.fleeting, waiting.exchange);
  if (answer === undefined) return undefined;
  await exchanges.end(deps.fleeting, waiting.exchange);
  await deps.fleeting.take(KIND, uid);
  return settle(visitor, answer);
};

/** The page that leads to a source, or asks which of two accounts stays; undefined where nothing is awaited. */
export const view = async (visitor: Visitor): Promise<Awaited<ReturnType<KontoPage['view']>> | undefined> => {
  const { deps, t } = visitor;
  const waiting = await waitingOf(visitor);
  const cancel = kontoForm(visitor, 'cancel', submit(t.identity.konto.cancel, 'tertiary', false));
  if (waiting?.for === 'choice') {
    const { double } = t.identity;
    return kontoPage(visitor, {
      title: double.title,
      body: html`${doubleLead(t, waiting.proof.source)}
      <section class="ss-choice"><h2 class="kern-heading-small">${double.thisTitle}</h2><p class="kern-body">${double.thisText(visitor.account.kennung)}</p>
      ${kontoForm(visitor, 'keep-this', submit(double.keepThis, 'secondary'))}</section>
      ${kontoForm(visitor, 'cancel', submit(double.leave))}`,
    });
  }
  if (waiting === undefined) return undefined;
  const found = await exchanges.find(deps.fleeting, waiting.exchange);
  if (found === undefined) return undefined;
  const { title } = t.identity[waiting.source];
  return waiting.source === 'eid'
    ? {
        policy: eidPolicy(deps),
        page: kontoPage(visitor, {
          title,
          scripts: ['page.js', 'eid.js'],
          body: html`${eidBody(deps, visitor.ctx, t, waiting.door)}${cancel}`,
        }),
      }
    : {
        policy: BUNDID_POLICY,
        page: kontoPage(visitor, { title, body: html`${bundIdBody(t, found.asked, waiting.door)}${cancel}` }),
      };
};

const cancel = async (visitor: Visitor): Promise<KontoOutcome> => {
  const { deps, uid } = visitor;
  const waiting = await deps.fleeting.take<Waiting>(KIND, uid);
  if (waiting?.for === 'source') await exchanges.end(deps.fleeting, waiting.exchange);
  return { go: 'page' };
};

const keepThis = async (visitor: Visitor): Promise<KontoOutcome> => {
  const { deps, uid, account } = visitor;
  const waiting = await deps.fleeting.take<Waiting>(KIND, uid);
  if (waiting?.for !== 'choice') return { go: 'page' };
  const closed = await closeAccount(visitor, { keep: account.id, close: waiting.other }, waiting.proof);
  if (closed.outcome !== 'closing') return fault(closed.outcome === 'stale' ? 'contradiction' : 'weaker');
  return { go: 'page', flash: { done: true } };
};

const post = (fresh: boolean, handle: KontoPost['handle']): KontoPost => ({ fields: [], fresh, handle });

/** The forms that lead to a source, and back. */
export const posts: KontoPage['posts'] = {
  eid: post(true, (visitor) => begin(visitor, 'eid')),
  bundid: post(true, (visitor) => begin(visitor, 'bundid')),
  cancel: post(false, cancel),
  'keep-this': post(true, keepThis),
};
