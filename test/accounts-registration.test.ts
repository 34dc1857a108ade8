import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import { parseEmail } from '../accounts/email.ts';
import { newAccountId } from '../accounts/ids.ts';
import * as kennung from '../accounts/kennung.ts';
import { emailOf, everythingStored, openDomain, TOWN } from './harness/domain.ts';

const PASSWORD = {
  kind: 'password',
  hash: { hash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA', pepperVersion: 1 },
} as const;
const ADDRESS = {
  recipient: 'Erika Mustermann',
  street_address: 'Berliner Straße 70',
  postal_code: '33330',
  locality: 'Gütersloh',
};
const PASSKEY = {
  credentialId: 'AAECAwQ',
  publicKey: 'pQECAyYg',
  counter: 0,
  transports: ['usb'],
  backedUp: false,
} as const;
const AAGUID = '00000000-0000-0000-0000-000000000000';

test('a citizen registers with e-mail and password and is found again however the address is spelled', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const email = emailOf(' Erika.Mustermann@Beispiel.example ');
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email,
    credential: PASSWORD,
    address: ADDRESS,
  });
  if (registered.outcome !== 'registered') return t.fail(registered.outcome);
  const { account } = registered;
  t.is(registered.backupCodes?.length, 10);
  t.regex(registered.kennung, /^GT-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]$/);

  t.deepEqual(await accounts.load(ctx, account), {
    id: account,
    status: 'active',
    kind: 'citizen',
    language: 'de',
    email: emailOf('Erika.Mustermann@Beispiel.example'),
    kennung: registered.kennung,
    createdAt: new Date('2026-11-21T00:00:00Z'),
    credentialState: 1,
    passkeyHandle: (await accounts.load(ctx, account))?.passkeyHandle ?? Buffer.alloc(0),
  });
  t.deepEqual(await attributes.read(ctx, account), { address: ADDRESS });
  t.true(await accounts.isActive(ctx, account));
  const sloppy = registered.kennung.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
  for (const typed of ['erika.mustermann@BEISPIEL.example', registered.kennung, sloppy, registered.kennung.slice(3)]) {
    t.is(await accounts.findByIdentifier(ctx, typed), account, typed);
  }
  for (const typed of ['', '@', 'erika', 'erika@beispiel.example', 'GT-0000-0000-1']) {
    t.is(await accounts.findByIdentifier(ctx, typed), undefined, typed);
  }
  const [row] = await ctx.db('audit').where({ event: 'account-registered' }).select('account_id', 'detail');
  t.deepEqual(row, { account_id: account, detail: { credential: 'password', email: true, address: true } });
  await domain.database.drop();
});

test('nothing that was registered stands in the database in plain text', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const email = emailOf('canary-address@beispiel.example');
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    email,
    credential: PASSWORD,
    address: ADDRESS,
  });
  if (registered.outcome !== 'registered') return t.fail();
  await attributes.record(
    ctx,
    registered.account,
    { given_name: 'Canaria', family_name: 'Vogelsang', birthdate: '1964-08-12' },
    'self',
  );
  const stored = await everythingStored(domain);
  const canaries = [
    'canary-address',
    'beispiel.example',
    'Canaria',
    'Vogelsang',
    '1964-08-12',
    'Berliner',
    'Mustermann',
    '33330',
  ];
  canaries.push(registered.kennung, registered.kennung.replaceAll('-', ''), ...(registered.backupCodes ?? []));
  for (const canary of canaries) {
    for (const form of [
      canary,
      Buffer.from(canary).toString('hex'),
      Buffer.from(canary).toString('base64').replace(/=+$/, ''),
    ]) {
      t.false(stored.toLowerCase().includes(form.toLowerCase()), form);
    }
  }
  await domain.database.drop();
});

test('of parallel registrations with one address, differently spelled, exactly one succeeds', async (t) => {
  const domain = await openDomain();
  const spelling = (n: number) => emailOf(n % 2 === 0 ? 'Erika@Beispiel.example' : 'erika@beispiel.EXAMPLE');
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      accounts.register(domain.ctx, { town: TOWN, language: 'de', email: spelling(n), credential: PASSWORD }),
    ),
  );
  const outcomes = results.map(({ outcome }) => outcome);
  t.is(outcomes.filter((outcome) => outcome === 'registered').length, 1);
  t.is(outcomes.filter((outcome) => outcome === 'email-taken').length, 19);
  for (const table of ['accounts', 'passwords', 'audit']) t.is((await domain.ctx.db(table)).length, 1, table);
  t.is((await domain.ctx.db('backup_codes')).length, 10);
  await domain.database.drop();
});

test('a citizen registers with nothing but a passkey; the same passkey or handle cannot be registered twice', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const handle = accounts.newPasskeyHandle();
  const passkey = { ...PASSKEY, aaguid: AAGUID };
  const wanted = { town: TOWN, language: 'en', credential: { kind: 'passkey', passkey, handle } } as const;
  const registered = await accounts.register(ctx, wanted);
  if (registered.outcome !== 'registered') return t.fail();
  t.is(registered.backupCodes, undefined);
  const loaded = await accounts.load(ctx, registered.account);
  t.deepEqual(loaded?.passkeyHandle, handle);
  t.is(loaded?.email, undefined);
  const sameHandle = { ...wanted, credential: { ...wanted.credential, passkey: { ...passkey, credentialId: 'BBBB' } } };
  const samePasskey = { ...wanted, credential: { ...wanted.credential, handle: accounts.newPasskeyHandle() } };
  t.is((await accounts.register(ctx, sameHandle)).outcome, 'passkey-taken');
  t.is((await accounts.register(ctx, samePasskey)).outcome, 'passkey-taken');
  t.is((await ctx.db('accounts')).length, 1);
  await domain.database.drop();
});

