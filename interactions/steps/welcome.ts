import type { Step } from '../visit.ts';
import { faulty } from '../visit.ts';
import * as views from './welcome.view.ts';

export const backupCodesStep: Step = {
  view: views.backupCodes,
  posts: {
    'backup-codes': {
      fields: ['confirmed'],
      handle: async (_visit, form) =>
        form.text('confirmed') === 'yes'
          ? {
              go: 'on',
              // From here on the codes exist on the citizen's paper only.
              apply: ({ welcome, ...progress }) =>
                welcome ? { ...progress, welcome: { kennung: welcome.kennung } } : progress,
            }
          : faulty([{ field: 'confirmed', code: 'codes-unconfirmed' }]),
    },
  },
};

export const kennungStep: Step = {
  view: views.kennung,
  posts: {
    kennung: { fields: [], handle: async () => ({ go: 'on', apply: ({ welcome: _, ...progress }) => progress }) },
  },
};
