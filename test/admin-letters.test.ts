import test from 'ava';
import * as accounts from '../accounts/accounts.ts';
import * as attributes from '../accounts/attributes.ts';
import * as correspondence from '../accounts/correspondence.ts';
import type { AccountId } from '../accounts/ids.ts';
import * as letters from '../accounts/letters.ts';
import { AdminClient } from './harness/admin-client.ts';
import { readPages, readPaper } from './harness/paper.ts';
import { makeMember } from './harness/staff.ts';
import { type RunningTown, startTown } from './harness/town.ts';

let town: RunningTown;
let clerks: AdminClient[];
const LINK = 'https://login.stadt.example/stopp/abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';

const citizen = async (street: string): Promise<AccountId> => {
  const registered = await accounts.register(town.context(), {
    town: { id: 'teststadt' },
    language: 'de',
    credential: { kind: 'password', hash: { hash: '$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA', pepperVersion: 1 } },
  });
  if (registered.outcome !== 'registered') throw new Error(registered.outcome);
  const address = { street_address: street, postal_code: '33330', locality: 'Gütersloh' };
  await attributes.record(
    town.context(),
    registered.account,
    { address, given_name: 'Ottokar', family_name: 'Brockmeyhus' },
    'self',
  );
  return registered.account;
};

const write = async (street: string): Promise<void> => {
  const id = await citizen(street);
  const text = `Guten Tag,\n\nin Ihrem Konto ist etwas geschehen.\n\nWaren Sie das nicht? ${LINK}\n\nFreundliche Grüße`;
  await correspondence.tell(town.context(), { id }, { subject: 'Neuer Zugang beantragt', text });
};

test.before(async () => {
  town = await startTown();
  const chief = await makeMember(town.context(), ['chief']);
  clerks = await Promise.all(
    (await Promise.all([1, 2].map(() => makeMember(town.context(), ['clerk'], { by: chief.id })))).map((one) =>
      AdminClient.of(town, one.account),
    ),
  );
});
test.after.always(() => town?.close());

const pdfOf = (body: Record<string, unknown>): Buffer => Buffer.from(String(body['letter']), 'base64');

test.serial(
  'letters to citizens without e-mail: taken, printed, and the same again until they are on paper',
  async (t) => {
    const [anna, ben] = clerks as [AdminClient, AdminClient];
    t.like((await anna.call('letters print', { commit: true })).body, { count: 0 });
    await write('Am Markt 1');
    await write('Am Markt 2');
    t.is((await anna.call('letters list')).body['waiting'], 2);
    const dry = await anna.call('letters print');
    t.like(dry.body, { count: 2, committed: false });
    t.is(dry.body['letter'], undefined);
    t.is((await anna.call('letters list')).body['waiting'], 2, 'a dry run takes none');

    const first = await anna.call('letters print', { commit: true });
    t.like(first.body, { count: 2, again: false });
    const { text, tags, language } = await readPaper(pdfOf(first.body));
    t.regex(text, /Neuer Zugang beantragt/);
    t.is(language, 'de');
    t.deepEqual([...new Set(tags)].sort(), ['Document', 'Figure', 'H1', 'P', 'Root', 'Sect']);
    const pages = await readPages(pdfOf(first.body));
    t.is(pages.length, 2, 'each on a page of its own');
    t.deepEqual(pages.map((page) => /Am Markt \d/.exec(page.text)?.[0]).sort(), ['Am Markt 1', 'Am Markt 2']);
    for (const page of pages) t.regex(page.text, /Ottokar Brockmeyhus/);
    for (const page of pages) t.is(page.qr, LINK, 'nobody has to type the address');

    await write('Am Markt 3');
    const again = await anna.call('letters print', { commit: true });
    t.like(again.body, { count: 2, again: true, batch: first.body['batch'] });
    const other = await ben.call('letters print', { commit: true });
    t.like(other.body, { count: 1, again: false });

    const batches = (await anna.call('letters list')).body['batches'] as { number: string }[];
    t.deepEqual(batches.map(({ number }) => number).sort(), [first.body['batch'], other.body['batch']].sort());
    const done = { batch: first.body['batch'], commit: true };
    t.like((await ben.call('letters done', done)).body, { count: 2, again: false });
    t.like((await anna.call('letters done', done)).body, { count: 0, again: true });
    t.is((await anna.call('letters done', { batch: 'B-0000-0000' })).body['reason'], 'unknown');
    t.like((await anna.call('letters print', { commit: true })).body, { count: 0 });
    const rows = await town
      .context()
      .db('audit')
      .where('event', 'like', 'letters-%')
      .orderBy('seq')
      .select('event', 'detail');
    t.deepEqual(
      rows.map(({ event, detail }) => [event, detail.letters]),
      [
        ['letters-taken', 2],
        ['letters-taken', 1],
        ['letters-printed', 2],
      ],
    );
  },
);

test.serial('two terminals at once take each letter once', async (t) => {
  for (let count = 0; count < 6; count += 1) await write(`Gasse ${count}`);
  const chief = await makeMember(town.context(), ['clerk'], {
    by: (await town.context().db('staff').first('id')).id,
  });
  const taken = await Promise.all([1, 2, 3].map(() => letters.take(town.context(), chief.id, 4)));
  t.is(new Set(taken.map((one) => one?.number)).size, 1, 'one person, one batch');
  t.is(taken[0]?.letters.length, 4);
  const overview = await letters.overview(town.context());
  t.is(overview.waiting, 2);
});
