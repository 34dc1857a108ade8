/** BundID's place in the sandbox: reads signed requests with the AKDB extensions, sends encrypted, PSS-signed responses. */
import { createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DOMParser } from '@xmldom/xmldom';
import { SignedXml } from 'xml-crypto';
import type { Pair } from './certificates.ts';
import { escapeHtml, page } from './page.ts';
import { genuineResponse, refusal, responseXml, signRoot } from './saml-wire.ts';

export type BundIdOptions = {
  readonly port: number;
  readonly entityId: string;
  readonly signing: Pair;
  readonly service: {
    readonly entityId: string;
    readonly acsUrl: string;
    readonly signing: string;
    readonly encryption: string;
  };
};

const OID = {
  bpk2: 'urn:oid:1.3.6.1.4.1.25484.494450.3',
  level: 'urn:oid:1.2.40.0.10.2.1.1.261.94',
  givenName: 'urn:oid:2.5.4.42',
  surname: 'urn:oid:2.5.4.4',
  birthdate: 'urn:oid:1.2.40.0.10.2.1.1.55',
  street: 'urn:oid:2.5.4.16',
  postalCode: 'urn:oid:2.5.4.17',
  locality: 'urn:oid:2.5.4.7',
  country: 'urn:oid:1.2.40.0.10.2.1.1.225599',
} as const;

const PEOPLE = [
  {
    id: 'max',
    name: 'Max Beispiel',
    values: {
      [OID.givenName]: 'Max',
      [OID.surname]: 'Beispiel',
      [OID.birthdate]: '1979-02-03',
      [OID.street]: 'Dalkestraße 5',
      [OID.postalCode]: '33330',
      [OID.locality]: 'Gütersloh',
      [OID.country]: 'DE',
    },
  },
  {
    id: 'erika',
    name: 'Erika Mustermann',
    values: {
      [OID.givenName]: 'ERIKA',
      [OID.surname]: 'MUSTERMANN',
      [OID.birthdate]: '1964-08-12',
      [OID.street]: 'Berliner Straße 70',
      [OID.postalCode]: '33330',
      [OID.locality]: 'Gütersloh',
      [OID.country]: 'DE',
    },
  },
] as const;

const WAYS = [
  { id: 'Benutzername', level: 1, name: 'Benutzername und Passwort (Stufe 1)' },
  { id: 'Elster', level: 3, name: 'ELSTER-Zertifikat (Stufe 3)' },
  { id: 'eID', level: 4, name: 'Online-Ausweis (Stufe 4)' },
] as const;

const SIMULATES = 'BundID';

type Request = {
  id: string;
  level: number;
  methods: string[];
  requested: string[];
  required: string[];
  organisation: string;
  relayState: string;
};

/** Reads a request as strictly as BundID does; throws with the reason for a refusal without a way back. */
const readRequest = (form: URLSearchParams, options: BundIdOptions): Request => {
  const xml = Buffer.from(form.get('SAMLRequest') ?? '', 'base64').toString('utf8');
  const root = new DOMParser().parseFromString(xml, 'text/xml').documentElement;
  const signature = root.getElementsByTagNameNS('http://www.w3.org/2000/09/xmldsig#', 'Signature').item(0);
  if (signature === null) throw new Error('Anfrage ohne Signatur');
  const check = new SignedXml({ publicCert: options.service.signing, getCertFromKeyInfo: () => null });
  check.loadSignature(signature as unknown as Node);
  if (!check.checkSignature(xml)) throw new Error('Signatur der Anfrage stimmt nicht');
  const request = new DOMParser().parseFromString(check.getSignedReferences()[0] ?? '', 'text/xml').documentElement;
  const all = (name: string): Element[] => Array.from(request.getElementsByTagName(name));
  const text = (name: string): string => all(name)[0]?.textContent?.trim() ?? '';
  if (text('saml:Issuer') !== options.service.entityId) throw new Error('unbekannter Dienst');
  if (request.getAttribute('AssertionConsumerServiceURL') !== options.service.acsUrl)
    throw new Error('unbekannte Rücksprungadresse');
  if (text('classic-ui:OrganizationDisplayName') === '') throw new Error('OrganizationDisplayName fehlt');
  if (!/^BMI-\w+$/.test(text('classic-ui:OnlineServiceId'))) throw new Error('OnlineServiceId fehlt');
  const attributes = all('akdb:RequestedAttribute');
  if (attributes.length === 0) throw new Error('RequestedAttribute fehlt');
  const context = all('samlp:RequestedAuthnContext')[0];
  if (context !== undefined && context.getAttribute('Comparison') !== 'minimum')
    throw new Error('nur Comparison="minimum"');
  return {
    id: request.getAttribute('ID') ?? '',
    level: Number(/STORK-QAA-Level-([134])$/.exec(context?.textContent?.trim() ?? '')?.[1] ?? 1),
    methods: WAYS.filter(({ id }) => all(`akdb:${id}`).length > 0).map(({ id }) => id),
    requested: attributes.map((one) => one.getAttribute('Name') ?? ''),
    required: attributes
      .filter((one) => one.getAttribute('RequiredAttribute') === 'true')
      .map((one) => one.getAttribute('Name') ?? ''),
    organisation: text('classic-ui:OrganizationDisplayName'),
    relayState: form.get('RelayState') ?? '',
  };
};

