-- Clients that registered themselves (OpenID Connect Dynamic Client Registration 1.0). Their metadata holds a secret and
-- addresses of whoever registered them: sealed.
CREATE TABLE dynamic_clients (
  client_id text PRIMARY KEY CHECK (client_id ~ '^[A-Za-z0-9]{1,64}$'),
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL
);
