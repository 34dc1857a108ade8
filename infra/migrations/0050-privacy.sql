-- What a citizen did at the provider, and when: sealed, and under a reference that says neither whose it is nor which
-- other rows are theirs. A service knows the minute of each visit; rows of one account with times in the clear would tell
-- two services that they know the same person.
CREATE TABLE activities (
  reference bytea NOT NULL,            -- keyed hash of account and hour
  sealed bytea NOT NULL,               -- event, time, details
  expires_on date NOT NULL
);
CREATE INDEX ON activities (reference);
CREATE INDEX ON activities (expires_on);

ALTER TABLE accounts
  ADD COLUMN deletion_due_at timestamptz, -- the citizen has asked for it and may still change their mind
  ADD COLUMN used_month date NOT NULL DEFAULT date_trunc('month', now()), -- no finer than that
  ADD COLUMN dormancy_notices smallint NOT NULL DEFAULT 0, -- sent since the last use
  ADD COLUMN dormancy_noticed_at timestamptz;
CREATE INDEX ON accounts (deletion_due_at) WHERE deletion_due_at IS NOT NULL;
CREATE INDEX ON accounts (used_month);
CREATE INDEX ON accounts (data_key_version);

-- Accounts that are gone, so that a restored backup forgets them again. The id is random and leads nowhere any more.
CREATE TABLE tombstones (
  account_id uuid PRIMARY KEY,
  gone_on date NOT NULL
);
CREATE INDEX ON tombstones (gone_on);

-- Security Event Tokens on their way to services (RFC 8417, RFC 8935).
CREATE TABLE security_events (
  id uuid PRIMARY KEY,
  sealed bytea NOT NULL,               -- service, pseudonym, event
  created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  last_error text
);
CREATE INDEX ON security_events (due_at);
CREATE INDEX ON security_events (expires_at);

-- Letters for citizens without e-mail, waiting to be printed.
CREATE TABLE letters (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  sealed bytea NOT NULL,               -- recipient, subject, text
  created_at timestamptz NOT NULL,
  printed_at timestamptz
);
CREATE INDEX ON letters (account_id);
CREATE INDEX ON letters (printed_at);
