import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIOME = path.join(
  path.dirname(createRequire(import.meta.url).resolve('@biomejs/biome/package.json')),
  'bin',
  'biome',
);

/** What the linter, with this project's settings, says about files of these names and texts: file → diagnostics. */
const lint = async (probes: Record<string, string>): Promise<(file: string) => string> => {
  const folder = mkdtempSync(path.join(tmpdir(), 'stadtschluessel-lint-'));
  cpSync(path.join(ROOT, 'biome.json'), path.join(folder, 'biome.json'));
  cpSync(path.join(ROOT, 'infra/lint'), path.join(folder, 'infra/lint'), { recursive: true });
  for (const [file, text] of Object.entries(probes)) {
    mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  }
  const said = await new Promise<string>((resolve) => {
    const args = [BIOME, 'lint', '--vcs-enabled=false', '--max-diagnostics=none', '--reporter=github', '.'];
    execFile(process.execPath, args, { cwd: folder }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
  rmSync(folder, { recursive: true });
  return (file) =>
    said
      .split('\n')
      .filter((line) => line.includes(file))
      .join('\n');
};

const code = (source: string): string => `import { thing } from '${source}';\nexport const mine = thing;\n`;
const types = (source: string): string => `import type { Thing } from '${source}';\nexport type Mine = Thing;\n`;

test('the linter refuses every import against the directions of the folders', async (t) => {
  const forbidden: [folder: string, ...sources: string[]][] = [
    ['keys', '../accounts/context.ts', '../adapters/log.ts', '../provider/app.ts', '../infra/sandbox/main.ts'],
    ['accounts', '../adapters/log.ts', '../interactions/routes.ts', '../provider/app.ts', '../test/harness/town.ts'],
    ['adapters', '../interactions/http.ts', '../provider/app.ts', '../infra/sandbox/main.ts'],
    ['interactions', '../provider/app.ts', '../infra/sandbox/main.ts'],
    ['interactions/steps', '../../provider/app.ts', '../../admin-cli/main.ts'],
    ['provider', '../infra/sandbox/main.ts', '../test/harness/town.ts', '../admin-cli/main.ts'],
    ['provider/admin-api', '../../infra/sandbox/main.ts'],
    ['admin-cli', '../provider/app.ts', '../interactions/routes.ts'],
  ];
  const cases = forbidden.flatMap(([folder, ...sources]) =>
    sources.flatMap((source, index) => [
      [`${folder}/code-${index}.ts`, code(source)] as const,
      [`${folder}/types-${index}.ts`, types(source)] as const,
    ]),
  );
  const about = await lint(Object.fromEntries(cases));
  for (const [file, text] of cases) t.regex(about(file), /noRestrictedImports/, text);
});

test('the linter lets types, but no code, of the inner folders into adapters and pages', async (t) => {
  const sources: [folder: string, source: string][] = [
    ['adapters', '../accounts/context.ts'],
    ['adapters', '../keys/keys.ts'],
    ['interactions', '../adapters/oidc-store.ts'],
    ['interactions/steps', '../../keys/keys.ts'],
  ];
  const file = (folder: string, source: string, kind: string): string =>
    `${folder}/${kind}-${path.basename(source)}`.replace(/\.ts$/, '-probe.ts');
  const about = await lint(
    Object.fromEntries(
      sources.flatMap(([folder, source]) => [
        [file(folder, source, 'code'), code(source)],
        [file(folder, source, 'types'), types(source)],
      ]),
    ),
  );
  for (const [folder, source] of sources) {
    t.regex(about(file(folder, source, 'code')), /Only types may be imported/);
    t.is(about(file(folder, source, 'types')), '');
  }
});

test('the linter lets the permitted directions pass', async (t) => {
  const probes = {
    'accounts/probe.ts': code('../keys/keys.ts'),
    'interactions/probe.ts': code('../accounts/context.ts'),
    'provider/probe.ts': code('../interactions/routes.ts'),
    'infra/sandbox/probe.ts': code('../../provider/app.ts'),
  };
  const about = await lint(probes);
  for (const file of Object.keys(probes)) t.is(about(file), '');
});

test('the linter refuses unescaped HTML and forgotten promises', async (t) => {
  const about = await lint({
    'interactions/raw.view.ts': "import { raw } from 'hono/html';\nexport const page = raw('<b>');\n",
    'interactions/all.view.ts': "import * as hono from 'hono/html';\nexport const page = hono.raw('<b>');\n",
    'provider/promise.ts': 'const work = async (): Promise<void> => {};\nwork();\n',
  });
  t.regex(about('raw.view.ts'), /noRestrictedImports/);
  t.regex(about('all.view.ts'), /noRestrictedImports/);
  t.regex(about('promise.ts'), /noFloatingPromises/);
});
