/** The plain look of the counterparts' pages: visibly not the provider's, and visibly a simulation. */
export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const STYLE =
  'body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;background:#f4f4f1;color:#1b1b1b}main{max-width:40rem;margin:2rem auto;padding:1.5rem;background:#fff;border-radius:8px}header{background:#5a2d00;color:#fff;padding:.6rem 1.5rem}label{display:block;padding:.35rem 0}button{font:inherit;margin:.35rem .5rem .35rem 0;padding:.5rem .9rem}input:not([type=radio]),select{font:inherit;padding:.4rem}fieldset{border:1px solid #bbb;border-radius:6px;margin:0 0 1rem}[role=alert]{border-left:6px solid #b00020;padding-left:.8rem}@media(prefers-color-scheme:dark){body{background:#181818;color:#eee}main{background:#242424}}';

/** A page; `body` is HTML whose parts were escaped. */
export const page = (simulates: string, title: string, body: string): string =>
  `<!doctype html><html lang="de"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>` +
  `<body><header>Sandkasten: hier antwortet eine Nachbildung von ${escapeHtml(simulates)}</header><main><h1>${escapeHtml(title)}</h1>${body}</main></body></html>`;
