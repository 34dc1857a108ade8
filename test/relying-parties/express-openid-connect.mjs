import express from 'express';
import eoc from 'express-openid-connect';
import session from 'express-session';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, BASE } = process.env;
const app = express();
app.use(
  eoc.auth({
    issuerBaseURL: ISSUER,
    baseURL: BASE,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    clientAuthMethod: 'client_secret_basic',
    secret: 'a secret of thirty-two characters',
    authorizationParams: { response_type: 'code', scope: 'openid email' },
    idTokenSigningAlg: 'ES256',
    idpLogout: true,
    routes: { postLogoutRedirect: '/bye' },
    authRequired: false,
    // Sessions live in the service, so that the provider can end them.
    session: { store: new session.MemoryStore() },
    backchannelLogout: true,
  }),
);
app.get('/bye', (_req, res) => res.json({ bye: true }));
app.get('/refresh', eoc.requiresAuth(), async (req, res) => {
  const before = req.oidc.accessToken.access_token;
  const { access_token: after } = await req.oidc.accessToken.refresh();
  res.json({ refreshed: before !== after, ...(await req.oidc.fetchUserInfo()) });
});
app.get('/peek', (req, res) => res.json({ signedIn: req.oidc.isAuthenticated() }));
app.get('/', eoc.requiresAuth(), async (req, res) => res.json(await req.oidc.fetchUserInfo()));
app.use((error, _req, res, _next) => res.status(500).json({ failed: error.message }));
app.listen(new URL(BASE).port, () => console.log('ready'));
