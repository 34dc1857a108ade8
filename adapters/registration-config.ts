import type { ConfigFiles } from './config.ts';

/** Who may register a client by itself in production: whoever has this token; nobody without one. */
export type RegistrationSettings = { readonly registrationToken?: string };

const OPEN_TO_OTHERS = 0o007;
/** 256 bits in base64url. */
const TOKEN = /^[A-Za-z0-9_-]{43,128}$/;

/** Reads `REGISTRATION_TOKEN_FILE`, the initial access token of dynamic registration (RFC 7591 §3). */
export const readRegistration = (
  env: Readonly<Record<string, string | undefined>>,
  files: ConfigFiles,
  fault: (line: string) => undefined,
): RegistrationSettings | undefined => {
  const path = env['REGISTRATION_TOKEN_FILE']?.trim() ?? '';
  if (path === '') return {};
  let file: { text: string; mode: number };
  try {
    file = files.read(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown reason';
    return fault(`REGISTRATION_TOKEN_FILE: ${path} cannot be read (${code}): correct the path or its owner.`);
  }
  if ((file.mode & OPEN_TO_OTHERS) !== 0)
    return fault(`REGISTRATION_TOKEN_FILE: ${path} is open to other users: chmod 600 ${path}`);
  const token = file.text.trim();
  return TOKEN.test(token)
    ? { registrationToken: token }
    : fault(
        `REGISTRATION_TOKEN_FILE: ${path} holds no token of 43 letters and digits or more: openssl rand -hex 32 > ${path}`,
      );
};
