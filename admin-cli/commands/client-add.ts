import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEmail } from '../../accounts/email.ts';
import { parseClientId } from '../../accounts/ids.ts';
import { formatTownFault, loadTown, readServices } from '../../adapters/town.ts';
import type { Cli } from '../cli.ts';
import { type Args, type Command, EXIT, Refusal } from '../command.ts';
import { needsUrl, newServiceFile, organisationOf, presetNames } from '../new-service.ts';
import { nearby, servicesFolder, townFile } from '../town-files.ts';

const USUAL_PRESET = 'webanwendung';
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

const said = (args: Args, name: string): string | undefined => {
  const value = args.options[name];
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
};

const titleOf = (clientId: string): string => clientId.charAt(0).toUpperCase() + clientId.slice(1);

const addressOf = async (cli: Cli, args: Args, preset: string): Promise<URL | undefined> => {
  if (!needsUrl(preset)) return undefined;
  let typed = said(args, 'url');
  if (typed === undefined && cli.interactive) typed = (await cli.ask(`${cli.t.whichUrl}: `)).trim();
  if (typed === undefined) throw new Refusal(EXIT.usage, cli.t.missing('--url'));
  const url = URL.canParse(typed) ? new URL(typed) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '')
    throw new Refusal(EXIT.usage, cli.t.wrongFields(['--url']));
  return url;
};

/** Writes the file of a service; nothing is in force by it. */
export const clientAdd: Command = {
  name: 'client add',
  text: {
    de: 'legt die Datei eines neuen Dienstes im Ordner der Stadt an, aus einer Vorlage',
    en: 'writes the file of a new service into the town’s folder, from a preset',
  },
  options: {
    preset: {
      type: 'string',
      values: presetNames(),
      value: 'VORLAGE',
      text: {
        de: `Vorlage (sonst ${USUAL_PRESET}): ${presetNames().join(', ')}`,
        en: `preset (else ${USUAL_PRESET}): ${presetNames().join(', ')}`,
      },
    },
    url: {
      type: 'string',
      value: 'ADRESSE',
      text: {
        de: 'wo der Dienst zu erreichen ist, wie https://cloud.stadt.example',
        en: 'where the service is reached, like https://cloud.stadt.example',
      },
    },
    name: { type: 'string', text: { de: 'Name, wie Bürger ihn lesen', en: 'name, as citizens read it' } },
    organisation: {
      type: 'string',
      value: 'KENNWORT',
      text: { de: 'Organisation aus town.yaml, der er gehört', en: 'organisation of town.yaml that it belongs to' },
    },
    contact: {
      type: 'string',
      value: 'E-MAIL',
      text: { de: 'wer den Dienst betreut', en: 'who looks after the service' },
    },
    town: {
      type: 'string',
      value: 'TOWN.YAML',
      text: { de: 'Datei der Stadt', en: 'file of the town' },
    },
  },
  positional: {
    name: 'DIENST',
    text: { de: 'client_id: nur Buchstaben und Ziffern', en: 'client_id: letters and digits only' },
    required: true,
  },
  changes: true,
  examples: [
    'client add cloud --preset nextcloud --url https://cloud.stadt.example --commit',
    'client add beispiel --url http://localhost:8080 --commit',
  ],
  async run(cli, args) {
    const clientId = parseClientId(args.words[0]);
    if (clientId === undefined) throw new Refusal(EXIT.usage, cli.t.badClientId(args.words[0] ?? ''));
    const preset = said(args, 'preset') ?? USUAL_PRESET;
    const file = townFile(cli, said(args, 'town'));
    const loaded = loadTown(file, { localhost: true });
    if ('faults' in loaded)
      throw new Refusal(EXIT.faults, [cli.t.townFaulty, ...loaded.faults.map(formatTownFault)].join('\n  '));
    const { town } = loaded;
    const url = await addressOf(cli, args, preset);
    const organisations = town.organisations.map(({ id }) => id);
    const organisation = said(args, 'organisation') ?? organisationOf(preset);
    if (!organisations.includes(organisation))
      throw new Refusal(EXIT.usage, cli.t.notOneOf('--organisation', organisations));
    const contact = said(args, 'contact') ?? town.contact.email;
    if (parseEmail(contact) === undefined) throw new Refusal(EXIT.usage, cli.t.wrongFields(['--contact']));

    const folder = servicesFolder(file);
    const target = join(folder, `${clientId}.yaml`);
    const taken = loaded.registrations.some((one) => one.clientId.toLowerCase() === clientId.toLowerCase());
    if (taken || existsSync(target)) throw new Refusal(EXIT.refused, cli.t.serviceExists(clientId));
    const text = newServiceFile(
      { clientId, preset, url, organisation, name: said(args, 'name') ?? titleOf(clientId), contact },
      town,
      folder,
    );
    const local = url !== undefined && LOOPBACK.has(url.hostname);
    const read = readServices(town, [{ name: `${clientId}.yaml`, text }], { localhost: local });
    const faults = 'faults' in read ? read.faults.map(formatTownFault) : [];
    if (args.commit) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(target, text, { flag: 'wx' });
    }
    if (args.json) {
      cli.print(JSON.stringify({ committed: args.commit, file: nearby(target), text, faults }, null, 2));
      return faults.length === 0 ? EXIT.done : EXIT.faults;
    }
    if (!args.commit) cli.print(text.trimEnd());
    cli.say(args.commit ? cli.good(cli.t.written(nearby(target))) : cli.t.dryRun);
    for (const fault of faults) cli.say(cli.bad(`  ${fault}`));
    cli.say(cli.t.addNext({ file: nearby(target), recipe: `docs/rezepte/${preset}.md`, local, town: nearby(file) }));
    return faults.length === 0 ? EXIT.done : EXIT.faults;
  },
};
