import type { Registration } from '../../accounts/town.ts';
import { serviceWith } from './registration.ts';

/** A program without citizens, for tests that need no more than the token endpoint. */
export const MACHINE: Registration = serviceWith('maschine', { kind: 'api' });
