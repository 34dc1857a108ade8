-- What lies in Redis is bound to Postgres: a code counts only with its grant, in the grant's present family, and it is
-- spent here, in the statement that stores what it is spent for. So losing Redis can lose a code, but never spend it twice.
ALTER TABLE oidc_grants ADD COLUMN family integer NOT NULL DEFAULT 0; -- grows when all that hangs on the grant is ended

CREATE TABLE oidc_spent (
  id bytea PRIMARY KEY,
  at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX ON oidc_spent (expires_at);
