import * as accounts from '../../accounts/accounts.ts';
import { submit } from '../form.view.ts';
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
      html`<fieldset class="kern-fieldset"><legend class="kern-label">${t.title}</legend>${languages.map(
        (language) =>
          html`<div class="kern-form-check"><input class="kern-form-check__radio" type="radio" id="language-${language}" name="language" value="${language}"${language === visitor.account.language && html` checked`}><label class="kern-label" for="language-${language}" lang="${language}">${textsIn(language).language}</label></div>`,
      )}</fieldset>
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
