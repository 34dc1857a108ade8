import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Document, isMap, isScalar, isSeq, parseDocument, type Scalar, visit } from 'yaml';
import type { Town } from '../accounts/town.ts';

const TOWNS = fileURLToPath(new URL('../infra/towns/', import.meta.url));
const PRESETS = join(TOWNS, 'presets');
const SCHEMA = join(TOWNS, 'service.schema.json');

/** What a person says of a new service. */
export type NewService = {
  readonly clientId: string;
  readonly preset: string;
  /** Where it is reached; undefined for what has no address (a device). */
  readonly url: URL | undefined;
  readonly organisation: string;
  readonly name: string;
  readonly contact: string;
};

/** The presets by name. */
export const presetNames = (): string[] =>
  readdirSync(PRESETS)
    .flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : []))
    .sort();

const read = (preset: string): Document => parseDocument(readFileSync(join(PRESETS, `${preset}.yaml`), 'utf8'));

/** Whether a preset has addresses that must be replaced by the service's own. */
export const needsUrl = (preset: string): boolean => String(read(preset)).includes(placeOf(preset).origin);

/** The organisation that a preset names. */
export const organisationOf = (preset: string): string => String(read(preset).get('organisation'));

/** Each preset stands at an address of its own, from which its placeholders are told. */
const placeOf = (preset: string) => ({
  origin: `https://${preset}.stadt.example`,
  host: `${preset}.stadt.example`,
  scheme: `de.example.${preset}:`,
});

/** `https://app.stadt.example` → `de.stadt.app`-like: the reversed host, as an app's own scheme (RFC 8252 §7.1). */
const reversed = (url: URL): string | undefined =>
  url.hostname.includes('.') ? `${url.hostname.split('.').reverse().join('.')}:` : undefined;

const inPlace = (text: string, preset: string, url: URL): string | undefined => {
  const place = placeOf(preset);
  const base = url.href.replace(/\/$/, '');
  if (text.startsWith(place.scheme)) {
    const scheme = reversed(url);
    return scheme === undefined ? undefined : text.replace(place.scheme, scheme);
  }
  return text.replaceAll(place.origin, base);
};

/** Takes out the languages that the town does not speak; what is missing is told by the check. */
const keepLanguages = (document: Document, languages: readonly string[]): void =>
  visit(document, {
    Map(_key, map) {
      const names = map.items.map(({ key }) => String(isScalar(key) ? key.value : key));
      if (!names.includes('de') || !names.every((name) => /^[a-z]{2,3}$/.test(name))) return;
      map.items = map.items.filter((_, index) => languages.includes(names[index] ?? ''));
    },
  });

const setName = (document: Document, name: string, before: Record<string, string>): void => {
  for (const field of ['name', 'description']) {
    const texts = document.get(field);
    if (!isMap(texts)) continue;
    for (const { key, value } of texts.items) {
      const old = before[String(isScalar(key) ? key.value : key)];
      if (isScalar(value) && old !== undefined) value.value = String(value.value).replace(old, name);
    }
  }
};

/** The preset's own first lines tell how it is copied by hand; other comments of it stay. */
const setHead = (document: Document, preset: string, folder: string): void => {
  const [first] = isMap(document.contents) ? document.contents.items : [];
  const carrier = isScalar(first?.key) && first.key.commentBefore ? first.key : document.contents;
  const rest = (carrier?.commentBefore ?? '')
    .split('\n')
    .filter((line) => !/^ (yaml-language-server:|Preset:)/.test(line) && line.trim() !== '');
  const head = [` From the preset ${preset}; the settings of the product: docs/rezepte/${preset}.md`, ...rest];
  // A town outside of this checkout is worked on elsewhere, where the way to the schema is another one.
  const inside = resolve(folder).startsWith(TOWNS);
  const all = inside ? [` yaml-language-server: $schema=${relative(folder, SCHEMA)}`, ...head] : head;
  if (carrier !== null) carrier.commentBefore = all.join('\n');
};

/**
 * The file of a new service: its preset with the service's own name and addresses in place of the preset's; everything
 * else, comments too, stays as it is there.
 * @param folder in which the file will lie, for the way to the schema
 */
export const newServiceFile = (service: NewService, town: Town, folder: string): string => {
  const { preset, url } = service;
  const document = read(preset);
  const before = (document.get('name') as { toJSON(): Record<string, string> }).toJSON();
  setHead(document, service.preset, folder);
  document.set('client_id', service.clientId);
  document.set('organisation', service.organisation);
  setName(document, service.name, before);
  keepLanguages(document, town.languages);
  visit(document, {
    Seq(_key, list) {
      if (url === undefined) return;
      list.items = list.items.filter(
        (item) => !isScalar(item) || typeof item.value !== 'string' || inPlace(item.value, preset, url) !== undefined,
      );
    },
    Scalar(_key, scalar: Scalar) {
      if (url !== undefined && typeof scalar.value === 'string')
        scalar.value = inPlace(scalar.value, preset, url) ?? scalar.value;
    },
  });
  const origins = document.get('cors_origins');
  if (url !== undefined && isSeq(origins)) origins.items = [document.createNode(url.origin)];
  document.set('contacts', [service.contact]);
  return document.toString({ lineWidth: 0 });
};
