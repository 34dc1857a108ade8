/** Runs once per ava run, beside the test processes: starts one cluster at the first question and tells its URL. */
import { startCluster } from './cluster.ts';

type Message = { data: unknown; reply(data: unknown): unknown };
type Protocol = { ready(): Protocol; subscribe(): AsyncIterable<Message> };

export default async ({ negotiateProtocol }: { negotiateProtocol(names: ['ava-4']): Protocol }): Promise<void> => {
  const protocol = negotiateProtocol(['ava-4']).ready();
  let url: Promise<string> | undefined;
  for await (const message of protocol.subscribe()) {
    url ??= startCluster().then((cluster) => cluster.url);
    const current = url;
    void current.then(
      (text) => message.reply({ url: text }),
      (error: unknown) => message.reply({ fault: String(error) }),
    );
  }
};
