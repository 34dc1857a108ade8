import { readFileSync } from 'node:fs';

type Example = {
  readonly id: string;
  readonly title: string;
  /** Below `examples/`; the same file that the test runs. */
  readonly file: string;
  /** Run by a test with every change. */
  readonly tested: boolean;
};

export const EXAMPLES: readonly Example[] = [
  { id: 'node', title: 'Node.js (openid-client)', file: 'node.mjs', tested: true },
  { id: 'browser', title: 'Browser (oidc-client-ts)', file: 'browser.html', tested: true },
  { id: 'python', title: 'Python (Authlib, Flask)', file: 'python.py', tested: true },
  { id: 'php', title: 'PHP (jumbojett/openid-connect-php)', file: 'php.php', tested: false },
  { id: 'java', title: 'Java (Spring Boot)', file: 'spring.yaml', tested: false },
  { id: 'dotnet', title: '.NET (ASP.NET Core)', file: 'dotnet.cs', tested: false },
  { id: 'ruby', title: 'Ruby (OmniAuth)', file: 'ruby.rb', tested: true },
  { id: 'go', title: 'Go (go-oidc)', file: 'go.go', tested: true },
  { id: 'mobile', title: 'Android (AppAuth)', file: 'android.kt', tested: false },
];

const texts = new Map<string, string>();

/** The text of an example, read once. */
export const exampleText = (file: string): string => {
  const known = texts.get(file) ?? readFileSync(new URL(`./examples/${file}`, import.meta.url), 'utf8');
  texts.set(file, known);
  return known;
};
