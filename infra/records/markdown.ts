import { CLAIM_CATALOGUE } from '../../accounts/claims.ts';
import { RETENTION } from '../../accounts/retention.ts';
import type { ClaimUse, Registration, Town } from '../../accounts/town.ts';

/** The first line of every document. */
export const GENERATED =
  '<!-- Erzeugt aus infra/towns/ und dem Code: nicht von Hand ändern, sondern `npm run docs:records` aufrufen. -->\n';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** A table; texts from registrations cannot break out of their cells. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

export const labelOf = (claim: string): string => CLAIM_CATALOGUE[claim]?.label.de ?? claim;

export const organisationOf = (town: Town, registration: Registration): string =>
  town.organisations.find(({ id }) => id === registration.organisation)?.name.de ?? registration.organisation;

export const isRaw = ({ claim }: ClaimUse): boolean => claim === 'birthdate' || claim === 'address';

export const retentionTable = (): string =>
  table(
    ['Was', 'Wie lange'],
    Object.values(RETENTION).map(({ what, kept }) => [what.de, kept.de]),
  );

export const claimsTable = ({ claims }: Registration): string =>
  claims.length === 0
    ? 'Der Dienst erhält nur das Pseudonym, keine weiteren Angaben.'
    : table(
        ['Angabe', 'Zweck', 'Rechtsgrundlage', 'Nötig'],
        claims.map(({ claim, purpose, legalBasis, required, rawBecause }) => [
          labelOf(claim),
          purpose.de + (rawBecause === undefined ? '' : ` (weniger genügt nicht: ${rawBecause.de})`),
          legalBasis.de,
          required ? 'ja' : 'freiwillig',
        ]),
      );

/** The APIs of other organisations that a service calls for citizens; empty text if there are none. */
export const apisTable = ({ apis = [] }: Registration): string =>
  apis.length === 0
    ? ''
    : `\n${table(
        ['Anfrage bei einer Schnittstelle', 'Umfang', 'Zweck', 'Rechtsgrundlage'],
        apis.map(({ resource, scopes, purpose, legalBasis }) => [
          resource,
          scopes.join(', '),
          purpose.de,
          legalBasis.de,
        ]),
      )}\n`;
