import { createTransport } from 'nodemailer';

/** A plain-text mail; the domain writes it, the mailer only delivers. */
type Mail = { readonly to: string; readonly subject: string; readonly text: string };

export type Mailer = {
  /** Resolves once the mail server has taken the mail; throws the SMTP library's error otherwise (`code` says which). */
  send(mail: Mail): Promise<void>;
  /** Whether the mail server answers and takes our name and password; rejects otherwise. */
  check(): Promise<void>;
  close(): void;
};

export type Sender = { readonly name: string; readonly address: string };

const SECOND_MS = 1000;
const CONNECT_TIMEOUT_MS = 10 * SECOND_MS;
const SILENCE_TIMEOUT_MS = 20 * SECOND_MS;
const CONNECTIONS = 3;

/** Whether a host is this machine, so that nobody can listen in between. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/**
 * Opens a pool of SMTP connections.
 * @param smtpUrl `smtps://user:password@host` (TLS at once) or `smtp://…` (STARTTLS is required, except on this machine)
 * @param from sender of every mail
 */
export const createMailer = (smtpUrl: string, from: Sender): Mailer => {
  const url = new URL(smtpUrl);
  const secure = url.protocol === 'smtps:';
  const local = isLoopbackHost(url.hostname);
  const transport = createTransport({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    // RFC 8314 §3: a mail holds codes; it never goes out in the clear because a server, or someone between, did not offer TLS.
    requireTLS: !secure && !local,
    ignoreTLS: !secure && local,
    tls: { minVersion: 'TLSv1.2' },
    ...(url.username !== '' && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    }),
    pool: true,
    maxConnections: CONNECTIONS,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send({ to, subject, text }) {
      // As objects, so that no character in an address can become a second recipient.
      await transport.sendMail({
        from,
        to: { name: '', address: to },
        subject,
        text,
        // RFC 3834 §5: no out-of-office answers to automatic mail.
        headers: { 'Auto-Submitted': 'auto-generated' },
      });
    },
    async check() {
      await transport.verify();
    },
    close() {
      transport.close();
    },
  };
};
