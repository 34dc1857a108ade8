/** `npm run docs:records`: writes the record of processing and its companions anew from the registrations. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { records, recordsFolder } from './records.ts';

mkdirSync(recordsFolder, { recursive: true });
for (const [name, text] of Object.entries(records())) {
  writeFileSync(`${recordsFolder}/${name}`, text);
  process.stdout.write(`docs/datenschutz/${name}\n`);
}
