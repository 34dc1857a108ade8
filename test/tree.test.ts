import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BINARY = /\.(png|jpe?g|woff2?|ico)$/;

/** A package in the lock file, as far as it matters here. */
type Locked = {
  resolved?: string;
  integrity?: string;
  link?: boolean;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
};

const files = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
const texts = files
  .filter((file) => !BINARY.test(file))
  .map((file) => ({ file, text: readFileSync(path.join(ROOT, file), 'utf8') }));

const holding = (pattern: RegExp, except: RegExp = /^$/): string[] =>
  texts.filter(({ file, text }) => !except.test(file) && pattern.test(text)).map(({ file }) => file);

test('no tracked file names a place on a developer’s machine', (t) => {
  t.deepEqual(holding(/(?:^|[\s"'`(=:])\/(?:work|home|Users|root)\/[a-z]/m), []);
  t.deepEqual(holding(/[A-Z]:\\\\?Users/), []);
});

test('the lock file pins content by hash and names no registry', (t) => {
  const lock = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const packages = Object.entries(lock.packages).filter(([name]) => name !== '');
  t.deepEqual(
    packages.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name),
    [],
  );
  // Tools for other platforms, which this lock file names without having seen them: they are never part of the product.
  const foreignTool = ({ dev, optional, os }: Locked): boolean => dev === true && optional === true && os !== undefined;
  t.deepEqual(
    packages.filter(([, one]) => !one.integrity && !one.link && !foreignTool(one)).map(([name]) => name),
    [],
  );
  t.deepEqual(holding(/registry\.(?:npmjs|yarnpkg)|npmmirror|artifactory|verdaccio/, /^test\/tree\.test\.ts$/), []);
});

test('every dependency is pinned exactly', (t) => {
  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string>
  >;
  const all = { ...manifest['dependencies'], ...manifest['devDependencies'] };
  t.deepEqual(
    Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  );
});

test('no key, token or password lies in a tracked file', (t) => {
  t.deepEqual(holding(/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\n/), []);
  t.deepEqual(holding(/\beyJ[\w-]{20,}\.[\w-]{20,}/), []);
  t.deepEqual(holding(/\b(?:ghp|gho|npm|sk|AKIA)_?[A-Za-z0-9]{30,}/, /^package-lock\.json$/), []);
});

test('no tracked file holds a mailbox of a person at one of the usual providers', (t) => {
  const providers =
    /@(?:gmail|googlemail|gmx|web|t-online|outlook|hotmail|live|yahoo|icloud|posteo|mailbox|proton(?:mail)?)\.[a-z]{2,3}\b/i;
  t.deepEqual(holding(providers, /^test\/tree\.test\.ts$/), []);
});

test('nothing is left to be done later', (t) => {
  t.deepEqual(holding(new RegExp(`\\b(?:TO${'DO'}|FIX${'ME'}|XX${'X'})\\b`)), []);
});
