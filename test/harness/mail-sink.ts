/** The other end of the mail: a real SMTP server that keeps what it gets. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import PostalMime from 'postal-mime';
import { SMTPServer } from 'smtp-server';

export type Mail = { readonly to: string; readonly subject: string; readonly text: string };

export type MailSink = {
  readonly url: string;
  readonly mails: Mail[];
  /** The next mail to this address that nobody has asked for yet; waits for it. */
  next(to: string, withinMs?: number): Promise<Mail>;
  close(): Promise<void>;
};

/** Listens on a free port of loopback. */
export const startMailSink = async (): Promise<MailSink> => {
  const mails: Mail[] = [];
  const taken = new Set<Mail>();
  const arrivals = new EventTarget();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData(stream, session, callback) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        PostalMime.parse(Buffer.concat(chunks)).then((mail) => {
          for (const { address } of session.envelope.rcptTo) {
            mails.push({ to: address, subject: mail.subject ?? '', text: mail.text ?? '' });
          }
          arrivals.dispatchEvent(new Event('mail'));
          callback();
        }, callback);
      });
    },
  });
  server.on('error', () => {}); // broken connections are the sender's business
  const listener = server.listen(0, '127.0.0.1');
  await once(listener, 'listening');

  const find = (to: string): Mail | undefined =>
    mails.find((mail) => mail.to.toLowerCase() === to.toLowerCase() && !taken.has(mail));
  return {
    url: `smtp://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    mails,
    async next(to, withinMs = 10_000) {
      const signal = AbortSignal.timeout(withinMs);
      let mail = find(to);
      while (mail === undefined) {
        if (signal.aborted)
          throw new Error(`no mail to ${to}; there were ${JSON.stringify(mails.map((one) => one.to))}`);
        await Promise.race([
          once(arrivals as unknown as EventTarget & NodeJS.EventEmitter, 'mail'),
          new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true })),
        ]);
        mail = find(to);
      }
      taken.add(mail);
      return mail;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
