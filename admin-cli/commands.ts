import type { Command } from './command.ts';
import { accountClose } from './commands/account-close.ts';
import { accountCreate } from './commands/account-create.ts';
import { accountFind } from './commands/account-find.ts';
import { accountLock } from './commands/account-lock.ts';
import { accountShow } from './commands/account-show.ts';
import { accountUnlock } from './commands/account-unlock.ts';
import { auditExport } from './commands/audit-export.ts';
import { auditSearch } from './commands/audit-search.ts';
import { auditVerify } from './commands/audit-verify.ts';
import { clientAdd } from './commands/client-add.ts';
import { clientApply } from './commands/client-apply.ts';
import { clientApprove } from './commands/client-approve.ts';
import { clientCheck } from './commands/client-check.ts';
import { clientDiagnose } from './commands/client-diagnose.ts';
import { clientList } from './commands/client-list.ts';
import { clientPlan } from './commands/client-plan.ts';
import { clientRotateSecret } from './commands/client-rotate-secret.ts';
import { clientShow } from './commands/client-show.ts';
import { completionOf } from './commands/completion.ts';
import { doctor } from './commands/doctor.ts';
import { keysList } from './commands/keys-list.ts';
import { keysRevoke } from './commands/keys-revoke.ts';
import { keysRotate } from './commands/keys-rotate.ts';
import { lettersDone } from './commands/letters-done.ts';
import { lettersList } from './commands/letters-list.ts';
import { lettersPrint } from './commands/letters-print.ts';
import { login } from './commands/login.ts';
import { logout } from './commands/logout.ts';
import { meShow } from './commands/me-show.ts';
import { noticesList } from './commands/notices-list.ts';
import { noticesRetry } from './commands/notices-retry.ts';
import { recoveryApprove } from './commands/recovery-approve.ts';
import { recoveryCancel } from './commands/recovery-cancel.ts';
import { recoveryList } from './commands/recovery-list.ts';
import { recoveryOpen } from './commands/recovery-open.ts';
import { recoveryReject } from './commands/recovery-reject.ts';
import { recoveryShow } from './commands/recovery-show.ts';
import { staffBootstrap } from './commands/staff-bootstrap.ts';
import { staffConfirm } from './commands/staff-confirm.ts';
import { staffGrant } from './commands/staff-grant.ts';
import { staffInvite } from './commands/staff-invite.ts';
import { staffList } from './commands/staff-list.ts';
import { staffObject } from './commands/staff-object.ts';
import { staffRevoke } from './commands/staff-revoke.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  login,
  logout,
  meShow,
  recoveryOpen,
  recoveryApprove,
  recoveryReject,
  recoveryCancel,
  recoveryList,
  recoveryShow,
  accountFind,
  accountShow,
  accountCreate,
  accountLock,
  accountUnlock,
  accountClose,
  lettersList,
  lettersPrint,
  lettersDone,
  staffBootstrap,
  staffInvite,
  staffGrant,
  staffConfirm,
  staffObject,
  staffRevoke,
  staffList,
  clientAdd,
  clientCheck,
  clientDiagnose,
  clientPlan,
  clientApply,
  clientApprove,
  clientList,
  clientShow,
  clientRotateSecret,
  keysList,
  keysRotate,
  keysRevoke,
  auditSearch,
  auditVerify,
  auditExport,
  noticesList,
  noticesRetry,
  doctor,
  completionOf(() => COMMANDS),
];