test('an account is never registered without its audit row', async (t) => {
  const domain = await openDomain();
  await domain.ctx.db.raw('ALTER TABLE audit ADD CHECK (false) NOT VALID');
  await t.throwsAsync(
    accounts.register(domain.ctx, { town: TOWN, language: 'de', email: emailOf('a@b.example'), credential: PASSWORD }),
  );
  t.is((await domain.ctx.db('accounts')).length, 0);
  await domain.database.drop();
});

test('an account whose data key is destroyed opens no more, key ring in hand', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const registered = await accounts.register(ctx, {
    town: TOWN,
    language: 'de',
    credential: PASSWORD,
    address: ADDRESS,
  });
  if (registered.outcome !== 'registered') return t.fail();
  await ctx.db('accounts').where({ id: registered.account }).update({ data_key: null, status: 'closed' });
  t.is(await accounts.load(ctx, registered.account), undefined);
  t.deepEqual(await attributes.read(ctx, registered.account), {});
  t.false(await accounts.isActive(ctx, registered.account));
  await t.throwsAsync(attributes.record(ctx, registered.account, { given_name: 'Erika' }, 'self'));
  t.false(await accounts.isActive(ctx, newAccountId()));
  await domain.database.drop();
});

test('an attribute that is recorded again replaces the one before', async (t) => {
  const domain = await openDomain();
  const { ctx } = domain;
  const registered = await accounts.register(ctx, { town: TOWN, language: 'de', credential: PASSWORD });
  if (registered.outcome !== 'registered') return t.fail();
  await attributes.record(ctx, registered.account, { given_name: 'Erika', family_name: 'Muster' }, 'self');
  await attributes.record(ctx, registered.account, { family_name: 'Mustermann' }, 'counter');
  t.deepEqual(await attributes.read(ctx, registered.account), { given_name: 'Erika', family_name: 'Mustermann' });
  const [row] = await ctx.db('audit').orderBy('seq', 'desc').limit(1).select('detail');
  t.deepEqual(row.detail, { names: ['family_name'], source: 'counter' });
  await domain.database.drop();
});

test('only one plain address passes for an e-mail address', (t) => {
  for (const good of [
    'a@b.de',
    ' Erika+stadt@Beispiel.EXAMPLE ',
    "o'neill@gütersloh.example",
    'x.y_z@a-b.c-d.example',
  ]) {
    t.not(parseEmail(good), undefined, good);
  }
  const bad = [
    '',
    'a',
    'a@b',
    '@b.de',
    'a@',
    'a@b.de, c@d.de',
    'a@b.de\nBcc: c@d.de',
    '<a@b.de>',
    '"a b"@c.de',
    'a..b@c.de',
  ];
  bad.push(
    'a b@c.de',
    'a@-b.de',
    'a@b_c.de',
    'a@[127.0.0.1]',
    `${'a'.repeat(65)}@b.de`,
    `a@${'b'.repeat(250)}.de`,
    'm\u0131ke@b.de',
  );
  bad.push('a@b.de\u0000', 'a@b@c.de');
  for (const wrong of bad) t.is(parseEmail(wrong), undefined, wrong);
  for (const wrong of [['a@b.de'], { 0: 'a@b.de' }, null, undefined, 7]) t.is(parseEmail(wrong), undefined);
});

test('a Kennung with one wrong character or two swapped ones is noticed', (t) => {
  for (let round = 0; round < 20; round += 1) {
    const good = kennung.generate(TOWN);
    t.is(kennung.parse(good), good);
    const body = good.slice(3).replaceAll('-', '');
    for (let at = 0; at < body.length; at += 1) {
      for (const other of '0123456789ABCDEFGHJKMNPQRSTVWXYZ') {
        if (other === body[at]) continue;
        t.is(kennung.parse(`GT${body.slice(0, at)}${other}${body.slice(at + 1)}`), undefined);
      }
    }
  }
  for (const wrong of ['', 'GT', 7, ['GT-0000-0000-0'], `${kennung.generate(TOWN)}0000`, 'GT-ÄÖÜ0-0000-0']) {
    t.is(kennung.parse(wrong), undefined);
  }
});

test('a name has a letter, no markup and nothing that nobody sees', (t) => {
  t.is(attributes.parseName(' Zoë\u202e\u200b  Müller-\u00adLüdenscheidt '), 'Zoë Müller-Lüdenscheidt');
  for (const wrong of ['', '7', '<b>Zoë', 'Zoë\nMüller', '\u202e', 'x'.repeat(121), ['Zoë'], undefined])
    t.is(attributes.parseName(wrong), undefined);
});

test('a postal address is read from a form, and half an address is none', (t) => {
  const form = { street_address: ' Berliner Straße 70 ', postal_code: '33330', locality: 'Gütersloh', country: '' };
  t.deepEqual(attributes.parsePostalAddress(form), {
    street_address: 'Berliner Straße 70',
    postal_code: '33330',
    locality: 'Gütersloh',
  });
  for (const wrong of [
    { postal_code: '3333' },
    { postal_code: ['33330'] },
    { locality: '' },
    { street_address: 'a\nb' },
  ]) {
    t.is(attributes.parsePostalAddress({ ...form, ...wrong }), undefined);
  }
  t.is(
    attributes.parsePostalAddress({ ...form, postal_code: '1011 AB', country: 'Niederlande' })?.country,
    'Niederlande',
  );
});
