import type { Command } from '../command.ts';
import { EXIT, optionsOf } from '../command.ts';

/** The script for bash: words of commands, options, and the values of closed lists. */
export const completionScript = (commands: readonly Command[]): string => {
  const nouns = [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
  const verbs = nouns.map((noun) => {
    const words = commands.flatMap(({ name }) => (name.startsWith(`${noun} `) ? [name.slice(noun.length + 1)] : []));
    return words.length === 0 ? '' : `    ${noun}) words="${words.join(' ')}" ;;`;
  });
  const options = commands.map(
    (command) =>
      `    "${command.name}") options="${Object.keys(optionsOf(command))
        .map((name) => `--${name}`)
        .join(' ')}" ;;`,
  );
  const values = commands.flatMap((command) =>
    Object.entries(optionsOf(command)).flatMap(([name, { values: list }]) =>
      list === undefined
        ? []
        : [`    "${command.name} --${name}") COMPREPLY=($(compgen -W "${list.join(' ')}" -- "$word")); return ;;`],
    ),
  );
  return `# bash completion of schluessel; put it where bash reads it: source <(schluessel completion)
_schluessel() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words="" options="" command
  command="\${COMP_WORDS[1]}"
  case "\${COMP_WORDS[1]}" in
${verbs.filter((line) => line !== '').join('\n')}
  esac
  if [ -n "$words" ]; then command="$command \${COMP_WORDS[2]}"; fi
  case "$command $before" in
${values.join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "${nouns.join(' ')}" -- "$word")); return; fi
  if [ "$COMP_CWORD" -eq 2 ] && [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); return; fi
  case "$command" in
${options.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -o default -F _schluessel schluessel
`;
};

/** Made of all the commands, its own included. */
export const completionOf = (commands: () => readonly Command[]): Command => ({
  name: 'completion',
  text: { de: 'gibt die Vervollständigung für bash aus', en: 'prints the completion for bash' },
  options: {},
  changes: false,
  examples: ['completion > ~/.local/share/bash-completion/completions/schluessel'],
  async run(cli) {
    cli.print(completionScript(commands()).trimEnd());
    return EXIT.done;
  },
});
