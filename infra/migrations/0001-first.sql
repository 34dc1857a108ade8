-- Accounts. Personal data is sealed under the account's data key; look-ups go by keyed blind index.
CREATE TABLE accounts (
  id uuid PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('active', 'locked', 'closed')),
  language text NOT NULL,
  data_key bytea,                      -- wrapped by the key-encryption key; NULL once destroyed
  data_key_version integer NOT NULL,   -- version of the key-encryption key
  kennung_index bytea NOT NULL UNIQUE, -- Bürgerkennung, blind
  kennung_sealed bytea NOT NULL,
  email_index bytea UNIQUE,
  email_sealed bytea,
  passkey_handle bytea NOT NULL UNIQUE, -- WebAuthn user.id, random
  credential_state integer NOT NULL DEFAULT 1, -- grows with every change of a credential
  created_at timestamptz NOT NULL,
  CHECK ((email_index IS NULL) = (email_sealed IS NULL))
);

CREATE TABLE attributes (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  name text NOT NULL,                  -- given_name, family_name, birthdate, address ...
  sealed bytea NOT NULL,
  source text NOT NULL,                -- self, counter, eid, bundid
  recorded_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, name)
);

CREATE TABLE passwords (
  account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  hash text NOT NULL,                  -- argon2id, PHC string
  pepper_version integer NOT NULL,
  changed_at timestamptz NOT NULL
);

CREATE TABLE passkeys (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  credential_id bytea NOT NULL UNIQUE,
  public_key bytea NOT NULL,           -- COSE
  counter bigint NOT NULL,
  transports text[] NOT NULL,
  aaguid uuid NOT NULL,
  backed_up boolean NOT NULL,
  label_sealed bytea,                  -- the citizen's own name for it
  created_at timestamptz NOT NULL,
  last_used_at timestamptz
);
CREATE INDEX ON passkeys (account_id);

CREATE TABLE backup_codes (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  hash bytea NOT NULL,                 -- keyed; the codes have 64 bit and more
  used_at timestamptz,
  PRIMARY KEY (account_id, hash)
);

-- Codes typed from a mail. `subject` binds the code to the browser's own sign-in; a new code replaces the one before.
CREATE TABLE email_codes (
  subject bytea PRIMARY KEY,
  hash bytea NOT NULL,
  email_sealed bytea NOT NULL,         -- the address that the code proves
  tries_left integer NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz
);
CREATE INDEX ON email_codes (expires_at);

-- Throttling. One row for a bucket (account, address prefix, all), reserved before the guess is evaluated.
CREATE TABLE attempts (
  bucket bytea PRIMARY KEY,
  count integer NOT NULL,
  window_ends_at timestamptz NOT NULL
);
CREATE INDEX ON attempts (window_ends_at);

-- Consents. The reference is a keyed hash of account and service, so that a dump names no service.
CREATE TABLE consents (
  reference bytea PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  sealed bytea NOT NULL                -- service, digest of its registration, claims given and refused, days
);
CREATE INDEX ON consents (account_id);

-- Registrations in force.
CREATE TABLE clients (
  client_id text PRIMARY KEY CHECK (client_id ~ '^[A-Za-z0-9]{1,64}$'),
  organisation text NOT NULL,
  registration jsonb NOT NULL,
  secrets jsonb NOT NULL DEFAULT '[]', -- hashes: [{"hash", "created_at"}], at most two
  updated_at timestamptz NOT NULL
);

CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  alg text NOT NULL,
  public_jwk jsonb NOT NULL,
  private_sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,     -- the state (next, current, retired) follows from time alone
  revoked_at timestamptz
);

-- Append-only record of what happened to accounts and by whom; never a service.
CREATE TABLE audit (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  event text NOT NULL,
  actor jsonb NOT NULL,
  account_id uuid,
  detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON audit (account_id, at);

-- Outboxes.
CREATE TABLE notices (
  id uuid PRIMARY KEY,
  sealed bytea NOT NULL,               -- recipient, subject, text
  created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,     -- not delivered any more after this
  tries integer NOT NULL DEFAULT 0,
  last_error text                      -- a code, never the server's own words: they name the recipient
);
CREATE INDEX ON notices (due_at);
CREATE INDEX ON notices (expires_at);

CREATE TABLE logout_notices (
  id uuid PRIMARY KEY,
  sealed bytea NOT NULL,               -- client, account, sid
  created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  last_error text
);
CREATE INDEX ON logout_notices (due_at);
CREATE INDEX ON logout_notices (expires_at);

-- What oidc-provider keeps. Ids and references are keyed hashes, payloads are sealed. A lasting artifact survives a
-- crash; a fleeting one costs a retry. Replay marks are logged: a lost mark would allow a replay.
-- Lock order, everywhere: session, grant, artifact.
CREATE TABLE oidc_grants (
  id bytea PRIMARY KEY,
  account_id uuid,
  sealed bytea NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ON oidc_grants (expires_at);
CREATE INDEX ON oidc_grants (account_id);

-- A session is its uid; the ids in cookies change at sign-in and only point to it.
CREATE TABLE oidc_sessions (
  uid bytea PRIMARY KEY,
  account_id uuid,
  grants bytea[] NOT NULL,             -- ids in oidc_grants, to be read together with the session
  sealed bytea NOT NULL,
  version integer NOT NULL DEFAULT 1,  -- compare-and-set: parallel sign-ins must not lose one another's services
  saved_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ON oidc_sessions (expires_at);
CREATE INDEX ON oidc_sessions (account_id, uid);

CREATE TABLE oidc_session_ids (
  id bytea PRIMARY KEY,
  uid bytea NOT NULL REFERENCES oidc_sessions ON DELETE CASCADE
);
CREATE INDEX ON oidc_session_ids (uid);

-- The foreign keys are the rule that no token lives without its grant: an insert locks the grant or fails.
CREATE TABLE oidc_lasting (
  id bytea PRIMARY KEY,
  model text NOT NULL,
  grant_id bytea REFERENCES oidc_grants ON DELETE CASCADE,
  session_uid bytea,
  sealed bytea NOT NULL,
  version integer NOT NULL DEFAULT 1,
  expires_at timestamptz NOT NULL,
  consumed_at timestamptz
);
CREATE INDEX ON oidc_lasting (grant_id);
CREATE INDEX ON oidc_lasting (expires_at);

CREATE UNLOGGED TABLE oidc_fleeting (
  id bytea PRIMARY KEY,
  model text NOT NULL,
  grant_id bytea REFERENCES oidc_grants ON DELETE CASCADE,
  session_uid bytea,
  user_code bytea UNIQUE,
  sealed bytea NOT NULL,
  version integer NOT NULL DEFAULT 1,
  expires_at timestamptz NOT NULL,
  consumed_at timestamptz
);
CREATE INDEX ON oidc_fleeting (grant_id);
CREATE INDEX ON oidc_fleeting (expires_at);

-- Notes of the pages during a sign-in; each is taken once or replaced by compare-and-set.
CREATE UNLOGGED TABLE fleeting_notes (
  id bytea PRIMARY KEY,
  sealed bytea NOT NULL,
  version bigint NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ON fleeting_notes (expires_at);

CREATE TABLE replay_marks (
  id bytea PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ON replay_marks (expires_at);
