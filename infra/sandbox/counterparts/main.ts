/** One counterpart in a process of its own: what it is comes as a message, that it listens goes back as one. */
import { type BundIdOptions, startBundId } from './bundid-idp.ts';
import { type EidClientOptions, startEidClient } from './eid-client.ts';
import { type EidServerOptions, startEidServer } from './eid-server.ts';
import { type StaffIdpOptions, startStaffIdp } from './staff-idp.ts';

export type Part =
  | { readonly kind: 'eid'; readonly server: EidServerOptions; readonly client: EidClientOptions }
  | { readonly kind: 'bundid'; readonly options: BundIdOptions }
  | { readonly kind: 'staff'; readonly options: StaffIdpOptions };

const start = async (part: Part): Promise<void> => {
  switch (part.kind) {
    case 'eid':
      await Promise.all([startEidServer(part.server), startEidClient(part.client)]);
      return;
    case 'bundid':
      await startBundId(part.options);
      return;
    case 'staff':
      await startStaffIdp(part.options);
      return;
  }
};

process.once('message', (part: Part) => {
  start(part).then(
    () => process.send?.({ listening: true }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
// Ctrl-C reaches the whole group; the sandbox itself ends its counterparts, in its order.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
