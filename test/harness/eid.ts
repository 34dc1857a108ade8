/** The sandbox's eID-Server and eID-Client for tests, and an eID-Server that answers whatever a test says. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { CardQuestion } from '../../adapters/eid-messages.ts';
import { createEidServer, type EidServerSettings } from '../../adapters/eid-server.ts';
import { createAuthority, type Pair, xmlPair } from '../../infra/sandbox/counterparts/certificates.ts';
import { type EidClientOptions, startEidClient } from '../../infra/sandbox/counterparts/eid-client.ts';
import { type EidServerOptions, startEidServer } from '../../infra/sandbox/counterparts/eid-server.ts';

export type EidKeys = {
  readonly authority: string;
  readonly server: Pair;
  readonly client: Pair;
  readonly serverSigning: Pair;
  readonly eServiceSigning: Pair;
  readonly strangerSigning: Pair;
};

let made: Promise<EidKeys> | undefined;

/** One set for the process: RSA keys take their time. */
export const eidKeys = (): Promise<EidKeys> => {
  made ??= (async () => {
    const authority = await createAuthority();
    const [server, client, serverSigning, eServiceSigning, strangerSigning] = await Promise.all([
      authority.issue('localhost', 'server'),
      authority.issue('eservice', 'client'),
      xmlPair('eID-Server'),
      xmlPair('Stadt'),
      // The same name: only the key differs.
      xmlPair('eID-Server'),
    ]);
    return { authority: authority.certificate, server, client, serverSigning, eServiceSigning, strangerSigning };
  })();
  return made;
};

/** Remembers names in memory, as the shared store does for all nodes. */
export const memoryMarks = () => {
  const seen = new Set<string>();
  return async (mark: string): Promise<boolean> => !seen.has(mark) && seen.add(mark) !== undefined;
};

export const silentLog = { warn: (): void => {} };

export const settingsFor = (keys: EidKeys, port: number): EidServerSettings => ({
  url: new URL(`https://localhost:${port}/eid`),
  tls: { key: keys.client.key, certificate: keys.client.certificate, authority: keys.authority },
  signing: keys.eServiceSigning,
  serverCertificates: [keys.serverSigning.certificate],
});

/** The sandbox's eID-Server and client, for a provider whose TC tokens come from `origin`. */
export const startEid = async (
  origin: string,
  more: { server?: Partial<EidServerOptions>; client?: Partial<EidClientOptions> } = {},
) => {
  const keys = await eidKeys();
  const server = await startEidServer({
    soapPort: 0,
    paosPort: 0,
    tls: keys.server,
    authority: keys.authority,
    signing: keys.serverSigning,
    eService: keys.eServiceSigning.certificate,
    terminal: { subjectName: 'Stadt Gütersloh', subjectUrl: origin, tlsHashes: [] },
    maxSessions: 5000,
    ...more.server,
  });
  const client = await startEidClient({ port: 0, ...more.client });
  return {
    keys,
    settings: settingsFor(keys, server.soapPort),
    clientUrl: `http://127.0.0.1:${client.port}/eID-Client`,
    close: async () => void (await Promise.all([client.close(), server.close()])),
  };
};

/** An eID-Server that answers by the function; with its bridge. */
export const startFalseServer = async (answer: (request: string, keys: EidKeys) => string | Promise<string>) => {
  const keys = await eidKeys();
  const server = createServer(
    { key: keys.server.key, cert: keys.server.certificate, ca: keys.authority, requestCert: true },
    async (req, res) => {
      let body = '';
      for await (const chunk of req) body += String(chunk);
      res.setHeader('content-type', 'text/xml').end(await answer(body, keys));
    },
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const reasons: string[] = [];
  const bridge = createEidServer(settingsFor(keys, (server.address() as AddressInfo).port), {
    now: () => new Date(),
    once: memoryMarks(),
    log: { warn: (details) => void reasons.push(String((details as { detail?: unknown }).detail)) },
  });
  return {
    bridge,
    reasons,
    close: async () => {
      bridge.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

export const ONLY_PSEUDONYM: CardQuestion = { read: [] };

/** What the simulated reader does on a citizen's device, from the TC token on: the address that it leads back to. */
export const useCard = async (
  clientUrl: string,
  tcTokenUrl: string,
  choice: Record<string, string> = { card: 'erika', pin: '123456', how: 'send' },
): Promise<{ status: number; back: string | undefined; page: string }> => {
  const first = await fetch(`${clientUrl}?tcTokenURL=${encodeURIComponent(tcTokenUrl)}`, { redirect: 'manual' });
  const page = await first.text();
  const run = /name="run" value="(\w+)"/.exec(page)?.[1];
  if (run === undefined) return { status: first.status, back: first.headers.get('location') ?? undefined, page };
  const second = await fetch(clientUrl, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ run, pin: '123456', how: 'send', ...choice }),
  });
  return { status: second.status, back: second.headers.get('location') ?? undefined, page };
};
