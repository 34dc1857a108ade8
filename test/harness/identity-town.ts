/** A town with all three identity sources, and what citizens do at each of them. */
import { connect } from 'node:tls';
import type { Registration } from '../../accounts/town.ts';
import type { SourceSettings } from '../../adapters/source-config.ts';
import { startBundId } from '../../infra/sandbox/counterparts/bundid-idp.ts';
import { certificateHash } from '../../infra/sandbox/counterparts/certificates.ts';
import { startStaffIdp } from '../../infra/sandbox/counterparts/staff-idp.ts';
import { bundIdKeys } from './bundid.ts';
import { startEid, useCard } from './eid.ts';
import { serviceWith } from './registration.ts';
import { atHome, authorizationUrl, pkce } from './relying-party.ts';
import { type RunningTown, startTown, TEST_TOWN } from './town.ts';
import { type Answer, forms, type Visitor } from './visitor.ts';

const SECRET = 'a-secret-of-the-tests';
const use = (claim: string) => ({ claim, required: true, purpose: { de: 'Prüfung' }, legalBasis: { de: 'Satzung' } });

const service = (clientId: string, claims: string[], more: Partial<Registration> = {}): Registration =>
  serviceWith(clientId, { redirectUris: ['https://dienst.example/callback'], claims: claims.map(use), ...more });

const certificateOf = (origin: string): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const url = new URL(origin);
    const socket = connect({ host: '127.0.0.1', port: Number(url.port), servername: url.hostname }, () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    });
    socket.on('error', reject);
  });

type Options = Pick<
  NonNullable<Parameters<typeof startTown>[0]>,
  'host' | 'server' | 'around' | 'now' | 'registrations'
> & {
  /** Changes what the provider knows of its sources. */
  readonly change?: (sources: Required<SourceSettings>) => SourceSettings;
  /** Awaited by the eID-Server before each answer. */
  readonly pause?: () => Promise<void>;
};

