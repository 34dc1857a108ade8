/** One thing that was looked at. `code` is a text of the command line, which says what to do. */
export type Finding = {
  readonly check:
    | 'configuration'
    | 'services'
    | 'staff'
    | 'database'
    | 'clock'
    | 'redis'
    | 'mail'
    | 'keys'
    | 'outbox'
    | 'audit'
    | 'checkpoints'
    | 'certificate'
    | 'backup'
    | 'drill';
  readonly state: 'good' | 'warning' | 'bad';
  readonly code: string;
  readonly value?: string;
};

export const good = (check: Finding['check'], value?: string): Finding => ({
  check,
  state: 'good',
  code: `${check}-good`,
  ...(value !== undefined && { value }),
});
