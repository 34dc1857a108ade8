import type { Language } from './cli.ts';
import { type CliTexts, de } from './texts/de.ts';
import { en } from './texts/en.ts';

export type { CliTexts } from './texts/de.ts';

/** The texts of the command line in a language. */
export const textsIn = (language: Language): CliTexts => (language === 'en' ? en : de);
