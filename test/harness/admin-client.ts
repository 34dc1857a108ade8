/** Calls of the admin API by members of staff, each with a token and a key of their own; and what goes wrong with them. */
import { randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { AccountId } from '../../accounts/ids.ts';
import type { RunningTown } from './town.ts';

export type Answer = { readonly status: number; readonly body: Record<string, unknown>; readonly headers: Headers };

export type Twist = {
  readonly token?: string;
  readonly scheme?: string;
  readonly proof?: string | null;
  readonly claims?: Record<string, unknown>;
  readonly typ?: string;
  readonly method?: string;
  readonly contentType?: string;
};

const sha256 = async (text: string): Promise<string> =>
  Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('base64url');

export class AdminClient {
  readonly #town: RunningTown;
  readonly #keys: Awaited<ReturnType<typeof generateKeyPair>>;
  readonly token: string;
  readonly grantId: string;
  /** Epoch milliseconds. */
  readonly #expiresAt: number;

  private constructor(
    town: RunningTown,
    keys: Awaited<ReturnType<typeof generateKeyPair>>,
    token: string,
    grantId: string,
    expiresAt: number,
  ) {
    this.#expiresAt = expiresAt;
    this.#town = town;
    this.#keys = keys;
    this.token = token;
    this.grantId = grantId;
  }

  /** A token as a sign-in would have brought it; `changes` makes it another one. */
  static async of(
    town: RunningTown,
    account: AccountId,
    changes: { aud?: string | string[]; clientId?: string; scope?: string; bound?: boolean; seconds?: number } = {},
  ): Promise<AdminClient> {
    const provider = town.app.provider();
    const clientId = changes.clientId ?? 'verwaltung';
    const client = await provider.Client.find(clientId);
    if (client === undefined) throw new Error(`no client ${clientId}`);
    const seconds = changes.seconds ?? 600;
    const keys = await generateKeyPair('ES256', { extractable: true });
    const grant = new provider.Grant({ accountId: account, clientId, expiresIn: 3600 } as never);
    grant.addResourceScope(`${town.issuer}/admin/api`, 'verwaltung');
    const grantId = await grant.save();
    const token = new provider.AccessToken({
      accountId: account,
      client,
      grantId,
      gty: 'authorization_code',
      expiresIn: seconds,
      scope: changes.scope ?? 'verwaltung',
      aud: changes.aud ?? `${town.issuer}/admin/api`,
      ...(changes.bound !== false && { jkt: await calculateJwkThumbprint(await exportJWK(keys.publicKey)) }),
    } as never);
    return new AdminClient(town, keys, await token.save(), grantId, Date.now() + seconds * 1000);
  }

  async proof(verb: string, twist: Twist = {}): Promise<string> {
    return new SignJWT({
      htm: 'POST',
      htu: this.#url(verb),
      jti: randomUUID(),
      ath: await sha256(twist.token ?? this.token),
      ...twist.claims,
    })
      .setProtectedHeader({ alg: 'ES256', typ: twist.typ ?? 'dpop+jwt', jwk: await exportJWK(this.#keys.publicKey) })
      .setIssuedAt((twist.claims?.['iat'] as number | undefined) ?? Math.floor(Date.now() / 1000))
      .sign(this.#keys.privateKey);
  }

  /** What the command line keeps of a sign-in. */
  async session(): Promise<string> {
    return JSON.stringify({
      server: this.#town.issuer,
      publicKey: await exportJWK(this.#keys.publicKey),
      privateKey: await exportJWK(this.#keys.privateKey),
      accessToken: this.token,
      expiresAt: this.#expiresAt,
    });
  }

  #url(verb: string): string {
    return `${this.#town.issuer}/admin/api/${verb.replace(' ', '/')}`;
  }

  async call(verb: string, body: unknown = {}, twist: Twist = {}): Promise<Answer> {
    const proof = twist.proof === undefined ? await this.proof(verb, twist) : twist.proof;
    const answer = await fetch(this.#url(verb), {
      method: twist.method ?? 'POST',
      headers: {
        authorization: `${twist.scheme ?? 'DPoP'} ${twist.token ?? this.token}`,
        'content-type': twist.contentType ?? 'application/json',
        ...(proof !== null && { dpop: proof }),
      },
      ...(twist.method === 'GET' ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : { text }, headers: answer.headers };
  }
}
