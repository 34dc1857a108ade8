-- Staff, recovery by two people, codes on paper, and the chain over the audit rows.

-- A member of staff signs in with an account of its own kind; it never mixes with the citizen's account of the same person.
ALTER TABLE accounts
  ADD COLUMN kind text NOT NULL DEFAULT 'citizen' CHECK (kind IN ('citizen', 'staff')),
  ADD COLUMN locked_by uuid,         -- the member of staff who locked it
  ADD COLUMN reduced_at timestamptz; -- recovered on paper: no proofed level until proofed again

CREATE TABLE staff (
  id uuid PRIMARY KEY,
  account_id uuid UNIQUE REFERENCES accounts, -- NULL until the invitation is redeemed
  citizen_id uuid REFERENCES accounts ON DELETE SET NULL, -- the same person's account as a citizen
  email_index bytea NOT NULL UNIQUE,
  sealed bytea NOT NULL,             -- name, e-mail address, language
  invited_by uuid REFERENCES staff,  -- NULL: by the local command on the server
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);

CREATE TABLE staff_roles (
  staff_id uuid NOT NULL REFERENCES staff,
  role text NOT NULL CHECK (role IN ('clerk', 'approver', 'operator', 'auditor', 'chief')),
  granted_by uuid REFERENCES staff,
  granted_at timestamptz NOT NULL,
  PRIMARY KEY (staff_id, role),
  CONSTRAINT staff_roles_not_to_oneself CHECK (granted_by <> staff_id)
);

-- Staff sign in with passkeys alone; a password or codes on paper would be a way around them.
CREATE FUNCTION staff_has_passkeys_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM accounts WHERE id = NEW.account_id AND kind = 'staff') THEN
    RAISE EXCEPTION 'a staff account has passkeys only' USING ERRCODE = 'check_violation', CONSTRAINT = 'staff_has_passkeys_only';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER staff_has_passkeys_only BEFORE INSERT OR UPDATE ON passwords
  FOR EACH ROW EXECUTE FUNCTION staff_has_passkeys_only();
CREATE TRIGGER staff_has_passkeys_only BEFORE INSERT OR UPDATE ON backup_codes
  FOR EACH ROW EXECUTE FUNCTION staff_has_passkeys_only();

