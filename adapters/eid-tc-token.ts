import { escapeXml } from './xml.ts';

/** TR-03124-1 §2.4: what AusweisApp fetches to reach the eID-Server and to lead the citizen back. */
export type TcToken = {
  /** Where the eID-Server awaits the card (PAOS). */
  readonly serverAddress: string;
  readonly psk: { readonly id: string; readonly key: string };
  readonly refreshAddress: string;
  readonly errorAddress: string;
};

/** The token as AusweisApp reads it: exactly this binding and path security, hexadecimal key of even length. */
export const tcTokenXml = ({ serverAddress, psk, refreshAddress, errorAddress }: TcToken): string => {
  const element = (name: string, text: string): string => `<${name}>${escapeXml(text)}</${name}>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<TCTokenType>${[
    element('ServerAddress', serverAddress),
    element('SessionIdentifier', psk.id),
    element('RefreshAddress', refreshAddress),
    element('CommunicationErrorAddress', errorAddress),
    element('Binding', 'urn:liberty:paos:2006-08'),
    element('PathSecurity-Protocol', 'urn:ietf:rfc:4279'),
    `<PathSecurity-Parameters>${element('PSK', psk.key)}</PathSecurity-Parameters>`,
  ].join('')}</TCTokenType>\n`;
};

/** Where a browser finds the eID-Client of its own device (TR-03124-1 §2.1, §2.2). */
export const activationLinks = (client: string, tcTokenUrl: URL): { desktop: string; mobile: string } => {
  const query = `?tcTokenURL=${encodeURIComponent(tcTokenUrl.href)}`;
  return { desktop: `${client}${query}`, mobile: `eid://127.0.0.1:24727/eID-Client${query}` };
};

/** The eID-Client's port on every desktop (TR-03124-1 §2.1). */
export const EID_CLIENT = 'http://127.0.0.1:24727/eID-Client';
