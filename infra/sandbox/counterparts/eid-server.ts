/**
 * The sandbox's eID-Server: TR-03130 over mutual TLS with signatures on one port, the card's side on another. A process
 * of its own; its settings come as JSON in `COUNTERPART`, its ports go to the parent as a message.
 */
import { timingSafeEqual } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Pair } from './certificates.ts';
import { openSession, Refusal, resultOf, resultXml, type Session } from './eid-sessions.ts';
import { NAMESPACE, openRequest, signedAnswer } from './soap-wire.ts';
import { SPECIMEN_CARDS } from './specimen-cards.ts';

export type EidServerOptions = {
  readonly soapPort: number;
  readonly paosPort: number;
  readonly tls: Pair;
  /** Makes the certificates that may connect. */
  readonly authority: string;
  readonly signing: Pair;
  /** What the eService signs with. */
  readonly eService: string;
  /** What the Berechtigungszertifikat says: whose it is, and the TLS certificates that the address may show. */
  readonly terminal: {
    readonly subjectName: string;
    readonly subjectUrl: string;
    readonly tlsHashes: readonly string[];
  };
  readonly maxSessions: number;
  /** Awaited before each answer: how a server is slow. */
  readonly pause?: () => Promise<void>;
};

const MAX_REQUEST_BYTES = 64 * 1024;

export const startEidServer = async (
  options: EidServerOptions,
): Promise<{ soapPort: number; paosPort: number; close(): Promise<void> }> => {
  const sessions = new Map<string, Session>();
  const paosAddress = (): string => `https://localhost:${(paos.address() as AddressInfo).port}/paos`;
  const sector = options.terminal.subjectName;

  const forget = (): void => {
    for (const [id, { until }] of sessions) if (until < Date.now()) sessions.delete(id);
  };

  const useId = (request: Element): string => {
    const session = openSession(request, sessions.size, options.maxSessions);
    sessions.set(session.id, session);
    return (
      `<eid:useIDResponse xmlns:eid="${NAMESPACE}"><eid:Session><eid:ID>${session.id}</eid:ID></eid:Session>` +
      `<eid:eCardServerAddress>${paosAddress()}</eid:eCardServerAddress>` +
      `<eid:PSK><eid:ID>${session.psk.id}</eid:ID><eid:Key>${session.psk.key}</eid:Key></eid:PSK>${resultOf()}</eid:useIDResponse>`
    );
  };

  const getResult = (request: Element): string => {
    const text = (name: string): string => request.getElementsByTagNameNS(NAMESPACE, name).item(0)?.textContent ?? '';
    const session = sessions.get(text('ID'));
    if (session === undefined) throw new Refusal('/getResult#invalidSession');
    if (Number(text('RequestCounter')) !== session.counter + 1) {
      sessions.delete(session.id);
      throw new Refusal('/getResult#invalidCounter');
    }
    session.counter += 1;
    if (session.outcome === undefined) throw new Refusal('/getResult#noResultYet');
    sessions.delete(session.id);
    if ('minor' in session.outcome) throw new Refusal(session.outcome.minor);
    const { card } = session.outcome;
    if (card.state !== undefined) throw new Refusal('/getResult#invalidDocument');
    return resultXml(session, card, sector);
  };

  const serverInfo = (): string =>
    `<eid:getServerInfoResponse xmlns:eid="${NAMESPACE}"><eid:ServerVersion><eid:Major>2</eid:Major><eid:Minor>4</eid:Minor><eid:Bugfix>0</eid:Bugfix></eid:ServerVersion></eid:getServerInfoResponse>`;

  const answer = (xml: string): string => {
    forget();
    const request = openRequest(xml, options.eService);
    const response = request.localName.replace(/Request$/, 'Response');
    try {
      if (request.localName === 'useIDRequest') return useId(request);
      if (request.localName === 'getResultRequest') return getResult(request);
      if (request.localName === 'getServerInfoRequest') return serverInfo();
      throw new Refusal('/common#schemaViolation');
    } catch (error) {
      const minor = error instanceof Refusal ? error.minor : '/common#internalError';
      return `<eid:${response} xmlns:eid="${NAMESPACE}">${resultOf(minor)}</eid:${response}>`;
    }
  };

  const soap: Server = createServer(
    {
      key: options.tls.key,
      cert: options.tls.certificate,
      ca: options.authority,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (req, res) => {
      let body = '';
      req.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_REQUEST_BYTES) req.destroy();
      });
      req.on('end', async () => {
        await options.pause?.();
        try {
          const xml = signedAnswer(answer(body), options.signing);
          res.writeHead(200, { 'content-type': 'text/xml; charset=utf-8' }).end(xml);
        } catch (error) {
          const reason = error instanceof Error ? error.message : 'fault';
          res.writeHead(500, { 'content-type': 'text/xml; charset=utf-8' });
          res.end(
            `<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Client</faultcode><faultstring>${reason}</faultstring></S:Fault></S:Body></S:Envelope>`,
          );
        }
      });
    },
  );

  /** What the reader says: the card and whether its PIN was right, or why there is none. */
  const read = (session: Session, line: string): { ok: boolean; minor?: string } => {
    const said = JSON.parse(line) as {
      card?: string;
      pin?: string;
      cancelled?: boolean;
      deny?: boolean;
      answer?: string;
    };
    if (said.answer !== undefined) session.outcome = { minor: said.answer };
    else if (said.deny === true) session.outcome = { minor: '/getResult#deniedDocument' };
    else {
      const card = SPECIMEN_CARDS.find(({ id }) => id === said.card);
      if (card === undefined || said.pin !== '123456') return { ok: false, minor: 'wrongPin' };
      session.outcome = { card };
    }
    return { ok: true };
  };

  const converse = (socket: TLSSocket): void => {
    const session = (socket as TLSSocket & { session?: Session }).session;
    if (session === undefined) return void socket.destroy();
    const asked = [...session.operations].filter(([, value]) => value !== 'PROHIBITED').map(([name]) => name);
    socket.write(
      `${JSON.stringify({ terminal: options.terminal, asked, age: session.age, community: session.community })}\n`,
    );
    createInterface({ input: socket }).on('line', (line) => {
      try {
        socket.write(`${JSON.stringify(read(session, line))}\n`);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
  };

  // TR-03124 speaks RSA-PSK, which Node does not; plain PSK proves the same: both sides hold the key of the TC token.
  const paos: TlsServer = createTlsServer(
    {
      ciphers: 'PSK-AES128-GCM-SHA256:DHE-PSK-AES128-GCM-SHA256',
      minVersion: 'TLSv1.2',
      maxVersion: 'TLSv1.2',
      pskCallback: (socket, identity) => {
        const session = [...sessions.values()].find(
          ({ psk, outcome }) => outcome === undefined && same(psk.id, identity),
        );
        if (session === undefined) return null;
        Object.assign(socket, { session });
        return Buffer.from(session.psk.key, 'hex');
      },
    },
    converse,
  );
  paos.on('tlsClientError', () => {});

  const listen = (server: Server | TlsServer, port: number): Promise<void> =>
    new Promise((resolve, reject) => void server.once('error', reject).listen(port, '127.0.0.1', resolve));
  await Promise.all([listen(soap, options.soapPort), listen(paos, options.paosPort)]);
  return {
    soapPort: (soap.address() as AddressInfo).port,
    paosPort: (paos.address() as AddressInfo).port,
    close: async () => {
      soap.closeAllConnections();
      await Promise.all([soap, paos].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
};

const same = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
