import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Imports, re-exports, `require.resolve`, and files named as siblings (`new URL('./worker.ts', import.meta.url)`). */
const IMPORTS = /(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire(?:\.resolve)?\(\s*|\bnew URL\(\s*)'([^'\n]+)'/g;
const TYPE_ONLY = /^(?:import|export) type\b[^;]*;$/gms;

/** The files of ours that a program loads, and the packages that they name. */
export const importGraph = (entry: string): { files: ReadonlySet<string>; packages: ReadonlySet<string> } => {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    if (!file.endsWith('.ts')) return;
    for (const [, name = ''] of readFileSync(file, 'utf8').replaceAll(TYPE_ONLY, '').matchAll(IMPORTS)) {
      if (name.startsWith('.')) {
        const path = resolve(dirname(file), name);
        if (name.endsWith('.ts') && existsSync(path)) visit(path);
      } else if (!name.startsWith('node:')) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
    }
  };
  visit(resolve(entry));
  return { files, packages };
};
