import { createSocket } from 'node:dgram';
import { open, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';

/** Where the audit's checkpoints go: outside of the database, so that whoever holds it cannot change them. */
export type CheckpointTarget = {
  /** Resolves once the line is safe; rejects if it could not be kept. */
  write(line: string): Promise<void>;
  /** The lines kept so far, as far as this target can be read at all. */
  read(): Promise<string[]>;
};

/** A file that is only appended to, each line on the disk before it counts. */
export const checkpointFile = (path: string): CheckpointTarget => ({
  async write(line) {
    const file = await open(path, 'a', 0o640);
    try {
      await file.appendFile(`${line}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async read() {
    try {
      return (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  },
});

/** RFC 5424 §6.2.1: facility 13 (log audit), severity 5 (notice). */
const PRIORITY = 13 * 8 + 5;

/** A syslog server, by UDP (RFC 5426). It keeps the lines; `audit verify --checkpoints` reads them back from its file. */
export const checkpointSyslog = (host: string, port: number, now: () => Date): CheckpointTarget => ({
  write: (line) =>
    new Promise((resolve, reject) => {
      const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
      const message = `<${PRIORITY}>1 ${now().toISOString()} ${hostname()} stadtschluessel ${process.pid} checkpoint - ${line}`;
      socket.send(message, port, host, (error) => {
        socket.close();
        if (error) reject(error);
        else resolve();
      });
    }),
  read: async () => [],
});
