import test from 'ava';
import { createMailer } from '../adapters/mail.ts';
import { inboxHandler, startMailServer } from '../infra/sandbox/inbox.ts';
import { listenLocally } from '../infra/sandbox/listen.ts';
import { nameExampleHosts } from './harness/names.ts';
import { freePorts } from './harness/sandbox-process.ts';

const FROM = { name: 'Stadtschlüssel', address: 'schluessel@stadt.example' };

test.serial('a mail arrives as it was written and is read at the inbox page, escaped, newest first', async (t) => {
  const server = await startMailServer();
  const port = await freePorts();
  const inbox = await listenLocally(inboxHandler(server.mails, port), port);
  const mailer = createMailer(server.smtpUrl, FROM);
  t.teardown(() => Promise.all([mailer.close(), inbox.stop(), server.stop()]));
  await mailer.send({ to: 'a@buerger.example', subject: 'Erste Prüfung', text: 'Ihr Code: 12345678' });
  await mailer.send({ to: 'b@buerger.example', subject: 'Zweite <b>', text: 'Grüße\n.\n<script>alert(1)</script>' });
  t.like(server.mails[0], { to: 'b@buerger.example', from: FROM.address, text: 'Grüße\n.\n<script>alert(1)</script>' });
  const text = await (await fetch(`http://localhost:${port}/`)).text();
  t.true(text.indexOf('Zweite') < text.indexOf('Erste'));
  t.regex(text, /12345678/);
  t.notRegex(text, /<script>alert|<b>/);
  const mails = (await (await fetch(`http://127.0.0.1:${port}/mails.json`)).json()) as unknown[];
  t.is(mails.length, 2);
});

test.serial('an address cannot become two recipients, nor a subject a header', async (t) => {
  const server = await startMailServer();
  const mailer = createMailer(server.smtpUrl, FROM);
  t.teardown(() => Promise.all([mailer.close(), server.stop()]));
  await mailer.send({ to: 'a@buerger.example', subject: 'x\r\nBcc: evil@evil.example', text: 'y' });
  await mailer.send({ to: 'a@buerger.example, evil@evil.example', subject: 'x', text: 'y' }).catch(() => {});
  t.true(server.mails.length > 0);
  for (const { to } of server.mails) t.notRegex(to, /^evil@|, ?evil@/);
});

test.serial('to another machine nothing goes without TLS', async (t) => {
  nameExampleHosts();
  const server = await startMailServer();
  const mailer = createMailer(server.smtpUrl.replace('127.0.0.1', 'mail.stadt.example'), FROM);
  t.teardown(() => Promise.all([mailer.close(), server.stop()]));
  await t.throwsAsync(mailer.send({ to: 'a@buerger.example', subject: 'x', text: 'Code 12345678' }), { code: 'ETLS' });
  t.is(server.mails.length, 0);
});
