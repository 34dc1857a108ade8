-- A change of the services: proposed by one member of staff, put in force by another.
CREATE TABLE service_proposals (
  id uuid PRIMARY KEY,
  number text NOT NULL UNIQUE,        -- for people: D-7K3F-29QX
  registrations jsonb NOT NULL,       -- all that are to be in force
  based_on bytea NOT NULL,            -- SHA-256 of those that were in force; others since then make it void
  status text NOT NULL CHECK (status IN ('open', 'applied', 'replaced')),
  proposed_by uuid NOT NULL REFERENCES staff,
  proposed_at timestamptz NOT NULL,
  approved_by uuid REFERENCES staff,
  ended_at timestamptz,
  CONSTRAINT service_proposals_two_people CHECK (approved_by <> proposed_by),
  CONSTRAINT service_proposals_approved CHECK ((status = 'applied') = (approved_by IS NOT NULL)),
  CONSTRAINT service_proposals_ended CHECK ((status = 'open') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX service_proposals_one_at_a_time ON service_proposals ((true)) WHERE status = 'open';

CREATE FUNCTION service_proposal_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.status <> 'open' THEN
      RAISE EXCEPTION 'a proposal begins open' USING ERRCODE = 'check_violation', CONSTRAINT = 'service_proposals_order';
    END IF;
    RETURN NEW;
  END IF;
  IF OLD.status <> 'open' THEN
    RAISE EXCEPTION 'a proposal ends once' USING ERRCODE = 'check_violation', CONSTRAINT = 'service_proposals_order';
  END IF;
  IF (NEW.id, NEW.number, NEW.registrations, NEW.based_on, NEW.proposed_by, NEW.proposed_at)
     IS DISTINCT FROM (OLD.id, OLD.number, OLD.registrations, OLD.based_on, OLD.proposed_by, OLD.proposed_at)
  THEN
    RAISE EXCEPTION 'what a proposal says does not change' USING ERRCODE = 'check_violation', CONSTRAINT = 'service_proposals_fixed';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER service_proposal_rules BEFORE INSERT OR UPDATE ON service_proposals
  FOR EACH ROW EXECUTE FUNCTION service_proposal_rules();

-- A role acts after a waiting time in which everybody on the staff can object, or when a second chief has confirmed it.
ALTER TABLE staff_roles
  ADD COLUMN acts_from timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN confirmed_by uuid REFERENCES staff,
  ADD CONSTRAINT staff_roles_second_chief CHECK (confirmed_by <> granted_by AND confirmed_by <> staff_id);

CREATE FUNCTION staff_role_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.staff_id, NEW.role, NEW.granted_by, NEW.granted_at) IS DISTINCT FROM (OLD.staff_id, OLD.role, OLD.granted_by, OLD.granted_at) THEN
    RAISE EXCEPTION 'a role is given anew, not changed' USING ERRCODE = 'check_violation', CONSTRAINT = 'staff_roles_fixed';
  END IF;
  IF NEW.acts_from < OLD.acts_from AND NEW.confirmed_by IS NULL THEN
    RAISE EXCEPTION 'only a second chief shortens the waiting time' USING ERRCODE = 'check_violation', CONSTRAINT = 'staff_roles_wait';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER staff_role_rules BEFORE UPDATE ON staff_roles FOR EACH ROW EXECUTE FUNCTION staff_role_rules();
