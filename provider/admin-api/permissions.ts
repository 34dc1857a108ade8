import type { Role } from '../../accounts/terms.ts';

/** Who may do what: the one table of it. */
export const PERMISSIONS = {
  'me show': ['clerk', 'approver', 'operator', 'auditor', 'chief', 'service'],
  'staff list': ['chief', 'auditor'],
  'staff invite': ['chief'],
  'staff grant': ['chief'],
  'staff confirm': ['chief'],
  'staff object': ['clerk', 'approver', 'operator', 'auditor', 'chief'],
  'staff revoke': ['chief'],
  'recovery open': ['clerk'],
  'recovery approve': ['approver'],
  'recovery reject': ['approver'],
  'recovery cancel': ['clerk', 'approver'],
  'recovery list': ['clerk', 'approver', 'auditor'],
  'recovery show': ['clerk', 'approver', 'auditor'],
  'account find': ['clerk', 'approver'],
  'account show': ['clerk', 'approver'],
  'account create': ['clerk'],
  'account lock': ['clerk', 'approver'],
  'account unlock': ['approver'],
  'account close': ['approver'],
  'letters list': ['clerk'],
  'letters print': ['clerk'],
  'letters done': ['clerk'],
  'client list': ['operator', 'auditor'],
  'client show': ['operator', 'auditor'],
  'client plan': ['operator'],
  'client apply': ['operator'],
  'client approve': ['operator'],
  'client rotate-secret': ['operator'],
  // `service`: the people of a connected service, for that one alone (verbs/service.ts).
  'client diagnose': ['operator', 'service'],
  'client check': ['operator', 'service'],
  'keys list': ['operator', 'auditor'],
  'keys rotate': ['operator'],
  'keys revoke': ['operator'],
  'notices list': ['operator'],
  'notices retry': ['operator'],
  'audit search': ['auditor'],
  'audit verify': ['auditor', 'operator'],
  'audit export': ['auditor'],
  doctor: ['operator'],
} as const satisfies Readonly<Record<string, readonly Role[]>>;

export type VerbName = keyof typeof PERMISSIONS;

/** Whether one of the roles allows the verb. */
export const isPermitted = (verb: VerbName, roles: readonly Role[]): boolean =>
  roles.some((role) => (PERMISSIONS[verb] as readonly Role[]).includes(role));
