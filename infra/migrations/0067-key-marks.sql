-- Which keys this database was begun with: a keyed mark of each key that must never change, so that a process with another
-- key ring does not start and make every citizen a stranger. The mark tells nothing about the key.
CREATE TABLE key_marks (
  name text PRIMARY KEY,
  mark bytea NOT NULL
);
