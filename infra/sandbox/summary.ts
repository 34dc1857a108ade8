import type { TestCitizen } from './citizens.ts';
import type { DemoPlace } from './demo/overlay.ts';
import type { SandboxOptions } from './options.ts';

export type Summary = {
  readonly options: SandboxOptions;
  readonly townName: string;
  readonly places: readonly DemoPlace[];
  /** Services that run on this machine, with the secrets that they were given. */
  readonly own: readonly { readonly clientId: string; readonly secret: string | undefined }[];
  readonly citizens: readonly TestCitizen[];
  readonly logFile: string;
  /** For the administrators' command line. */
  readonly serverSettings: string;
  readonly seconds: number;
};

/** What the terminal shows once everything runs. */
export const summary = (about: Summary): string => {
  const { options, townName, places, own, citizens, logFile, serverSettings, seconds } = about;
  const { ports, issuer } = options;
  const shown = places.filter(({ base }) => base.pathname === '/');
  const others = places.length - shown.length;
  const addresses = [
    ['Stadtschlüssel', issuer.href],
    ...shown.map(({ registration, base }) => [registration.name.de, base.href]),
    ...(others > 0 ? [[`${others} more services`, `http://localhost:${ports.others}/`]] : []),
    ['Mail inbox', `http://localhost:${ports.inbox}/`],
    ...(issuer.port === String(ports.provider) ? [] : [['Provider behind it', `http://127.0.0.1:${ports.provider}/`]]),
  ];
  const people = citizens.map(({ name, identifier, password, secondFactor, about }) => [
    name,
    identifier,
    password,
    secondFactor,
    about,
  ]);
  return [
    '',
    `Stadtschlüssel ${townName}: sandbox, ready after ${seconds.toFixed(1)} s. Nothing here is real.`,
    '',
    ...columns(addresses),
    '',
    ...(own.length === 0
      ? []
      : [...columns([['Your service', 'Secret'], ...own.map((one) => [one.clientId, one.secret ?? '(none)'])]), '']),
    ...columns([['Test citizen', 'E-mail or Kennung', 'Password', 'Second factor', ''], ...people]),
    '',
    `  Log: ${logFile}`,
    `  First administrator: node --env-file=${serverSettings} admin-cli/main.ts staff bootstrap --help`,
    '  Ctrl-C stops everything and keeps the data; npm start -- --fresh starts anew.',
    '',
  ].join('\n');
};

const columns = (rows: readonly (readonly string[])[]): string[] => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ')}`.trimEnd());
};
