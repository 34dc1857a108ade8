/**
 * Loaded before anything else (`node --import`), it plants the fault that PLANTED_FAULT names in the product as it is read,
 * so that a test can show that it sees such faults. The files themselves stay as they are.
 */
import { registerHooks } from 'node:module';

export type PlantedFault = { readonly file: string; readonly right: string; readonly wrong: string };

/** Each is one line of the product with its condition gone. */
export const PLANTED_FAULTS: Readonly<Record<string, PlantedFault>> = {
  'a password alone counts as two factors': {
    file: '/accounts/assurance.ts',
    right: "|| (holds('substantial', 'pwd') && second)) return 'substantial'",
    wrong: "|| holds('substantial', 'pwd')) return 'substantial'",
  },
  'a passkey made with less than two factors is as good as any': {
    file: '/accounts/assurance.ts',
    right: "least === 'weak' || weak !== true",
    wrong: 'true',
  },
  'a sign-in without the app of the account': {
    file: '/interactions/standing.ts',
    right: 'if (alone && has.totp)',
    wrong: 'if (false)',
  },
  'a new password without the app of the account': {
    file: '/interactions/next-step.ts',
    right: "needs.recoveryTotp && !shown.includes('otp')",
    wrong: 'false',
  },
  'a change of the account without its passkey': {
    file: '/accounts/assurance.ts',
    right: "if (has.passkeys > 0) return shown('pwd') && shown('code');",
    wrong: '',
  },
};

const planted = PLANTED_FAULTS[process.env['PLANTED_FAULT'] ?? ''];
if (planted !== undefined) {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.endsWith(planted.file)) return loaded;
      const source = String(loaded.source);
      if (source.split(planted.right).length !== 2) throw new Error(`${planted.file} has changed: plant another fault`);
      return { ...loaded, source: source.replace(planted.right, planted.wrong) };
    },
  });
}
