/** `npm start`: the town on this machine. Only Node's own modules are loaded before its version has been looked at. */
import process from 'node:process';

const NODE_MAJOR = 26;
/** npm hands Ctrl-C on to its child, which the terminal has told already: that is one press. */
const SAME_PRESS_MS = 700;

const KEEP_ALIVE_MS = 3_600_000;

const run = async (): Promise<void> => {
  const { readOptions } = await import('./options.ts');
  const options = readOptions(process.env, process.argv.slice(2));
  const { startSandbox } = await import('./sandbox.ts');

  let stopRequestedAt: number | undefined;
  const requested = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const now = Date.now();
      if (stopRequestedAt !== undefined && now - stopRequestedAt > SAME_PRESS_MS) process.exit(130);
      stopRequestedAt ??= now;
      requested.resolve();
    });
  }

  // While things start and stop, nothing else may be there that keeps the process going.
  setInterval(() => {}, KEEP_ALIVE_MS);
  const sandbox = await startSandbox(options);
  console.log(sandbox.summary);
  const why = await Promise.race([
    requested.promise.then(() => 'asked' as const),
    sandbox.databaseEnded.then(() => 'database' as const),
  ]);
  if (why === 'asked') console.log('\nStopping. Once more Ctrl-C does not wait.');
  else console.error('\nThe database has ended by itself; the sandbox stops. Start it again with npm start.');
  await sandbox.stop();
  process.exit(why === 'asked' ? 0 : 1);
};

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
  console.error(
    `Stadtschlüssel needs Node ${NODE_MAJOR}, this is ${process.version}: start it with npm start, which brings its own after npm ci.`,
  );
  process.exit(1);
}
try {
  await run();
} catch (error) {
  // What people can put right is one line; anything else is a fault of ours and needs its stack.
  const expected = error instanceof Error && error.name === 'Obstacle';
  console.error(expected ? error.message : error);
  process.exit(1);
}
