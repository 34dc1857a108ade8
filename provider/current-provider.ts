import { type Configuration, type JWKS, Provider } from 'oidc-provider';
import type { Context } from '../accounts/context.ts';
import * as signingKeys from '../accounts/signing-keys.ts';
import type { SigningAlgorithm } from '../keys/signing-keys.ts';
import { answerAcr } from './assurance.ts';
import { compareHashedSecret } from './configuration.ts';
import type { DirectAnswers } from './direct/direct.ts';
import { createDocuments, type Documents } from './documents.ts';
import { signingKey } from './sync-signing-key.ts';

type CurrentProviderParts = {
  issuer: URL;
  context: () => Context;
  /** Algorithms that there must be a key for. */
  algorithms: () => readonly SigningAlgorithm[];
  configuration: (jwks: JWKS) => Configuration;
  /** Attaches middleware and listeners to each new instance. */
  equip: (provider: Provider) => void;
  /** What of an instance's requests is answered without its middleware. */
  direct: (provider: Provider, settings: Configuration) => DirectAnswers;
};

type RequestHandler = ReturnType<Provider['callback']>;

/**
 * The oidc-provider instance in use. Its key store is built in its constructor, so new signing keys mean a new instance;
 * requests under way end on the instance they began with.
 */
export class CurrentProvider {
  #provider: Provider | undefined;
  #handler: RequestHandler | undefined;
  #direct: DirectAnswers | undefined;
  #documents: Documents = () => false;
  #keys = '';
  #refreshing: Promise<void> = Promise.resolve();
  readonly #parts: CurrentProviderParts;

  constructor(parts: CurrentProviderParts) {
    this.#parts = parts;
  }

  get instance(): Provider {
    if (this.#provider === undefined) throw new Error('the provider has no signing keys yet');
    return this.#provider;
  }

  get handler(): RequestHandler {
    if (this.#handler === undefined) throw new Error('the provider has no signing keys yet');
    return this.#handler;
  }

  get direct(): DirectAnswers {
    if (this.#direct === undefined) throw new Error('the provider has no signing keys yet');
    return this.#direct;
  }

  /** Discovery and JWKS of the instance in use. */
  get documents(): Documents {
    return this.#documents;
  }

  /** Creates the keys that are due, reads those in force and builds a new instance if they changed. */
  refresh(): Promise<void> {
    // One after another: an older reading must not replace a newer one.
    const refreshed = this.#refreshing.then(() => this.#refresh());
    this.#refreshing = refreshed.catch(() => {});
    return refreshed;
  }

  /** Builds a new instance, as settings have changed. */
  rebuild(): Promise<void> {
    this.#keys = '';
    return this.refresh();
  }

  async #refresh(): Promise<void> {
    const ctx = this.#parts.context();
    await signingKeys.ensure(ctx, this.#parts.algorithms());
    const keys = await signingKeys.load(ctx);
    const fingerprint = keys.map(({ kid, state }) => `${kid} ${state}`).join('\n');
    if (fingerprint === this.#keys) return;

    const { issuer, configuration, equip, direct } = this.#parts;
    const jwks = { keys: keys.map(({ kid, alg, privateJwk }) => signingKey(kid, alg, privateJwk)) };
    const settings = configuration(jwks);
    const provider = new Provider(issuer.origin, settings);
    // The guard in http.ts has replaced what came from outside by what the issuer says.
    provider.proxy = true;
    provider.Client.prototype.compareClientSecret = compareHashedSecret;
    answerAcr(provider);
    equip(provider);
    const handler = provider.callback();
    this.#documents = await createDocuments(handler, issuer);
    this.#provider = provider;
    this.#handler = handler;
    this.#direct = direct(provider, settings);
    this.#keys = fingerprint;
  }
}
