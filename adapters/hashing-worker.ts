/** One hashing process: does the jobs of the IPC channel one after another, group by group. Knows no configuration, no keys. */
import argon2 from 'argon2';
import type { HashingAnswer, HashingJob } from './hashing.ts';

const run = async (job: HashingJob): Promise<HashingAnswer> => {
  try {
    if (job.kind === 'verify') {
      return { matches: await argon2.verify(job.phc, job.password, { secret: Buffer.from(job.pepper) }) };
    }
    const phc = await argon2.hash(job.password, {
      type: argon2.argon2id,
      memoryCost: job.memoryKiB,
      timeCost: job.passes,
      parallelism: 1,
      secret: Buffer.from(job.pepper),
    });
    return { phc };
  } catch (error) {
    return { error: error instanceof Error ? error.message : 'hashing failed' };
  }
};

let last = Promise.resolve();
process.on('message', (group: readonly HashingJob[]) => {
  const answered = Promise.all(group.map(run));
  // Started at once, so that the thread goes on without a pause; answered in their order, whatever fails early.
  last = last.then(async () => void process.send?.(await answered));
});
// Ctrl-C and the service manager reach the whole process group: the parent decides when its last job is done.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(0));