const choice = (run: string, request: Request): string => {
  const temporary = !request.requested.includes(OID.bpk2);
  const people = PEOPLE.map(
    ({ id, name }, index) =>
      `<label><input type="radio" name="person" value="${id}"${index === 0 ? ' checked' : ''}> ${escapeHtml(name)}</label>`,
  );
  const ways = WAYS.filter(({ id, level }) => request.methods.includes(id) && level >= request.level).map(
    ({ id, name }) => `<button name="way" value="${id}">${escapeHtml(name)}</button>`,
  );
  return page(
    SIMULATES,
    `Anmelden für ${request.organisation}`,
    `<form method="post" action="/choose"><input type="hidden" name="run" value="${run}"><fieldset><legend>Wer sind Sie?</legend>${people.join('')}</fieldset>
    <p>${ways.join('')}${temporary ? '<button name="way" value="temporary">Ohne Konto mit dem Online-Ausweis</button>' : ''}<button name="way" value="cancel">Abbrechen</button></p>
    <details><summary>Fehler ausprobieren</summary><p><button name="way" value="level">Stufe nicht erreichbar</button><button name="way" value="attributes">Angaben fehlen im Konto</button><button name="way" value="lower">Niedrigere Stufe als verlangt</button></p></details></form>`,
  );
};

const pseudonym = (person: string, options: BundIdOptions): string =>
  createHmac('sha256', new URL(options.service.entityId).hostname).update(person).digest('base64');

const answer = (request: Request, form: URLSearchParams, options: BundIdOptions): string => {
  const about = {
    issuer: options.entityId,
    recipient: options.service.acsUrl,
    audience: options.service.entityId,
    inResponseTo: request.id,
  };
  const refuse = (status: string): string => signRoot(responseXml(about, '', status), options.signing);
  const way = form.get('way');
  if (way === 'cancel') return refuse(refusal('AuthnFailed'));
  if (way === 'level') return refuse(refusal('NoAuthnContext'));
  if (way === 'attributes') return refuse(refusal('RequestDenied', 'IDP_REQUIRED_ATTRIBUTES_MISSING'));
  const person = PEOPLE.find(({ id }) => id === form.get('person')) ?? PEOPLE[0];
  const reached = way === 'lower' ? 1 : way === 'temporary' ? 4 : (WAYS.find(({ id }) => id === way)?.level ?? 1);
  const level = `STORK-QAA-Level-${reached}`;
  const known: Record<string, string> = {
    ...person.values,
    [OID.level]: level,
    ...(way !== 'temporary' && { [OID.bpk2]: pseudonym(person.id, options) }),
  };
  const attributes = Object.fromEntries(Object.entries(known).filter(([name]) => request.requested.includes(name)));
  return genuineResponse({ ...about, level, attributes }, options.signing, options.service.encryption);
};

/** SAML Bindings §3.5: a form that sends itself, with a button for browsers without script. */
const postBack = (xml: string, relayState: string, options: BundIdOptions): string =>
  page(
    SIMULATES,
    'Zurück zum Dienst',
    `<form method="post" action="${escapeHtml(options.service.acsUrl)}"><input type="hidden" name="SAMLResponse" value="${Buffer.from(xml).toString('base64')}"><input type="hidden" name="RelayState" value="${escapeHtml(relayState)}"><button>Weiter</button></form><script>document.forms[0].submit()</script>`,
  );

export const startBundId = async (options: BundIdOptions): Promise<{ port: number; close(): Promise<void> }> => {
  const runs = new Map<string, Request>();
  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const html = (status: number, body: string): void =>
      void res.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(body);
    let body = '';
    for await (const chunk of req) body += String(chunk);
    const form = new URLSearchParams(body);
    if (req.method === 'POST' && req.url === '/idp/profile/SAML2/POST/SSO') {
      try {
        const request = readRequest(form, options);
        const run = randomBytes(16).toString('hex');
        runs.set(run, request);
        return html(200, choice(run, request));
      } catch (error) {
        return html(
          400,
          page(
            SIMULATES,
            'Diese Anfrage wurde abgelehnt',
            `<p role="alert">${escapeHtml((error as Error).message)}</p>`,
          ),
        );
      }
    }
    if (req.method === 'POST' && req.url === '/choose') {
      const request = runs.get(form.get('run') ?? '');
      if (request === undefined) return html(404, page(SIMULATES, 'Vorgang abgelaufen', ''));
      runs.delete(form.get('run') ?? '');
      return html(200, postBack(answer(request, form, options), request.relayState, options));
    }
    return html(404, page(SIMULATES, 'Nichts gefunden', ''));
  };
  const server = createServer((req, res) => {
    handle(req, res).catch(() => (res.headersSent ? res.destroy() : res.writeHead(500).end()));
  });
  await new Promise<void>(
    (resolve, reject) => void server.once('error', reject).listen(options.port, '127.0.0.1', resolve),
  );
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
