-- What processes hold in memory: the registrations and the signing keys. A version grows in the transaction that changes
-- the table, so that whoever was not notified finds it out by looking. Deferred to the commit, when all other locks are
-- held, so that it never closes a circle of waiting.
CREATE TABLE changes (
  channel text PRIMARY KEY,
  version bigint NOT NULL
);
INSERT INTO changes (channel, version) VALUES ('registrations', 1), ('signing_keys', 1);

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE changes SET version = version + 1 WHERE channel = TG_ARGV[0];
  PERFORM pg_notify(TG_ARGV[0], '');
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON clients
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('registrations');
CREATE CONSTRAINT TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON signing_keys
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_change('signing_keys');
