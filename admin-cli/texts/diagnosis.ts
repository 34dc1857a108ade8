/** What `client diagnose` and `client check` say. */
const de = {
  nothing: 'In den letzten 24 Stunden wurde keine Anfrage dieses Dienstes abgelehnt.',
  last: 'zuletzt',
  count: 'Anzahl',
  endpoint: 'Endpunkt',
  code: 'Code',
  cause: 'Ursache',
  requests: 'angenommene Anmeldungen mit',
  seenOn: 'zuletzt am',
  plain: 'nichts davon (weder PKCE noch nonce noch state)',
};

const en: typeof de = {
  nothing: 'In the last 24 hours no request of this service was refused.',
  last: 'last',
  count: 'count',
  endpoint: 'endpoint',
  code: 'code',
  cause: 'cause',
  requests: 'accepted sign-ins with',
  seenOn: 'last on',
  plain: 'none of it (neither PKCE nor nonce nor state)',
};

export const DIAGNOSIS_TEXTS = { de, en } as const;
