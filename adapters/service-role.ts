import pg from 'pg';

const ROLE = /^[a-z_][a-z0-9_]{0,62}$/;
/** What the service only adds to; nobody but their owner may change them, and the owner's triggers refuse that too. */
const APPEND_ONLY = 'audit, audit_chain';

/**
 * Gives the role with which the service works its rights, and no more: rows, not tables. Called by the tables' owner after
 * each migration; a role that exists is needed.
 * @param ownerUrl a connection as the owner
 */
export const grantService = async (ownerUrl: string, role: string): Promise<void> => {
  if (!ROLE.test(role)) throw new Error(`not a role: ${role}`);
  const client = new pg.Client({ connectionString: ownerUrl, application_name: 'stadtschluessel migrations' });
  await client.connect();
  try {
    await client.query(`BEGIN;
      GRANT USAGE ON SCHEMA public TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
      GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role};
      GRANT EXECUTE ON FUNCTION forget_audit(timestamptz) TO ${role};
      REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON ${APPEND_ONLY} FROM ${role};
      REVOKE INSERT, UPDATE, DELETE ON migrations FROM ${role};
      COMMIT`);
  } finally {
    await client.end();
  }
};
