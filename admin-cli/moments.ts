import type { Cli } from './cli.ts';

/** A day as people read it; nothing for what is none. */
export const day = (cli: Cli, value: unknown): string =>
  typeof value === 'string'
    ? new Intl.DateTimeFormat(cli.language === 'en' ? 'en-GB' : 'de-DE', {
        dateStyle: 'medium',
        timeZone: 'Europe/Berlin',
      }).format(new Date(value))
    : '';

/** A point in time as people read it. */
export const when = (cli: Cli, value: unknown): string =>
  typeof value === 'string'
    ? new Intl.DateTimeFormat(cli.language === 'en' ? 'en-GB' : 'de-DE', {
        dateStyle: 'medium',
        timeStyle: 'short',
        timeZone: 'Europe/Berlin',
      }).format(new Date(value))
    : '';
