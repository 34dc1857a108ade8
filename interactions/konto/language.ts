import * as accounts from '../../accounts/accounts.ts';
import { choice, submit } from '../form.view.ts';
import { html } from '../html.ts';
import { offeredLanguages, textsIn } from '../language.ts';
import type { KontoPage, Visitor } from './konto.ts';
import { kontoForm, kontoPage } from './page.view.ts';

const view = (visitor: Visitor): string => {
  const t = visitor.t.konto.language;
  const languages = offeredLanguages(visitor.deps.town.languages);
  return kontoPage(visitor, {
    title: t.title,
    body: html`<p class="kern-body">${t.lead}</p>
    ${kontoForm(
      visitor,
      'set',
      html`${choice(visitor, {
        name: 'language',
        legend: t.title,
        options: languages.map((value) => ({ value, label: textsIn(value).language, lang: value })),
        chosen: visitor.account.language,
      })}
      ${submit(t.submit)}`,
    )}`,
  });
};

export const page: KontoPage = {
  fresh: false,
  view,
  posts: {
    set: {
      fields: ['language'],
      fresh: false,
      handle: async (visitor, form) => {
        const wanted = offeredLanguages(visitor.deps.town.languages).find((one) => one === form.text('language'));
        if (wanted === undefined) return { go: 'page' };
        await accounts.setLanguage(visitor.domain, visitor.account.id, wanted);
        return { go: 'page', to: '/konto', flash: { done: true } };
      },
    },
  },
};
