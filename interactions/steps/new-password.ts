import { assess } from '../../accounts/password-rules.ts';
import type { PageDeps } from '../deps.ts';
import type { Form } from '../form.ts';
import type { Fault } from '../progress.ts';

/** What is wrong with a new password, typed twice; undefined if nothing is. */
export const newPasswordFault = async (
  { town, breached }: Pick<PageDeps, 'town' | 'breached'>,
  form: Form,
  rules: { readonly minimum: number; readonly hints: readonly string[] },
): Promise<Fault | undefined> => {
  const field = 'new_password';
  const password = form.text(field);
  if (password === '') return { field, code: 'new-password-missing' };
  if (form.text('repeated_password') !== password) return { field, code: 'new-password-different' };
  const hints = [...rules.hints, ...Object.values(town.name), town.id, ...(town.localWords ?? [])];
  switch (await assess(password, hints, { minimum: rules.minimum, breached })) {
    case 'too-short':
      return { field, code: 'new-password-short', number: rules.minimum };
    case 'too-long':
      return { field, code: 'new-password-long' };
    case 'too-common':
      return { field, code: 'new-password-common' };
    case 'local':
      return { field, code: 'new-password-local' };
    case 'breached':
      return { field, code: 'new-password-breached' };
    case 'ok':
      return undefined;
  }
};
