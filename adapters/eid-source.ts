import type { LinkableProof } from '../accounts/identities.ts';
import type { CardQuestion, EidFault } from './eid-messages.ts';
import { cardAttributes } from './eid-person.ts';
import type { EidServer } from './eid-server.ts';
import { activationLinks, EID_CLIENT, tcTokenXml } from './eid-tc-token.ts';

export type { CardQuestion } from './eid-messages.ts';

/** The namespace of card pseudonyms: they are derived for the Berechtigungszertifikat, whoever runs the eID-Server. */
const ISSUER = 'https://bsi.bund.de/eID';

export type EidOutcome =
  | { readonly outcome: 'proven'; readonly proof: LinkableProof }
  /** The card has not been read, as far as the server knows. */
  | { readonly outcome: 'not-yet' }
  | { readonly outcome: 'refused'; readonly fault: Exclude<EidFault, 'noResultYet'> | 'level' }
  | { readonly outcome: 'unavailable' };

/** The Online-Ausweis as the pages use it. */
export type EidSource = {
  /** Opens a session; the TC token is for the one request that opened it. */
  open(
    question: CardQuestion,
    addresses: { refresh: URL; error: URL },
  ): Promise<{ outcome: 'opened'; session: string; tcToken: string } | Exclude<EidOutcome, { outcome: 'proven' }>>;
  result(session: string, counter: number, question: CardQuestion): Promise<EidOutcome>;
  /** Where the browser of a desktop and of a phone finds AusweisApp. */
  links(tcTokenUrl: URL): { readonly desktop: string; readonly mobile: string };
  /** Where a page may ask whether AusweisApp runs. */
  readonly client: URL;
  /** The town as cards know it. */
  readonly communityId: string;
  up(): boolean;
};

/** Civil days are those of the town. */
const day = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Berlin' });

/** `0276`, then state, region, district (2 each) and municipality (4), from the eight digits of the AGS. */
export const communityIdOf = (municipalityKey: string): string =>
  `0276${municipalityKey.slice(0, 2)}0${municipalityKey.slice(2, 3)}${municipalityKey.slice(3, 5)}0${municipalityKey.slice(5, 8)}`;

export const createEidSource = (
  server: EidServer,
  settings: { readonly communityId: string; readonly client?: URL; readonly now: () => Date },
): EidSource => {
  const client = settings.client ?? new URL(EID_CLIENT);
  return {
    async open(question, { refresh, error }) {
      const opened = await server.useId(question);
      switch (opened.outcome) {
        case 'session': {
          const { session, psk, serverAddress } = opened;
          const tcToken = tcTokenXml({ serverAddress, psk, refreshAddress: refresh.href, errorAddress: error.href });
          return { outcome: 'opened', session, tcToken };
        }
        case 'refused':
          return { outcome: 'refused', fault: opened.fault === 'noResultYet' ? 'unknown' : opened.fault };
        case 'unavailable':
          return { outcome: 'unavailable' };
      }
    },
    async result(session, counter, question) {
      const answer = await server.getResult(session, counter);
      if (answer.outcome === 'unavailable') return { outcome: 'unavailable' };
      if (answer.outcome === 'refused')
        return answer.fault === 'noResultYet' ? { outcome: 'not-yet' } : { outcome: 'refused', fault: answer.fault };
      // Asked for was the highest; a card that reaches less proves less than every service takes it for.
      if (answer.level !== 'high') return { outcome: 'refused', fault: 'level' };
      const attributes = cardAttributes(answer, question, day.format(settings.now()));
      const proof = { source: 'eid', issuer: ISSUER, identifier: answer.pseudonym, level: 'high', attributes } as const;
      return { outcome: 'proven', proof };
    },
    links: (tcTokenUrl) => activationLinks(client.href, tcTokenUrl),
    client,
    communityId: settings.communityId,
    up: server.up,
  };
};
