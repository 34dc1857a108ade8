/**
 * `npm run build:argon2`: compiles argon2 for this machine's CPU, which halves the time of a hash. Where there is no
 * compiler, or what it makes does not work, the prebuilt one stays: a slower sign-in is better than none.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import path from 'node:path';

const require = createRequire(import.meta.url);
const folder = path.dirname(require.resolve('argon2/package.json'));
const built = path.join(folder, 'build', 'Release', 'argon2.node');
const HASHES = 20;

/** A process of its own, as a native module stays loaded; throws if it cannot hash, and gives milliseconds for a hash. */
const milliseconds = (): number => {
  const script = `
    const argon2 = require('argon2');
    (async () => {
      const options = { type: argon2.argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1, secret: Buffer.alloc(32, 1) };
      const known = await argon2.hash('probe', options);
      if (!(await argon2.verify(known, 'probe', { secret: options.secret }))) process.exit(1);
      if (await argon2.verify(known, 'other', { secret: options.secret })) process.exit(1);
      const begin = performance.now();
      for (let i = 0; i < ${HASHES}; i += 1) await argon2.hash('probe', options);
      console.log((performance.now() - begin) / ${HASHES});
    })();`;
  return Number(execFileSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' }));
};

/** node-gyp as npm brings it along, or an installed one. */
const nodeGyp = (): string | undefined => {
  const places = [process.env['npm_execpath'] ?? '', ...(process.env['PATH'] ?? '').split(path.delimiter)];
  const npm = places
    .map((place) => path.resolve(path.dirname(place), '..', 'node_modules', 'node-gyp', 'bin', 'node-gyp.js'))
    .concat(
      [
        '/usr/share/node_modules',
        '/usr/lib/node_modules/npm/node_modules',
        '/usr/local/lib/node_modules/npm/node_modules',
      ].map((root) => path.join(root, 'node-gyp', 'bin', 'node-gyp.js')),
    );
  return npm.find((file) => existsSync(file));
};

/**
 * Headers of any Node.js on this machine, as argon2 uses the interface that is the same in all of them (Node-API);
 * without any, node-gyp downloads those of this version.
 */
const headers = (): string[] => {
  const roots = [
    path.resolve(path.dirname(process.execPath), '..'),
    process.env['npm_config_nodedir'],
    '/usr',
    '/usr/local',
  ];
  const root = roots.find((one) => one !== undefined && existsSync(path.join(one, 'include', 'node', 'node_api.h')));
  return root === undefined ? [] : [`--nodedir=${root}`];
};

const keepPrebuilt = (why: string): never => {
  console.log(`argon2 stays as prebuilt: ${why}`);
  process.exit(0);
};

const before = milliseconds();
const gyp = nodeGyp();
if (gyp === undefined) keepPrebuilt('npm has no node-gyp');
if (spawnSync('c++', ['--version']).status !== 0 && spawnSync('g++', ['--version']).status !== 0) {
  keepPrebuilt('there is no C++ compiler (Debian: apt-get install g++ make python3)');
}
const saved = `${built}.before`;
rmSync(saved, { force: true });
if (existsSync(built)) renameSync(built, saved);
const flags = '-O3 -march=native';
const made = spawnSync(process.execPath, [gyp ?? '', 'rebuild', ...headers()], {
  cwd: folder,
  // binding.gyp takes the compilers' flags from here; _FORTIFY_SOURCE and the rest stay as the package sets them.
  env: { ...process.env, CFLAGS: flags, CXXFLAGS: flags },
  encoding: 'utf8',
});
const undo = (): void => {
  rmSync(path.join(folder, 'build'), { recursive: true, force: true });
};
if (made.status !== 0 || !existsSync(built)) {
  undo();
  keepPrebuilt(
    `it does not compile (${/^gyp ERR! stack (Error: )?(.*)$/m.exec(made.stderr)?.[2] ?? 'unknown reason'})`,
  );
}
for (const name of readdirSync(path.join(folder, 'build'))) {
  if (name !== 'Release') rmSync(path.join(folder, 'build', name), { recursive: true, force: true });
}
try {
  const after = milliseconds();
  if (after > before) {
    undo();
    keepPrebuilt(`compiled it is no faster (${after.toFixed(1)} ms instead of ${before.toFixed(1)} ms)`);
  }
  console.log(
    `argon2 is compiled for this ${platform()} ${arch()}: ${before.toFixed(1)} ms → ${after.toFixed(1)} ms for a hash`,
  );
} catch (error) {
  undo();
  keepPrebuilt(`compiled it does not work (${(error as Error).message.split('\n')[0]})`);
}
