import type { ServerResponse } from 'node:http';
import { html } from 'hono/html';

export type View = ReturnType<typeof html>;
export type Language = 'de' | 'en';

/** The language of a page of the sandbox, by what the browser prefers. */
export const languageOf = (acceptLanguage: string | undefined): Language => {
  const first = (acceptLanguage ?? 'de').split(',').map((part) => part.trim().slice(0, 2).toLowerCase());
  return first.find((language): language is Language => language === 'de' || language === 'en') ?? 'de';
};

/** Styles of the sandbox's own pages; they look like no city's on purpose. */
export const STYLE = `
:root { color-scheme: light dark; --accent: #1a5f7a; --line: #8886; --soft: #8881; --button: #fff }
@media (prefers-color-scheme: dark) { :root { --accent: #8fd0e8; --button: #06232d } }
* { box-sizing: border-box }
body { font: 1.0625rem/1.55 system-ui, sans-serif; margin: 0 }
main, header > *, footer { max-width: 48rem; margin: 0 auto; padding: 0 1.25rem }
header { border-top: .5rem solid var(--accent); border-bottom: 1px solid var(--line); padding: 1rem 0; margin-bottom: 2rem }
header p { margin-block: 0 } header .who { font-weight: 700; font-size: 1.25rem }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1rem } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
a { color: var(--accent) }
button, .button { font: inherit; font-weight: 600; display: inline-block; border: 2px solid var(--accent); border-radius: .4rem;
  background: var(--accent); color: var(--button); padding: .6rem 1.1rem; cursor: pointer; text-decoration: none; margin: .25rem .5rem .25rem 0 }
button.quiet { background: none; color: var(--accent) }
:focus-visible { outline: 3px solid #f5a623; outline-offset: 2px }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .4rem 1.25rem; margin: 0 }
dt { font-weight: 600 } dd { margin: 0; overflow-wrap: anywhere }
code, pre { font: .9rem/1.5 ui-monospace, monospace }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem; padding: .9rem; white-space: pre-wrap; overflow-wrap: anywhere }
article { border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem; margin: 0 0 1.25rem } article h2 { margin-top: 0 }
.notice { background: var(--soft); border-left: .4rem solid var(--accent); padding: .75rem 1rem; overflow-wrap: anywhere }
footer { border-top: 1px solid var(--line); margin-top: 3rem; padding-top: 1rem; padding-bottom: 2rem; font-size: .9rem }
form { display: inline }
`;

/** A whole page. `style` is the address of the style sheet, `script` of an optional script. */
export const page = (
  language: Language,
  title: string,
  head: View,
  body: View,
  style: string,
  script?: string,
): View => html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${style}">
${script === undefined ? '' : html`<script src="${script}" defer></script>`}
</head>
<body>
<header>${head}</header>
<main>${body}</main>
<footer>${language === 'de' ? 'Sandkasten des Stadtschlüssels: nichts hier ist echt.' : 'Stadtschlüssel sandbox: nothing here is real.'}</footer>
</body>
</html>
`;

/** Sends a page with headers that let it load nothing but its own. */
export const sendPage = async (
  res: ServerResponse,
  status: number,
  view: View,
  formTargets: readonly string[] = [],
): Promise<void> => {
  const forms = ["'self'", ...formTargets].join(' ');
  res.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': `default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
  res.end(String(await view));
};

/** Sends a text, such as the style sheet. */
export const sendText = (res: ServerResponse, status: number, type: string, text: string): void => {
  res.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  res.end(text);
};
