import { openPostgresStore } from './harness/postgres-store.ts';
import { declareGrantSuite } from './oidc-store-grants-suite.ts';
import { declareSessionSuite } from './oidc-store-sessions-suite.ts';
import { declareStoreSuite } from './oidc-store-suite.ts';

declareStoreSuite(openPostgresStore);
declareGrantSuite(openPostgresStore);
declareSessionSuite(openPostgresStore);
