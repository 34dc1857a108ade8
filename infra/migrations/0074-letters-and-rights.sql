-- Letters are taken in a batch by a member of staff, who says when they are on paper; until then the batch can be had again.
ALTER TABLE letters
  ADD COLUMN batch text,                         -- B-7K3F-29QX
  ADD COLUMN taken_by uuid REFERENCES staff,
  ADD COLUMN taken_at timestamptz,
  ADD CONSTRAINT letters_batch CHECK ((batch IS NULL) = (taken_by IS NULL) AND (batch IS NULL) = (taken_at IS NULL));
CREATE INDEX ON letters (batch) WHERE printed_at IS NULL;

-- The service may work with a role that owns nothing (npm run migrate). Retention then removes rows by this function, which
-- runs with the owner's rights and, for anybody else, only what has reached its age: two years less a day, for the clocks.
CREATE OR REPLACE FUNCTION forget_audit(before timestamptz) RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  forgotten bigint;
BEGIN
  IF before > now() - interval '730 days' AND NOT pg_has_role(session_user, current_user, 'USAGE') THEN
    RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'insufficient_privilege';
  END IF;
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
REVOKE EXECUTE ON FUNCTION forget_audit(timestamptz) FROM PUBLIC;
