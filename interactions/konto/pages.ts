import * as codes from './codes.ts';
import * as daten from './daten.ts';
import * as email from './email.ts';
import * as findFactor from './find-factor.ts';
import * as identities from './identities.ts';
import type { KontoPage } from './konto.ts';
import * as language from './language.ts';
import * as log from './log.ts';
import * as overview from './overview.ts';
import * as passkeys from './passkeys.ts';
import * as password from './password.ts';
import * as sessions from './sessions.ts';
import * as totp from './totp.ts';

/** The citizen's own pages by their name in the address; '' is `/konto` itself. */
export const KONTO_PAGES: Readonly<Record<string, KontoPage>> = {
  '': overview.page,
  passkeys: passkeys.page,
  'passkey-neu': passkeys.newPage,
  passwort: password.page,
  app: totp.page,
  ersatzcodes: codes.page,
  'zweiter-faktor': findFactor.page,
  ausweise: identities.page,
  sitzungen: sessions.page,
  email: email.page,
  sprache: language.page,
  protokoll: log.page,
  daten: daten.page,
};
