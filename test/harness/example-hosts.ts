/** Preloaded into another process: names below `.example` are this machine there, too. */
import { nameExampleHosts } from './names.ts';

nameExampleHosts();
