/** `npm run cluster`: the town on several machines' worth of programs, on this one; `-- drill` breaks them one by one. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const USAGE = `npm run cluster -- [drill] [options]
  --nodes N       provider nodes, 2 by default
  --port N        first of 100 ports on loopback, 21000 by default
  --folder PATH   data and logs, removed at the end
  --town FILE     town.yaml
drill:
  --sign-ins N    password sign-ins a second, 10 by default
  --tokens N      refreshed tokens a second, 100 by default
  --only NAME     one fault, as the report names it; may be given again
  --json FILE     figures as JSON
`;

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      nodes: { type: 'string', default: '2' },
      port: { type: 'string', default: '21000' },
      folder: { type: 'string', default: join(tmpdir(), 'stadtschluessel-cluster') },
      town: { type: 'string', default: fileURLToPath(new URL('../towns/guetersloh/town.yaml', import.meta.url)) },
      'sign-ins': { type: 'string', default: '10' },
      tokens: { type: 'string', default: '100' },
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [what = 'up', ...rest] = positionals;
  if (values.help === true || rest.length > 0 || !['up', 'drill'].includes(what)) {
    process.stdout.write(USAGE);
    process.exitCode = values.help === true ? 0 : 2;
    return;
  }
  const { startCluster } = await import('./cluster.ts');
  const { APP, runDrill } = await import('./drill.ts');
  const began = Date.now();
  const since = (): string => `${((Date.now() - began) / 1000).toFixed(1)} s`;
  const cluster = await startCluster({
    folder: values.folder,
    basePort: Number(values.port),
    nodes: Number(values.nodes),
    townFile: values.town,
    more: [APP],
    say: (line) => console.log(`${since().padStart(8)}  ${line}`),
  });
  const asked = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  try {
    console.log(`${since().padStart(8)}  ready: ${cluster.issuer}`);
    if (what === 'drill') {
      const good = await runDrill(cluster, {
        signIns: Number(values['sign-ins']),
        tokens: Number(values.tokens),
        json: values.json,
        ...(values.only && { only: values.only }),
      });
      process.exitCode = good ? 0 : 1;
    } else {
      for (const { registration, base } of cluster.services.slice(0, 3))
        console.log(`  ${registration.name.de.padEnd(20)} ${base.href}`);
      console.log(`  ${'Mail'.padEnd(20)} http://localhost:${cluster.places.inbox}/`);
      for (const { identifier, password } of cluster.citizens) console.log(`  ${identifier.padEnd(36)} ${password}`);
      console.log(`  Logs: ${cluster.logs}. Ctrl-C ends and removes everything.`);
      await asked;
    }
  } finally {
    await cluster.stop();
  }
};

try {
  await run();
} catch (error) {
  const expected = error instanceof Error && error.name === 'Obstacle';
  console.error(expected ? error.message : error);
  process.exitCode = 1;
}
process.exit();
