-- Proof of identity of an account; NULL: nobody has checked who the citizen is.
ALTER TABLE accounts
  ADD COLUMN proofing text CHECK (proofing IN ('low', 'substantial', 'high')),
  ADD COLUMN proofed_at timestamptz,
  ADD COLUMN passkey_declined_at timestamptz, -- the citizen did not want a passkey when it was offered
  ADD CHECK ((proofing IS NULL) = (proofed_at IS NULL));

-- A factor that was added with less than two factors shown is weak: it never carries more than its own addition did,
-- until the citizen is proofed again after it.
ALTER TABLE passwords
  ADD COLUMN short boolean NOT NULL DEFAULT false, -- fewer than 15 characters: good only beside a second factor
  ADD COLUMN weak boolean NOT NULL DEFAULT false;
ALTER TABLE passkeys ADD COLUMN weak boolean NOT NULL DEFAULT false;

CREATE TABLE totps (
  account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  secret_sealed bytea NOT NULL,
  last_step bigint NOT NULL,           -- RFC 6238 §5.2: a step is accepted once
  weak boolean NOT NULL,
  created_at timestamptz NOT NULL,
  last_used_at timestamptz
);

-- Browsers in which a citizen has signed in before; guesses made elsewhere do not keep them out.
CREATE TABLE known_devices (
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device bytea NOT NULL,               -- keyed hash of the browser's cookie
  seen_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, device)
);
CREATE INDEX ON known_devices (seen_at);

-- What the citizen sees of a session. The session itself is in oidc_sessions.
CREATE TABLE sessions (
  uid bytea PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  device_sealed bytea NOT NULL,        -- coarse: browser and system
  started_at timestamptz NOT NULL,
  used_at timestamptz NOT NULL
);
CREATE INDEX ON sessions (account_id);
CREATE INDEX ON sessions (used_at);
