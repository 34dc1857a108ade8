-- What went wrong lately between the provider and a service, for the service's developers: one row for the same failure
-- however often it happens, no citizen in it, gone after a day. Its loss in a crash costs nobody anything.
CREATE UNLOGGED TABLE client_failures (
  client_id text NOT NULL,
  fingerprint bytea NOT NULL,          -- of the failure without its numbers
  cause text NOT NULL,
  failure jsonb NOT NULL,
  count integer NOT NULL,
  first_at timestamptz NOT NULL,       -- no finer than a minute
  last_at timestamptz NOT NULL,
  PRIMARY KEY (client_id, fingerprint)
);
CREATE INDEX ON client_failures (last_at);

-- How the sign-in requests of a service look (with PKCE, nonce, state …), and the last day on which one looked so.
CREATE UNLOGGED TABLE client_shapes (
  client_id text NOT NULL,
  shape text NOT NULL,
  seen_on date NOT NULL,
  PRIMARY KEY (client_id, shape)
);

-- Hashes of client secrets that rotation has ended, so that a service which still sends one can be told so.
ALTER TABLE clients ADD COLUMN ended_secrets jsonb NOT NULL DEFAULT '[]';

-- The people of a connected service, who see what went wrong with it and nothing else.
ALTER TABLE staff_roles
  DROP CONSTRAINT staff_roles_role_check,
  ADD CONSTRAINT staff_roles_role_check CHECK (role IN ('clerk', 'approver', 'operator', 'auditor', 'chief', 'service'));
