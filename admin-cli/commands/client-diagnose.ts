import { describe } from '../../accounts/client-failure-texts.ts';
import type { Cause, Facts } from '../../accounts/client-failures.ts';
import { when } from '../moments.ts';
import { remote, SERVICE } from '../remote.ts';
import { DIAGNOSIS_TEXTS } from '../texts/diagnosis.ts';

type Seen = {
  readonly endpoint: string;
  readonly code: string;
  readonly cause: Cause;
  readonly facts: Facts;
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
};
type Shape = { readonly parts: readonly string[]; readonly seenOn: string };

export const clientDiagnose = remote({
  name: 'client diagnose',
  text: {
    de: 'zeigt, was zwischen dem Anbieter und einem Dienst in den letzten 24 Stunden schiefging, und warum',
    en: 'shows what went wrong between the provider and a service in the last 24 hours, and why',
  },
  options: {},
  positional: SERVICE,
  changes: false,
  examples: ['client diagnose bibliothek', 'client diagnose bibliothek --json'],
  input: ({ words }) => ({ client: words[0] }),
  show(cli, result) {
    const t = DIAGNOSIS_TEXTS[cli.language];
    const failures = result['failures'] as Seen[];
    if (failures.length === 0) cli.say(cli.good(t.nothing));
    else {
      cli.table(
        [t.last, t.count, t.endpoint, t.code, t.cause],
        failures.map((one) => [when(cli, one.lastAt), `${one.count}`, one.endpoint, one.code, one.cause]),
      );
    }
    for (const one of failures) {
      const { what, todo, facts } = describe(one, cli.language);
      cli.print('');
      cli.print(`${cli.strong(one.cause)}  ${what}`);
      cli.facts(facts.map(([label, value]) => [`  ${label}`, value]));
      cli.print(`  → ${todo}`);
    }
    const shapes = result['requests'] as Shape[];
    if (shapes.length === 0) return;
    cli.print('');
    cli.table(
      [t.requests, t.seenOn],
      shapes.map(({ parts, seenOn }) => [parts.length === 0 ? t.plain : parts.join(', '), seenOn]),
    );
  },
});
