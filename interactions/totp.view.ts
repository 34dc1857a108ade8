import qrcode from 'qrcode';
import * as totp from '../accounts/totp.ts';
import { type Html, html } from './html.ts';
import type { Texts } from './texts/de.ts';

const QUIET_ZONE = 4; // ISO/IEC 18004: modules that stay white around the symbol

/** A QR code as one path; no image and no style, so that the page's policy stays as it is. */
const qr = (text: string, label: string): Html => {
  const { data, size } = qrcode.create(text, { errorCorrectionLevel: 'M' }).modules;
  const path: string[] = [];
  for (let at = 0; at < data.length; at += 1) {
    if (data[at]) path.push(`M${(at % size) + QUIET_ZONE} ${Math.floor(at / size) + QUIET_ZONE}h1v1h-1z`);
  }
  const side = size + 2 * QUIET_ZONE;
  return html`<svg class="ss-qr" role="img" aria-label="${label}" viewBox="0 0 ${side} ${side}" width="240" height="240"><rect width="${side}" height="${side}" fill="#fff" /><path fill="#000" d="${path.join('')}" /></svg>`;
};

/** The secret of an authenticator app, to be photographed or typed in. */
export const appSecret = (
  t: Texts,
  secret: string,
  issuer: string,
  label: string,
): Html => html`<h2 class="kern-heading-small">${t.konto.totp.step1}</h2>
    ${qr(totp.addressOf(secret, issuer, label), t.konto.totp.qr)}
    <p class="kern-body">${t.konto.totp.orType}<br><code>${(secret.match(/.{1,4}/g) ?? []).join(' ')}</code></p>`;