export const startIdentityTown = async ({ change = (sources) => sources, pause, ...options }: Options = {}) => {
  const stack = new AsyncDisposableStack();
  let clientUrl = '';
  let bundIdPort = 0;
  let staffIssuer = '';
  /** The browser of each member of staff. */
  const jars = new Map<string, Map<string, string>>();
  const browse =
    (jar: Map<string, string>) =>
    async (address: string, init: RequestInit = {}): Promise<Response> => {
      const cookie = [...jar].map((pair) => pair.join('=')).join('; ');
      const answer = await fetch(address, { ...init, redirect: 'manual', headers: { cookie } });
      for (const line of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        jar.set(name, value);
      }
      return answer;
    };
  const town: RunningTown = await startTown({
    ...options,
    // Gütersloh's, whose citizens the specimen cards are.
    town: { ...TEST_TOWN, municipalityKey: '05754008' },
    registrations: [
      service('erwachsene', ['age_over_18', 'resident']),
      service('antrag', ['given_name', 'family_name', 'birthdate']),
      service('hoch', [], { minAcr: 'http://eidas.europa.eu/LoA/high' }),
      service('dienststelle', [], { staff: true }),
      ...(options.registrations ?? []),
    ],
    sources: async (issuer) => {
      const tlsHashes = [certificateHash(await certificateOf(issuer))];
      const eid = await startEid(issuer, {
        server: {
          terminal: { subjectName: 'Stadt Gütersloh', subjectUrl: issuer, tlsHashes },
          ...(pause && { pause }),
        },
      });
      stack.defer(eid.close);
      clientUrl = eid.clientUrl;
      const keys = await bundIdKeys();
      const { origin, hostname } = new URL(issuer);
      const entityId = `https://${hostname}`;
      const acsUrl = `${origin}/bundid/acs`;
      const idp = await startBundId({
        port: 0,
        entityId: 'https://id.bund.example/idp',
        signing: keys.idp,
        service: { entityId, acsUrl, signing: keys.signing.certificate, encryption: keys.encryption.certificate },
      });
      stack.defer(idp.close);
      bundIdPort = idp.port;
      const staff = await startStaffIdp({
        port: 0,
        clientId: 'stadtschluessel',
        clientSecret: SECRET,
        redirectUri: `${origin}/upstream/callback`,
        backchannelLogoutUri: `${origin}/upstream/logout`,
      });
      stack.defer(staff.close);
      staffIssuer = staff.issuer;
      return change({
        eid: { ...eid.settings, client: new URL(eid.clientUrl) },
        bundid: {
          entityId,
          acsUrl: new URL(acsUrl),
          idp: {
            entityId: 'https://id.bund.example/idp',
            ssoUrl: new URL(`http://localhost:${idp.port}/idp/profile/SAML2/POST/SSO`),
            certificates: [keys.idp.certificate],
          },
          signing: keys.signing,
          encryption: [keys.encryption],
          organisation: 'Stadt Gütersloh',
          onlineServiceId: 'BMI-X0000',
          backUrl: new URL(issuer),
        },
        upstream: {
          issuer: new URL(staff.issuer),
          clientId: 'stadtschluessel',
          clientSecret: SECRET,
          redirectUri: new URL(`${origin}/upstream/callback`),
          levels: { 'urn:town:mfa': 'substantial' },
          insecureLoopback: true,
        },
      });
    },
  });
  stack.defer(town.close);

  /** Begins a sign-in at a service. */
  const begin = (visitor: Visitor, name: string, changes: Record<string, string> = {}): Promise<Answer> => {
    const url = authorizationUrl(town, 'fahrkarte', pkce(), changes);
    if (name !== 'fahrkarte') {
      url.searchParams.set('client_id', name);
      url.searchParams.set('redirect_uri', 'https://dienst.example/callback');
    }
    return visitor.open(url, atHome(town));
  };

  /** The TC token's address on a page that leads to AusweisApp. */
  const tcTokenOf = (page: Answer): string => {
    const href = /href="(http:\/\/127\.0\.0\.1:\d+\/eID-Client\?tcTokenURL=[^"]+)"/.exec(page.text)?.[1] ?? '';
    return new URL(href).searchParams.get('tcTokenURL') ?? '';
  };

  return {
    town,
    begin,
    tcTokenOf,
    clientUrl: () => clientUrl,
    staffIssuer: () => staffIssuer,
    /** Presses the button of the Online-Ausweis and uses a card: the address that the browser is led back to. */
    async readCard(
      visitor: Visitor,
      page: Answer,
      choice: Record<string, string> = {},
    ): Promise<{ back: string; away: Answer; asked: string }> {
      const away = await visitor.submitTo(page, 'eid');
      const used = await useCard(clientUrl, tcTokenOf(away), { card: 'erika', pin: '123456', how: 'send', ...choice });
      if (used.back === undefined) {
        const logged = town.logged.filter((line) => line.includes('"source"')).slice(-3);
        throw new Error(`no way back: ${/<main>.*/s.exec(used.page)?.[0]}\n${logged.join('')}`);
      }
      return { back: used.back, away, asked: used.page };
    },
    /** Signs in by card and comes back. */
    async byCard(visitor: Visitor, page: Answer, choice: Record<string, string> = {}): Promise<Answer> {
      const { back } = await this.readCard(visitor, page, choice);
      return visitor.open(back, atHome(town));
    },
    /** Goes to BundID: the form that it sends back. */
    async atBundId(visitor: Visitor, page: Answer, choice: Record<string, string>): Promise<URLSearchParams> {
      const away = await visitor.submitTo(page, 'bundid');
      const form = forms(away).find(({ action }) => action.port === String(bundIdPort));
      if (form === undefined) throw new Error(`no form to BundID:\n${away.text}`);
      const asked = await fetch(form.action, { method: 'POST', body: new URLSearchParams(form.fields) });
      const run = /name="run" value="(\w+)"/.exec(await asked.text())?.[1] ?? '';
      const chosen = await fetch(`http://localhost:${bundIdPort}/choose`, {
        method: 'POST',
        body: new URLSearchParams({ run, person: 'max', ...choice }),
      });
      const html = await chosen.text();
      const value = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
      return new URLSearchParams({ SAMLResponse: value('SAMLResponse'), RelayState: value('RelayState') });
    },
    /** The cross-site POST arrives without any cookie; the redirect after it brings them. */
    async fromBundId(visitor: Visitor, fields: URLSearchParams): Promise<Answer> {
      const put = await visitor.send(new URL('/bundid/acs', town.issuer), {
        method: 'POST',
        body: fields,
        headers: { origin: 'http://localhost', 'sec-fetch-site': 'cross-site' },
        withoutCookies: true,
      });
      return visitor.follow(put, atHome(town));
    },
    /** Signs in at the staff's provider as a browser does: the address that it leads back to. */
    async atStaff(url: string, person: string): Promise<URL> {
      const jar = new Map<string, string>();
      jars.set(person, jar);
      const open = browse(jar);
      const go = async (address: string, init: RequestInit = {}): Promise<URL> =>
        new URL((await open(address, init)).headers.get('location') ?? address, address);
      const page = await go(url);
      let next = await go(page.href, { method: 'POST', body: new URLSearchParams({ person }) });
      for (let hops = 0; next.origin !== town.issuer && hops < 5; hops += 1) next = await go(next.href);
      return next;
    },
    /** Signs out at the staff's provider, which tells its services. */
    async signOutAtStaff(person: string): Promise<void> {
      const open = browse(jars.get(person) ?? new Map());
      const page = await (await open(`${staffIssuer}/session/end`)).text();
      const xsrf = /name="xsrf" value="([^"]*)"/.exec(page)?.[1] ?? '';
      await open(`${staffIssuer}/session/end/confirm`, {
        method: 'POST',
        body: new URLSearchParams({ xsrf, logout: 'yes' }),
      });
    },
    close: () => stack.disposeAsync(),
  };
};

export type IdentityTown = Awaited<ReturnType<typeof startIdentityTown>>;
