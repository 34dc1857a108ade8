/** The store under a real oidc-provider: how often it goes to the database, and what clients see of its refusals. */
import { createHash } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { REUSE_GRACE_SECONDS } from '../adapters/oidc-store.ts';
import { CALLBACK, openProvider, type Tokens } from './harness/counted-provider.ts';

type Opened = Awaited<ReturnType<typeof openProvider>>;
const withProvider = (
  title: string,
  options: Parameters<typeof openProvider>[0],
  work: (t: ExecutionContext, opened: Opened) => Promise<void>,
): void =>
  test(title, async (t) => {
    const opened = await openProvider(options);
    try {
      await work(t, opened);
      t.false(opened.events.includes('server_error'));
    } finally {
      await opened.close();
    }
  });

for (const refreshTokens of [true, false]) {
  for (const expiresWithSession of [true, false]) {
    const variant = `${refreshTokens ? 'with' : 'without'} refresh token, ${expiresWithSession ? 'bound to the session' : 'offline'}`;
    withProvider(
      `round trips stay within the budget (${variant})`,
      { refreshTokens, expiresWithSession },
      async (t, op) => {
        let tokens = (await op.redeem(await op.newCode())).body;
        t.truthy(tokens.id_token, JSON.stringify(tokens));

        const flow = await op.statements(async () => {
          tokens = (await op.redeem(await op.newCode())).body;
        });
        t.truthy(tokens.access_token);
        t.is(flow, 4);
        t.is(await op.statements(async () => t.is((await op.userinfo(tokens.access_token)).body['name'], 'Anna')), 1);
        const introspect = (hint: Record<string, string>) => async () => {
          const { body } = await op.post('/token/introspection', { token: tokens.access_token, ...hint });
          t.is(body['active'], true);
        };
        t.is(await op.statements(introspect({})), 1);
        t.is(await op.statements(introspect({ token_type_hint: 'access_token' })), 1);
        t.is(await op.statements(() => op.post('/token', { grant_type: 'client_credentials' })), 1);
        if (refreshTokens) {
          const refreshed = await op.statements(async () => {
            tokens = (await op.refresh(tokens.refresh_token)).body;
          });
          t.truthy(tokens.access_token);
          t.is(refreshed, 2);
          t.is((await op.userinfo(tokens.access_token)).status, 200);
        }
        t.false(op.events.includes('grant.error'));
      },
    );
  }
}

withProvider('a code is redeemed once, and its replay revokes what it gave', {}, async (t, op) => {
  const code = await op.newCode();
  const answers = await Promise.all(Array.from({ length: 16 }, () => op.redeem(code)));
  const won = answers.filter(({ status }) => status === 200);
  t.is(won.length, 1);
  for (const { status, body } of answers.filter((answer) => answer.status !== 200)) {
    t.is(status, 400);
    t.is(body.error, 'invalid_grant');
  }
  const token = won[0]?.body.access_token ?? '';
  t.is((await op.redeem(code)).body.error, 'invalid_grant');
  t.is((await op.userinfo(token)).status, 401);
  t.is((await op.refresh(String(won[0]?.body.refresh_token))).body.error, 'invalid_grant');
});

withProvider('a double click on refresh harms nobody, a late replay ends the family', {}, async (t, op) => {
  const first = (await op.redeem(await op.newCode())).body;
  const answers = await Promise.all(Array.from({ length: 8 }, () => op.refresh(first.refresh_token)));
  const won = answers.filter(({ status }) => status === 200);
  t.is(won.length, 1);
  const child = won[0]?.body as Tokens;
  t.is((await op.refresh(first.refresh_token)).body.error, 'invalid_grant');
  t.is((await op.userinfo(child.access_token)).status, 200);
  const grandchild = await op.refresh(child.refresh_token);
  t.is(grandchild.status, 200);
  op.clock.offset += REUSE_GRACE_SECONDS;
  t.is((await op.refresh(first.refresh_token)).body.error, 'invalid_grant');
  t.is((await op.refresh(grandchild.body.refresh_token)).body.error, 'invalid_grant');
  t.is((await op.userinfo(grandchild.body.access_token)).status, 401);
});

withProvider('a pushed request is used once', {}, async (t, op) => {
  const { to } = await op.authorize();
  t.truthy(to.searchParams.get('code'));
  const challenge = createHash('sha256').update('x'.repeat(43)).digest('base64url');
  const pushed = await op.post('/request', {
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    client_id: 'library',
  });
  t.is(pushed.status, 201, JSON.stringify(pushed.body));
  const uri = String(pushed.body['request_uri']);
  const answers = await Promise.all(
    Array.from({ length: 16 }, async () => {
      const url = { client_id: 'library', request_uri: uri };
      return op.authorize(url);
    }),
  );
  t.is(answers.filter((answer) => answer.to.searchParams.has('code')).length, 1);
  t.deepEqual(new Set(answers.map(({ status }) => status).filter((status) => status >= 500)), new Set());
});

withProvider('a sign-out ends tokens bound to the session, at once', {}, async (t, op) => {
  const tokens = (await op.redeem(await op.newCode())).body;
  const late = await op.newCode();
  await op.store.endSessions(op.accountId);
  t.is((await op.userinfo(tokens.access_token)).status, 401);
  t.is((await op.post('/token/introspection', { token: tokens.access_token })).body['active'], false);
  t.is((await op.refresh(tokens.refresh_token)).body.error, 'invalid_grant');
  t.is((await op.redeem(late)).body.error, 'invalid_grant');
});

withProvider('a grant revoked between reading and writing gives no tokens', { refreshTokens: false }, async (t, op) => {
  const code = await op.newCode();
  const client = await op.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('DELETE FROM oidc_grants');
    const answer = op.redeem(code);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await client.query('COMMIT');
    const { status, body } = await answer;
    t.is(status, 400);
    t.is(body.error, 'invalid_grant');
    t.false('access_token' in body);
    t.is((await client.query('SELECT count(*)::int AS n FROM oidc_lasting')).rows[0].n, 0);
  } finally {
    client.release();
  }
});
