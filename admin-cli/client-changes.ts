import type { Cli } from './cli.ts';
import { stateOf } from './remote.ts';

type Change = { client: string; change: string; fields: { field: string; before: unknown; after: unknown }[] };

const short = (value: unknown): string => {
  const text = JSON.stringify(value) ?? '';
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
};

/** What would change, or has changed, in the registrations; new secrets at the end, once. */
export const showChanges = (cli: Cli, result: Readonly<Record<string, unknown>>): void => {
  const changes = result['changes'] as Change[];
  if (changes.length === 0) cli.say(cli.t.none);
  for (const { client, change, fields } of changes) {
    cli.print(`${cli.strong(client)}  ${stateOf(cli, change)}`);
    for (const { field, before, after } of fields) {
      cli.print(`  ${field}`);
      cli.print(`    - ${cli.bad(short(before))}`);
      cli.print(`    + ${cli.good(short(after))}`);
    }
  }
  const secrets = (result['secrets'] ?? []) as { client: string; secret?: string }[];
  const shown = secrets.filter(({ secret }) => secret !== undefined);
  if (shown.length > 0) cli.say(cli.t.secretOnce);
  for (const { client, secret } of shown) cli.print(`${client}  ${secret}`);
};
