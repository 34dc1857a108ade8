// go get github.com/coreos/go-oidc/v3 golang.org/x/oauth2
provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
config := oauth2.Config{
	ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
	Endpoint: provider.Endpoint(), RedirectURL: "https://dienst.example/callback",
	Scopes: []string{oidc.ScopeOpenID, "email"},
}
// start: keep verifier, state and nonce in the session
verifier := oauth2.GenerateVerifier()
url := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce))
// callback: compare state first
token, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(ctx, token.Extra("id_token").(string))
// compare idToken.Nonce with the session's, then:
info, err := provider.UserInfo(ctx, config.TokenSource(ctx, token))
