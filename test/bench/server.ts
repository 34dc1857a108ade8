/** The provider under test: as `provider/main.ts` puts it together, with commands from the bench beside it. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Secret } from '../../accounts/secret.ts';
import { createHashing } from '../../adapters/hashing.ts';
import { createLog } from '../../adapters/log.ts';
import { createMailer } from '../../adapters/mail.ts';
import { connect } from '../../adapters/postgres.ts';
import { connectRedis } from '../../adapters/redis.ts';
import { loadTown } from '../../adapters/town.ts';
import { parseKeyRing } from '../../keys/key-ring.ts';
import { createKeys } from '../../keys/keys.ts';
import { createApp } from '../../provider/app.ts';
import { serve } from '../../provider/serve.ts';

export type ServerSettings = {
  issuer: string;
  port: number;
  databaseUrl: string;
  redisUrl: string | undefined;
  smtpUrl: string;
  ring: string;
  townFile: string;
};
export type ServerQuestion =
  | { do: 'saturate'; on: boolean }
  | { do: 'ceiling'; seconds: number }
  | { do: 'profile'; file: string | undefined }
  | { do: 'memory' };

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const started = Promise.withResolvers<ServerSettings>();
process.once('message', (message) => started.resolve(message as ServerSettings));
const settings = await started.promise;
const ring = parseKeyRing(settings.ring);
const loaded = loadTown(settings.townFile);
if ('faults' in ring || 'faults' in loaded) throw new Error('the bench has made a faulty configuration');

const log = createLog('error');
const postgres = connect(settings.databaseUrl, { applicationName: 'bench', max: 10 });
const hashing = createHashing({ processes: 1 });
const mailer = createMailer(settings.smtpUrl, { name: 'Bench', address: 'bench@stadt.example' });
const app = await createApp({
  issuer: new URL(settings.issuer),
  trustedProxies: ['127.0.0.1/32'],
  postgres,
  databaseUrl: settings.databaseUrl,
  keys: createKeys(ring),
  town: loaded.town,
  hashing,
  mailer,
  log,
  ...(settings.redisUrl !== undefined && { redis: await connectRedis(settings.redisUrl) }),
});
await serve(app, '127.0.0.1', settings.port, log);

const password = new Secret('ein Passwort nur zum Messen');
const pepper = Buffer.alloc(32, 7);
const phc = await hashing.hash(password, pepper);
let saturated = false;
const burn = async (until: () => boolean): Promise<number> => {
  let done = 0;
  const one = async (): Promise<void> => {
    while (!until()) {
      await hashing.verify(phc, password, pepper);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return done;
};

const inspector = new Session();
/** Without a file a CPU profile begins, with one it ends and is written there. */
const profile = async (file: string | undefined): Promise<void> => {
  if (file === undefined) {
    inspector.connect();
    await inspector.post('Profiler.enable');
    await inspector.post('Profiler.setSamplingInterval', { interval: 200 });
    await inspector.post('Profiler.start');
    return;
  }
  const { profile: taken } = await inspector.post('Profiler.stop');
  inspector.disconnect();
  writeFileSync(file, JSON.stringify(taken));
};

process.on('message', async (question: ServerQuestion) => {
  if (question.do === 'saturate') {
    saturated = question.on;
    if (saturated) void burn(() => !saturated);
    process.send?.({});
  } else if (question.do === 'profile') {
    await profile(question.file);
    process.send?.({});
  } else if (question.do === 'memory') {
    // Twice: what finalizers let go of is collected by the second.
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
    collect();
    process.send?.(process.memoryUsage());
  } else {
    const begin = performance.now();
    const done = await burn(() => performance.now() - begin > question.seconds * 1000);
    process.send?.({ perSecond: (done * 1000) / (performance.now() - begin) });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ hashing: hashing.stats().processes });
