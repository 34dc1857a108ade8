import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { html } from 'hono/html';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { type Language, languageOf, page, STYLE, sendPage, sendText, type View } from './page.view.ts';

export type ReceivedMail = {
  readonly id: number;
  readonly at: string;
  readonly to: string;
  readonly from: string;
  readonly subject: string;
  readonly text: string;
};

export type MailServer = { readonly smtpUrl: string; readonly mails: readonly ReceivedMail[]; stop(): Promise<void> };

/** Older mails are dropped. */
const MAX_MAILS = 200;
const MAX_MAIL_BYTES = 1_000_000;

/** Starts a real SMTP server on this machine that keeps what it gets in memory, newest first. */
export const startMailServer = async (): Promise<MailServer> => {
  const mails: ReceivedMail[] = [];
  let lastId = 0;
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: MAX_MAIL_BYTES,
    logger: false,
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', callback);
      stream.on('end', () => {
        PostalMime.parse(Buffer.concat(chunks)).then((mail) => {
          lastId += 1;
          mails.unshift({
            id: lastId,
            at: new Date().toISOString(),
            // The envelope says who gets the mail; its header is only text.
            to: session.envelope.rcptTo.map(({ address }) => address).join(', '),
            from: mail.from?.address ?? '',
            subject: mail.subject ?? '',
            text: (mail.text ?? '').trim(),
          });
          mails.length = Math.min(mails.length, MAX_MAILS);
          callback();
        }, callback);
      });
    },
  });
  // A client that breaks off is its own business.
  smtp.on('error', () => {});
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  const { port } = smtp.server.address() as AddressInfo;
  return {
    smtpUrl: `smtp://127.0.0.1:${port}`,
    mails,
    stop: () => new Promise((resolve) => smtp.close(() => resolve())),
  };
};

const TEXTS = {
  de: {
    title: 'Posteingang',
    empty: 'Noch ist keine Mail angekommen.',
    to: 'An',
    all: 'Alle Mails, die der Stadtschlüssel verschickt, landen hier. Die Seite erneuert sich von selbst.',
  },
  en: {
    title: 'Mail inbox',
    empty: 'No mail has arrived yet.',
    to: 'To',
    all: 'Every mail that Stadtschlüssel sends ends up here. The page renews itself.',
  },
} as const;

// Reloads only when something has come, so that nobody loses what they are just copying.
const SCRIPT = `setInterval(async () => {
  const answer = await fetch('/newest').catch(() => undefined);
  if (answer?.ok && (await answer.text()) !== document.querySelector('main > div').dataset.newest) location.reload();
}, 1500);`;

/** The page that shows the mails, and `/mails.json` for tests; answers requests for this machine only. */
export const inboxHandler =
  (mails: readonly ReceivedMail[], port: number) =>
  (req: IncomingMessage, res: ServerResponse): void => {
    // A page elsewhere must not be able to read the mails through a name that leads to this machine.
    if (![`localhost:${port}`, `127.0.0.1:${port}`].includes(req.headers.host ?? '')) {
      sendText(res, 421, 'text/plain', `The inbox is at http://localhost:${port}/.\n`);
      return;
    }
    switch (new URL(req.url ?? '/', 'http://localhost').pathname) {
      case '/':
        void sendPage(res, 200, inboxPage(languageOf(req.headers['accept-language']), mails));
        return;
      case '/newest':
        sendText(res, 200, 'text/plain', String(mails[0]?.id ?? 0));
        return;
      case '/mails.json':
        sendText(res, 200, 'application/json', JSON.stringify(mails));
        return;
      case '/style.css':
        sendText(res, 200, 'text/css', STYLE);
        return;
      case '/inbox.js':
        sendText(res, 200, 'text/javascript', SCRIPT);
        return;
      default:
        sendText(res, 404, 'text/plain', 'There is no such page in the inbox.\n');
    }
  };

const inboxPage = (language: Language, mails: readonly ReceivedMail[]): View => {
  const texts = TEXTS[language];
  const time = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' });
  const entries = mails.map(
    (mail) => html`<article>
<h2>${mail.subject}</h2>
<p>${texts.to}: <strong>${mail.to}</strong> · <time datetime="${mail.at}">${time.format(new Date(mail.at))}</time></p>
<pre>${mail.text}</pre>
</article>`,
  );
  return page(
    language,
    `${texts.title} – Stadtschlüssel`,
    html`<p class="who">Stadtschlüssel</p>`,
    html`<div data-newest="${mails[0]?.id ?? 0}"><h1>${texts.title}</h1><p>${texts.all}</p>
${entries.length === 0 ? html`<p class="notice">${texts.empty}</p>` : entries}</div>`,
    '/style.css',
    '/inbox.js',
  );
};