CREATE TABLE recoveries (
  id uuid PRIMARY KEY,
  number text NOT NULL UNIQUE,       -- for people: R-7K3F-29QX
  account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
  credential_state integer NOT NULL, -- of the account when it was opened: a later change of a credential ends the recovery
  status text NOT NULL CHECK (status IN ('open', 'approved', 'redeemed', 'rejected', 'cancelled', 'stopped', 'expired')),
  reason text NOT NULL,
  ticket text NOT NULL,
  evidence text NOT NULL,
  opened_by uuid NOT NULL REFERENCES staff,
  opened_at timestamptz NOT NULL,
  waits_until timestamptz NOT NULL,
  approved_by uuid REFERENCES staff,
  approved_at timestamptz,
  ended_by uuid REFERENCES staff,    -- who rejected or cancelled it; NULL for the citizen
  ended_at timestamptz,
  stop_hash bytea NOT NULL UNIQUE,   -- keyed hash of the token in the link that stops it
  CONSTRAINT recoveries_two_people CHECK (approved_by <> opened_by),
  CONSTRAINT recoveries_approved CHECK (status NOT IN ('approved', 'redeemed') OR (approved_by IS NOT NULL AND approved_at IS NOT NULL)),
  CONSTRAINT recoveries_ended CHECK ((status IN ('open', 'approved')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX recoveries_one_at_a_time ON recoveries (account_id) WHERE status IN ('open', 'approved');
CREATE INDEX ON recoveries (account_id, opened_at);
CREATE INDEX ON recoveries (status, opened_at);

-- What has been decided stays decided, and nobody acts on their own account, whatever the code above this says.
CREATE FUNCTION recovery_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' AND NEW.status <> 'open' THEN
    RAISE EXCEPTION 'a recovery begins open' USING ERRCODE = 'check_violation', CONSTRAINT = 'recoveries_order';
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.id, NEW.number, NEW.account_id, NEW.credential_state, NEW.reason, NEW.ticket, NEW.evidence, NEW.opened_by, NEW.opened_at, NEW.waits_until)
       IS DISTINCT FROM
       (OLD.id, OLD.number, OLD.account_id, OLD.credential_state, OLD.reason, OLD.ticket, OLD.evidence, OLD.opened_by, OLD.opened_at, OLD.waits_until)
       OR (OLD.approved_by IS NOT NULL AND NEW.approved_by IS DISTINCT FROM OLD.approved_by)
    THEN
      RAISE EXCEPTION 'what a recovery says does not change' USING ERRCODE = 'check_violation', CONSTRAINT = 'recoveries_fixed';
    END IF;
    IF NEW.status <> OLD.status AND NOT (
      (OLD.status = 'open' AND NEW.status IN ('approved', 'rejected', 'cancelled', 'stopped', 'expired')) OR
      (OLD.status = 'approved' AND NEW.status IN ('redeemed', 'rejected', 'cancelled', 'stopped', 'expired')))
    THEN
      RAISE EXCEPTION 'a recovery does not go from % to %', OLD.status, NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'recoveries_order';
    END IF;
  END IF;
  IF EXISTS (SELECT FROM staff s WHERE s.id IN (NEW.opened_by, NEW.approved_by) AND NEW.account_id IN (s.account_id, s.citizen_id)) THEN
    RAISE EXCEPTION 'nobody acts on their own account' USING ERRCODE = 'check_violation', CONSTRAINT = 'recoveries_not_own';
  END IF;
  IF EXISTS (SELECT FROM accounts a WHERE a.id = NEW.account_id AND a.kind <> 'citizen') THEN
    RAISE EXCEPTION 'staff accounts are not recovered' USING ERRCODE = 'check_violation', CONSTRAINT = 'recoveries_citizens';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER recovery_rules BEFORE INSERT OR UPDATE ON recoveries FOR EACH ROW EXECUTE FUNCTION recovery_rules();

-- Codes on paper. Each is good for one thing, once, in one span of time; a new one replaces the one before.
CREATE TABLE letter_codes (
  id uuid PRIMARY KEY,
  purpose text NOT NULL CHECK (purpose IN ('recovery', 'activation', 'invitation')),
  hash bytea NOT NULL UNIQUE,        -- keyed; the codes have 95 random bits
  account_id uuid REFERENCES accounts ON DELETE CASCADE,
  recovery_id uuid REFERENCES recoveries ON DELETE CASCADE,
  staff_id uuid REFERENCES staff,
  valid_from timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  replaced_at timestamptz,
  CHECK ((purpose = 'invitation') = (staff_id IS NOT NULL)),
  CHECK ((purpose = 'recovery') = (recovery_id IS NOT NULL)),
  CHECK ((purpose = 'invitation') = (account_id IS NULL))
);
CREATE UNIQUE INDEX letter_codes_one_recovery ON letter_codes (recovery_id) WHERE used_at IS NULL AND replaced_at IS NULL;
CREATE UNIQUE INDEX letter_codes_one_invitation ON letter_codes (staff_id) WHERE used_at IS NULL AND replaced_at IS NULL;
CREATE UNIQUE INDEX letter_codes_one_activation ON letter_codes (account_id)
  WHERE purpose = 'activation' AND used_at IS NULL AND replaced_at IS NULL;
CREATE INDEX ON letter_codes (account_id);

-- The chain over the audit rows. A row waits in audit_pending from its own transaction on, until the sequencer has put
-- it into the chain; rows that commit late come later in the chain, and none is missed.
CREATE TABLE audit_pending (
  seq bigint PRIMARY KEY,
  since timestamptz NOT NULL DEFAULT now() -- the rows themselves may be dated by the day
);

CREATE TABLE audit_chain (
  position bigint PRIMARY KEY,
  seq bigint NOT NULL UNIQUE,
  at timestamptz NOT NULL,
  row_hash bytea NOT NULL,           -- SHA-256 of the audit row
  hash bytea NOT NULL                -- SHA-256 of the link before and this one
);

CREATE FUNCTION audit_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_pending (seq) VALUES (NEW.seq);
  RETURN NULL;
END $$;
CREATE TRIGGER audit_note AFTER INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_note();
INSERT INTO audit_pending (seq) SELECT seq FROM audit;

-- Append-only also for whoever holds the tables. Retention alone removes rows, by forget_audit(), and only from audit: the
-- chain keeps a hash of each, so that `audit verify` tells what has reached its two years from what somebody took away.
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit' THEN
    IF OLD.at <= nullif(current_setting('stadtschluessel.forget_before', true), '')::timestamptz THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE ON audit_chain FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON audit_chain FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
REVOKE UPDATE, DELETE, TRUNCATE ON audit, audit_chain FROM CURRENT_USER;

CREATE FUNCTION forget_audit(before timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  forgotten bigint;
BEGIN
  PERFORM set_config('stadtschluessel.forget_before', before::text, true);
  IF NOT EXISTS (SELECT FROM audit WHERE at <= before) THEN
    RETURN 0;
  END IF;
  GRANT DELETE ON audit TO CURRENT_USER;
  DELETE FROM audit WHERE at <= before;
  GET DIAGNOSTICS forgotten = ROW_COUNT;
  REVOKE DELETE ON audit FROM CURRENT_USER;
  PERFORM set_config('stadtschluessel.forget_before', '', true);
  RETURN forgotten;
END $$;
CREATE INDEX ON audit (at);
