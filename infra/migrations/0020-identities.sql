-- Electronic identities that sign a citizen in: cards, BundID accounts, the staff's own identity provider.
CREATE TABLE identities (
  id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  reference bytea NOT NULL UNIQUE,     -- keyed hash of source, issuer and identifier; the identifier itself is not kept
  source text NOT NULL CHECK (source IN ('eid', 'bundid', 'staff')),
  linked_at timestamptz NOT NULL,
  last_used_at timestamptz,
  retired_at timestamptz               -- another card took its place; kept, so that the old one opens nothing any more
);
CREATE INDEX ON identities (account_id);

-- How well a value was proofed; NULL for what the citizen typed in.
ALTER TABLE attributes ADD COLUMN level text CHECK (level IN ('low', 'substantial', 'high'));
