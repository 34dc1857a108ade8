import { readFileSync } from 'node:fs';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { type Document, isMap, isNode, isScalar, LineCounter, parseDocument, type YAMLMap } from 'yaml';

/** A fault in a file of the town, placed for people and editors; line and column count from 1. */
export type TownFault = {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly reason: string;
  /** How it looks when it is right. */
  readonly example?: string;
};

type Path = readonly (string | number)[];
type Schema = { [keyword: string]: unknown; properties?: Record<string, Schema>; examples?: unknown[] };

/** One YAML file with the means to say where a value stands. */
export class TownSource {
  readonly file: string;
  readonly faults: TownFault[] = [];
  readonly #document: Document;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, version: '1.2' });
    for (const problem of [...this.#document.errors, ...this.#document.warnings]) {
      const { line, col } = this.#lines.linePos(problem.pos[0]);
      this.faults.push({ file, line, column: col, reason: `not readable as YAML: ${problem.message}` });
    }
  }

  /** The parsed value; undefined when the file is not readable as YAML or uses too many aliases. */
  value(): unknown {
    if (this.faults.length > 0) return undefined;
    try {
      return this.#document.toJS({ maxAliasCount: 20 });
    } catch (error) {
      this.fault([], `not readable as YAML: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Notes a fault at the value of a path, or at its nearest parent that exists. */
  fault(path: Path, reason: string, example?: string): void {
    this.#push(this.#valueOffset(path), reason, example);
  }

  /** Notes a fault at a key inside the map of a path. */
  faultAtKey(path: Path, key: string, reason: string, example?: string): void {
    this.#push(this.#keyOffset(path, key) ?? this.#valueOffset(path), reason, example);
  }

  #push(offset: number, reason: string, example?: string): void {
    const { line, col } = this.#lines.linePos(offset);
    const place = { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1) };
    this.faults.push(example === undefined ? { ...place, reason } : { ...place, reason, example });
  }

  #valueOffset(path: Path): number {
    for (let depth = path.length; depth >= 0; depth--) {
      const node = depth === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, depth), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  }

  #keyOffset(path: Path, key: string): number | undefined {
    const map = path.length === 0 ? this.#document.contents : this.#document.getIn(path, true);
    if (!isMap(map)) return undefined;
    const pair = (map as YAMLMap).items.find(({ key: name }) => isScalar(name) && String(name.value) === key);
    return isScalar(pair?.key) ? pair.key.range?.[0] : undefined;
  }
}

/** Reads a file; that it cannot be read is a fault in it. */
export const readSource = (file: string): TownSource => {
  try {
    return new TownSource(file, readFileSync(file, 'utf8'));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const source = new TownSource(file, '');
    source.fault(
      [],
      code === 'ENOENT' ? 'the file does not exist' : `the file cannot be read (${code ?? String(error)})`,
    );
    return source;
  }
};

/** Checks a file against its schema and notes all faults in it; true when there was none. */
export const checkSchema = (source: TownSource, validate: ValidateFunction, value: unknown): boolean => {
  if (validate(value)) return true;
  for (const error of validate.errors ?? []) noteSchemaFault(source, error);
  return false;
};

const noteSchemaFault = (source: TownSource, error: ErrorObject): void => {
  const path = segments(error.instancePath);
  const schema = (error.parentSchema ?? {}) as Schema;
  const parameters = error.params as Record<string, unknown>;
  const what = named(path);
  const meaning = typeof schema['description'] === 'string' ? ` (${schema['description']})` : '';
  switch (error.keyword) {
    case 'required': {
      const missing = String(parameters['missingProperty']);
      const wanted = schema.properties?.[missing];
      source.fault(path, `${named([...path, missing])} is missing`, exampleOf(missing, wanted));
      return;
    }
    case 'additionalProperties': {
      const unknown = String(parameters['additionalProperty']);
      const known = Object.keys(schema.properties ?? {});
      const near = nearest(unknown, known);
      const hint = near === undefined ? `known are: ${known.join(', ')}` : `did you mean ${near}?`;
      source.faultAtKey(path, unknown, `${named([...path, unknown])} is not known here; ${hint}`);
      return;
    }
    case 'enum':
      source.fault(
        path,
        `${what} must be one of: ${(schema['enum'] as unknown[]).join(', ')}`,
        exampleAt(path, schema),
      );
      return;
    case 'type': {
      const quotes = parameters['type'] === 'string' ? ', so put it in quotes' : '';
      source.fault(
        path,
        `${what} must be ${aOrAn(String(parameters['type']))}${quotes}${meaning}`,
        exampleAt(path, schema),
      );
      return;
    }
    case 'pattern':
      source.fault(path, `${what} does not have the right form${meaning}`, exampleAt(path, schema));
      return;
    default:
      source.fault(path, `${what} ${error.message ?? 'is wrong'}${meaning}`, exampleAt(path, schema));
  }
};

const segments = (pointer: string): (string | number)[] =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));

/** `['claims', 0, 'purpose']` → `claims[0].purpose` */
const named = (path: Path): string =>
  path.length === 0
    ? 'the file'
    : path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');

const exampleAt = (path: Path, schema: Schema): string | undefined => {
  const last = path.at(-1);
  return typeof last === 'number' ? exampleOf('-', schema) : exampleOf(last === undefined ? '' : String(last), schema);
};

const exampleOf = (name: string, schema: Schema | undefined): string | undefined => {
  const resolved = schema?.['$ref'] === undefined ? schema : undefined;
  const [example] = resolved?.examples ?? (REFERENCED[String(schema?.['$ref'])] as unknown[] | undefined) ?? [];
  if (example === undefined) return undefined;
  const text = flow(example);
  return name === '' ? text : name === '-' ? `- ${text}` : `${name}: ${text}`;
};

// The few shared definitions of the schemas; ajv hands over the schema with its unresolved reference for a missing field.
const REFERENCED: Readonly<Record<string, unknown[]>> = {
  '#/definitions/text': [{ de: 'Stadtbibliothek', en: 'City library' }],
  '#/definitions/page': ['https://www.stadt.example/impressum'],
  '#/definitions/uri': ['https://katalog.stadt.example/oidc/callback'],
};

const flow = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${flow(inner)}`)
      .join(', ')} }`;
  }
  return typeof value === 'string' && (/^[\d.]+$/.test(value) || /[,:#[\]{}]/.test(value))
    ? JSON.stringify(value)
    : String(value);
};

const aOrAn = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);

/** The known name within two edits, for misspellings. */
const nearest = (name: string, known: readonly string[]): string | undefined => {
  const simple = (text: string) => text.toLowerCase().replaceAll(/[^a-z]/g, '');
  return known.find((other) => simple(other) === simple(name)) ?? known.find((other) => edits(name, other) <= 2);
};

const edits = (left: string, right: string): number => {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const change = left[i - 1] === right[j - 1] ? 0 : 1;
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + change));
    }
    row = next;
  }
  return row[right.length] ?? 0;
};
