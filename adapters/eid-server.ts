import { Agent } from 'node:https';
import { createCircuit } from './circuit.ts';
import {
  type CardAnswer,
  type CardQuestion,
  getResultRequest,
  getResultResponse,
  getServerInfoRequest,
  getServerInfoResponse,
  type Refused,
  type UseId,
  useIdRequest,
  useIdResponse,
} from './eid-messages.ts';
import { openEnvelope, type SigningKey, sealEnvelope, Untrusted } from './soap-signature.ts';
import { callSource, Unreachable } from './source-call.ts';
import { XmlFault } from './xml.ts';

/** How the eID-Server is reached (TR-03130-1 §3.5: mutual TLS and signatures, both). All keys and certificates are PEM. */
export type EidServerSettings = {
  readonly url: URL;
  /** `ServerAddress` of the TC token where the server's answer names none. */
  readonly paosUrl?: URL;
  readonly tls: { readonly key: string; readonly certificate: string; readonly authority: string };
  readonly signing: SigningKey;
  /** What the server signs with; two while it changes its key. */
  readonly serverCertificates: readonly string[];
};

type Parts = {
  readonly now: () => Date;
  /** Whether this name is used for the first time, on any node. */
  readonly once: (mark: string, ttlSeconds: number) => Promise<boolean>;
  readonly log: { warn(details: object, message: string): void };
};

/** Nothing came back, or nothing that may be believed: told to citizens as an outage, to operators by the log. */
export type Unavailable = { readonly outcome: 'unavailable'; readonly reason: 'down' | 'untrusted' };

/** The bridge to an eID-Server. No call holds anything but its own socket while it waits. */
export type EidServer = {
  /** Opens a session for what a card shall be asked. */
  useId(question: CardQuestion): Promise<(UseId & { serverAddress: string }) | Refused | Unavailable>;
  /** Fetches what the card said; any answer but `noResultYet` ends the session. */
  getResult(session: string, counter: number): Promise<CardAnswer | Refused | Unavailable>;
  getServerInfo(): Promise<{ outcome: 'info'; version: string } | Unavailable>;
  /** Whether citizens may be offered the Online-Ausweis now. */
  up(): boolean;
  close(): void;
};

/** One SOAP call. Rejects on any outage, and on an answer that is no SOAP. */
const post = async (url: URL, agent: Agent, envelope: string): Promise<string> => {
  const headers = { 'content-type': 'text/xml; charset=utf-8', soapaction: '""' };
  const { status, body } = await callSource(url, { method: 'POST', agent, headers, body: envelope });
  // SOAP 1.1 §6.2: faults come with 500, and a signed refusal may come so as well; the signature decides.
  if (status !== 200 && status !== 500) throw new Unreachable(`status ${status}`);
  return body.toString('utf8');
};

export const createEidServer = (settings: EidServerSettings, { now, once, log }: Parts): EidServer => {
  const agent = new Agent({
    key: settings.tls.key,
    cert: settings.tls.certificate,
    ca: settings.tls.authority,
    minVersion: 'TLSv1.2',
    // A kept connection that the server closes at this very moment would lose a call, and none may be repeated: the
    // counter of a session moves with each. TLS sessions are resumed all the same.
    keepAlive: false,
  });
  const circuit = createCircuit(() => now().getTime());

  /** Asks and opens the answer. `replayable` tells which answers are worth nothing to who sends them again. */
  const call = async <T>(
    message: string,
    read: (body: Element) => T,
    replayable: (answer: T) => boolean = () => false,
  ): Promise<T | Unavailable> => {
    try {
      const answered = await circuit.run(async () => {
        const askedAt = now();
        const xml = await post(settings.url, agent, sealEnvelope(message, settings.signing, askedAt));
        const opened = openEnvelope(xml, settings.serverCertificates, askedAt, now());
        const answer = read(opened.body);
        if (!replayable(answer) && !(await once(opened.mark, opened.ttlSeconds))) throw new Untrusted('replayed');
        return answer;
      });
      return answered.outcome === 'answered' ? answered.value : { outcome: 'unavailable', reason: 'down' };
    } catch (error) {
      const untrusted = error instanceof Untrusted || error instanceof XmlFault;
      const reason = untrusted ? 'untrusted' : 'down';
      log.warn(
        { source: 'eid', reason, detail: (error as Error).message },
        'the eID-Server gave no answer that counts',
      );
      return { outcome: 'unavailable', reason };
    }
  };

  return {
    async useId(question) {
      const answer = await call(useIdRequest(question), useIdResponse);
      if (answer.outcome !== 'session') return answer;
      const serverAddress = answer.serverAddress ?? settings.paosUrl?.href;
      if (serverAddress === undefined || !URL.canParse(serverAddress) || new URL(serverAddress).protocol !== 'https:') {
        log.warn({ source: 'eid', reason: 'untrusted' }, 'the eID-Server names no https address for the card');
        return { outcome: 'unavailable', reason: 'untrusted' };
      }
      return { ...answer, serverAddress };
    },
    getResult: (session, counter) =>
      call<CardAnswer | Refused>(
        getResultRequest(session, counter),
        getResultResponse,
        (answer) => answer.outcome === 'refused' && answer.fault === 'noResultYet',
      ),
    async getServerInfo() {
      const answer = await call(getServerInfoRequest(), getServerInfoResponse);
      return 'version' in answer ? { outcome: 'info', ...answer } : answer;
    },
    up: circuit.up,
    close: () => agent.destroy(),
  };
};
