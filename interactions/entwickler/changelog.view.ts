import { type Html, html, safeUrl } from '../html.ts';

const INLINE = /\*\*(.+?)\*\*|`([^`]+)`|\[([^\]]+)\]\(([^)\s]+)\)/g;

/** The marks within a line that the changelog uses: bold, code, links. */
const inline = (text: string): Html[] => {
  const parts: Html[] = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, bold, code, label = '', target = ''] = found;
    parts.push(html`${text.slice(from, found.index)}`);
    from = found.index + whole.length;
    // What leads to a file of the project leads nowhere from here.
    const url = safeUrl(target);
    if (bold !== undefined) parts.push(html`<strong>${bold}</strong>`);
    else if (code !== undefined) parts.push(html`<code>${code}</code>`);
    else parts.push(url === undefined ? html`${label}` : html`<a class="kern-link" href="${url}">${label}</a>`);
  }
  return [...parts, html`${text.slice(from)}`];
};

/** CHANGELOG.md as a page shows it: its headings below those of the page, its paragraphs and its lists. English as it is. */
export const changelogView = (markdown: string): Html => {
  const blocks = markdown
    .replace(/^# .*\n/, '')
    .replaceAll(/\n {2,}/g, ' ')
    .split(/\n\s*\n|\n(?=- )/)
    .map((block) => block.replaceAll('\n', ' ').trim())
    .filter((block) => block !== '');
  const shown: Html[] = [];
  let items: Html[] = [];
  const endList = (): void => {
    if (items.length > 0) shown.push(html`<ul class="kern-body ss-hints">${items}</ul>`);
    items = [];
  };
  for (const block of blocks) {
    if (block.startsWith('- ')) {
      items.push(html`<li>${inline(block.slice(2))}</li>`);
      continue;
    }
    endList();
    const heading = /^#+ (.*)$/.exec(block)?.[1];
    shown.push(
      heading === undefined
        ? html`<p class="kern-body">${inline(block)}</p>`
        : html`<h3 class="kern-heading-small">${heading}</h3>`,
    );
  }
  endList();
  return html`<div lang="en" dir="ltr">${shown}</div>`;
};
