/** publiccode.yml by the rules of the standard (https://yml.publiccode.tools/schema.core.html, 0.4 to 0.7), which catalogues apply. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import test from 'ava';
import { parse } from 'yaml';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

// The lists of the standard; only what may describe a login is taken over.
const CATEGORIES =
  'communications compliance-management digital-citizenship e-signature identity-management it-management it-security other';
const SCOPES = 'government infrastructures local-authorities security society';
const oneOf = (names: string) => ({ enum: names.split(' ') });
const list = (items: object) => ({ type: 'array', minItems: 1, uniqueItems: true, items });
const TEXT = { type: 'string', minLength: 1 };
const ADDRESS = { type: 'string', pattern: '^https://' };
const DEPENDENCY = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: { name: TEXT, versionMin: TEXT, versionMax: TEXT, version: TEXT, optional: { type: 'boolean' } },
};

const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: [
    'publiccodeYmlVersion',
    'name',
    'url',
    'platforms',
    'developmentStatus',
    'softwareType',
    'description',
    'legal',
    'maintenance',
    'localisation',
  ],
  properties: {
    publiccodeYmlVersion: oneOf('0.4 0.5 0.7'),
    name: TEXT,
    url: ADDRESS,
    landingURL: ADDRESS,
    softwareVersion: TEXT,
    releaseDate: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
    platforms: list(oneOf('web windows mac linux ios android')),
    categories: list(oneOf(CATEGORIES)),
    developmentStatus: oneOf('concept development beta stable obsolete'),
    softwareType: oneOf('standalone/web standalone/backend'),
    intendedAudience: {
      type: 'object',
      additionalProperties: false,
      properties: { scope: list(oneOf(SCOPES)), countries: list({ type: 'string', pattern: '^[A-Z]{2}$' }) },
    },
    description: {
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^[a-z]{2}$' },
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['shortDescription', 'longDescription', 'features'],
        properties: {
          localisedName: TEXT,
          shortDescription: { ...TEXT, maxLength: 150, pattern: '^[^\\n]*$' },
          longDescription: { type: 'string', minLength: 500, maxLength: 10_000 },
          features: list({ ...TEXT, maxLength: 100 }),
          documentation: ADDRESS,
        },
      },
    },
    legal: { type: 'object', additionalProperties: false, required: ['license'], properties: { license: TEXT } },
    maintenance: {
      type: 'object',
      additionalProperties: false,
      required: ['type', 'contacts'],
      properties: {
        type: oneOf('internal community'),
        contacts: list({
          type: 'object',
          additionalProperties: false,
          required: ['name'],
          properties: { name: TEXT, email: { type: 'string', pattern: '^[^@\\s]+@[^@\\s]+$' }, phone: TEXT },
        }),
      },
    },
    localisation: {
      type: 'object',
      additionalProperties: false,
      required: ['localisationReady', 'availableLanguages'],
      properties: {
        localisationReady: { type: 'boolean' },
        availableLanguages: list({ type: 'string', pattern: '^[a-z]{2}$' }),
      },
    },
    dependsOn: {
      type: 'object',
      additionalProperties: false,
      properties: { open: list(DEPENDENCY), proprietary: list(DEPENDENCY), hardware: list(DEPENDENCY) },
    },
  },
};

test('publiccode.yml keeps to the standard, and says what the package says', (t) => {
  const validate = new Ajv({ allErrors: true }).compile(SCHEMA);
  const file = parse(read('publiccode.yml')) as { softwareVersion: string; legal: { license: string } };
  t.true(validate(file), JSON.stringify(validate.errors, null, 2));
  const { version, license } = JSON.parse(read('package.json')) as { version: string; license: string };
  t.is(file.softwareVersion, version);
  t.is(file.legal.license, license);
  t.false(validate({ ...file, categories: ['government-websites'] }), 'not in the list of the standard');
});
