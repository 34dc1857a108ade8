/** How one field of a request is read: the value, or undefined if it is not acceptable. */
type Read<T> = (value: unknown) => T | undefined;
export type Field<T> = { readonly read: Read<T>; readonly required: boolean };

type Fields = Readonly<Record<string, Field<unknown>>>;
type Parsed<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends { required: true; read: Read<infer T> }
    ? T
    : F[K] extends { read: Read<infer T> }
      ? T | undefined
      : never;
};

const required = <T>(read: Read<T>) => ({ read, required: true }) as const;

/** Makes a field that may be left out. */
export const optional = <T>({ read }: Field<T>) => ({ read, required: false }) as const;

/** One line of text. */
export const text = (max: number, pattern = /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u) =>
  required((value): string | undefined => {
    if (typeof value !== 'string') return undefined;
    const trimmed = value.trim().normalize('NFC');
    return trimmed.length > 0 && trimmed.length <= max && pattern.test(trimmed) ? trimmed : undefined;
  });

/** One of a closed list. */
export const oneOf = <const T extends string>(values: readonly T[]) =>
  required((value): T | undefined => values.find((one) => one === value));

/** Some of a closed list, at least one, each once. */
export const someOf = <const T extends string>(values: readonly T[]) =>
  required((value): T[] | undefined => {
    if (!Array.isArray(value) || value.length === 0 || new Set(value).size !== value.length) return undefined;
    return value.every((item) => values.includes(item as T)) ? (value as T[]) : undefined;
  });

/** A number between two others. */
export const integer = (min: number, max: number) =>
  required((value): number | undefined =>
    Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max ? Number(value) : undefined,
  );

export const flag = required((value): boolean | undefined => (typeof value === 'boolean' ? value : undefined));

/** A point in time, ISO 8601. */
export const time = required((value): Date | undefined => {
  if (typeof value !== 'string' || value.length > 40) return undefined;
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? undefined : at;
});

/** Whatever a function makes of it. */
export const parsed = <T>(read: Read<T>) => required(read);

/** Reads a request's fields, all faults at once; a field that is not known is a fault. */
export const readInput = <F extends Fields>(fields: F, input: unknown): { input: Parsed<F> } | { faults: string[] } => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return { faults: ['(body)'] };
  const given = input as Record<string, unknown>;
  const faults = Object.keys(given).filter((name) => !Object.hasOwn(fields, name));
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (field.required) faults.push(name);
      continue;
    }
    const read = field.read(value);
    if (read === undefined) faults.push(name);
    else values[name] = read;
  }
  return faults.length > 0 ? { faults } : { input: values as Parsed<F> };
};
