import { fileURLToPath } from 'node:url';
import type { Registration, Town } from '../../accounts/town.ts';
import { formatTownFault, loadTown } from '../../adapters/town.ts';
import { assessment } from './assessment.ts';
import { notice } from './notice.ts';
import { processing } from './processing.ts';

/** What the documents are made from. */
export type Source = { readonly town: Town; readonly registrations: readonly Registration[] };

const TOWN = fileURLToPath(new URL('../towns/guetersloh/town.yaml', import.meta.url));

/** Where the documents lie. */
export const recordsFolder = fileURLToPath(new URL('../../docs/datenschutz', import.meta.url));

/** The documents by file name. Throws if the town's files have faults. */
export const records = (path = TOWN): Record<string, string> => {
  const loaded = loadTown(path);
  if ('faults' in loaded) throw new Error(loaded.faults.map(formatTownFault).join('\n'));
  return {
    'verzeichnis.md': processing(loaded),
    'datenschutzhinweise.md': notice(loaded),
    'folgenabschaetzung.md': assessment(loaded),
  };
};
