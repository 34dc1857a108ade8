import express from 'express';
import session from 'express-session';
import passport from 'passport';
import OpenIDConnectStrategy from 'passport-openidconnect';

const { ISSUER, CLIENT_ID, CLIENT_SECRET, BASE } = process.env;
// It has no discovery, no PKCE and sends its secret in the form: what old services are like.
const strategy = new OpenIDConnectStrategy(
  {
    issuer: ISSUER,
    authorizationURL: `${ISSUER}/auth`,
    tokenURL: `${ISSUER}/token`,
    userInfoURL: `${ISSUER}/userinfo`,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    callbackURL: `${BASE}/callback`,
    scope: ['email'],
    skipUserProfile: false,
  },
  (issuer, profile, _context, idToken, accessToken, refreshToken, done) =>
    done(null, { issuer, id: profile.id, email: profile.emails?.[0]?.value, idToken, accessToken, refreshToken }),
);
passport.use(strategy);
passport.serializeUser((user, done) => done(null, user));
passport.deserializeUser((user, done) => done(null, user));

const app = express();
app.use(session({ secret: 'only for tests', resave: false, saveUninitialized: false, name: 'passport' }));
app.use(passport.authenticate('session'));
app.get('/login', passport.authenticate('openidconnect'));
app.get('/callback', passport.authenticate('openidconnect', { successRedirect: '/', failWithError: true }));
app.get('/bye', (_req, res) => res.json({ bye: true }));
app.get('/refresh', async (req, res) => {
  const answer = await fetch(`${ISSUER}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: req.user.refreshToken,
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
    }),
  });
  const tokens = await answer.json();
  const info = await fetch(`${ISSUER}/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
  res.json({ refreshed: tokens.access_token !== req.user.accessToken, ...(await info.json()) });
});
app.get('/logout', (req, res, next) => {
  const { idToken } = req.user;
  req.logout((error) => {
    if (error) return next(error);
    const end = new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: `${BASE}/bye` });
    res.redirect(`${ISSUER}/session/end?${end}`);
  });
});
app.get('/', (req, res) => (req.user ? res.json({ sub: req.user.id, email: req.user.email }) : res.redirect('/login')));
app.use((error, _req, res, _next) => res.status(500).json({ failed: error.message }));
app.listen(new URL(BASE).port, () => console.log('ready'));
