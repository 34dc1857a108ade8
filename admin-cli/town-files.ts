import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cli } from './cli.ts';
import { type Command, EXIT, Refusal } from './command.ts';

const TOWNS = fileURLToPath(new URL('../infra/towns/', import.meta.url));

/** The town's file as a word of its own; one that goes without saying is found. */
export const TOWN_FILE = {
  name: 'TOWN.YAML',
  text: {
    de: 'Datei der Stadt, die Dienste liegen daneben; sonst TOWN_FILE oder die eine Stadt in infra/towns',
    en: 'file of the town, the services lie beside it; else TOWN_FILE or the one town in infra/towns',
  },
  required: false,
} as const satisfies NonNullable<Command['positional']>;

/** The file of the town: the one that is named, that of the setting, or the only one of this checkout. */
export const townFile = (cli: Cli, named: string | undefined): string => {
  const set = named ?? cli.env['TOWN_FILE'];
  if (set !== undefined && set !== '') {
    if (!existsSync(set)) throw new Refusal(EXIT.usage, cli.t.noSuchFile(set));
    return set;
  }
  const known = existsSync(TOWNS)
    ? readdirSync(TOWNS)
        .map((folder) => join(TOWNS, folder, 'town.yaml'))
        .filter((file) => existsSync(file))
    : [];
  const [only] = known;
  if (known.length !== 1 || only === undefined) throw new Refusal(EXIT.usage, cli.t.whichTown);
  return nearby(only);
};

/** A path as a person would write it from where they are. */
export const nearby = (file: string): string => {
  const way = relative('.', file);
  return way.startsWith('..') ? resolve(file) : way;
};

/** The folder in which the services of a town lie. */
export const servicesFolder = (file: string): string => join(dirname(file), 'services');

/** The texts of the service files beside a town's file. */
export const serviceFiles = (file: string): { name: string; text: string }[] => {
  const folder = servicesFolder(file);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => ({ name: basename(name), text: readFileSync(join(folder, name), 'utf8') }));
};
