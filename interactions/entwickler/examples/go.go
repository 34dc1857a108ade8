// go get github.com/coreos/go-oidc/v3 golang.org/x/oauth2     Run: ISSUER=… CLIENT_ID=… CLIENT_SECRET=… go run go.go
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func random() string {
	bytes := make([]byte, 32)
	if _, err := rand.Read(bytes); err != nil {
		log.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes)
}

// One browser session each; use your framework's session instead.
func keep(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func kept(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func main() {
	base := os.Getenv("BASE") // http://localhost:8080
	provider, err := oidc.NewProvider(context.Background(), os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"),
		Endpoint: provider.Endpoint(), RedirectURL: base + "/callback", Scopes: []string{oidc.ScopeOpenID, "email"},
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		state, nonce, verifier := random(), random(), random()
		keep(w, "state", state)
		keep(w, "nonce", nonce)
		keep(w, "verifier", verifier)
		challenge := sha256.Sum256([]byte(verifier))
		http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce),
			oauth2.SetAuthURLParam("code_challenge", base64.RawURLEncoding.EncodeToString(challenge[:])),
			oauth2.SetAuthURLParam("code_challenge_method", "S256")), http.StatusSeeOther)
	})
	http.HandleFunc("/callback", func(w http.ResponseWriter, r *http.Request) {
		if state := kept(r, "state"); state == "" || r.FormValue("state") != state {
			http.Error(w, "state", http.StatusBadRequest)
			return
		}
		token, err := config.Exchange(r.Context(), r.FormValue("code"), oauth2.SetAuthURLParam("code_verifier", kept(r, "verifier")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		raw, _ := token.Extra("id_token").(string)
		// Checks signature, issuer, audience and time; the nonce is yours to compare.
		checks := oidc.Config{ClientID: config.ClientID, SupportedSigningAlgs: []string{"ES256"}}
		idToken, err := provider.Verifier(&checks).Verify(r.Context(), raw)
		if err != nil || idToken.Nonce != kept(r, "nonce") {
			http.Error(w, "id_token", http.StatusBadRequest)
			return
		}
		info, err := provider.UserInfo(r.Context(), config.TokenSource(r.Context(), token))
		if err != nil || info.Subject != idToken.Subject {
			http.Error(w, "userinfo", http.StatusBadGateway)
			return
		}
		keep(w, "id_token", raw)
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"sub": info.Subject, "email": info.Email})
	})
	http.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
		end := url.Values{"id_token_hint": {kept(r, "id_token")}, "post_logout_redirect_uri": {base + "/bye"}}
		http.Redirect(w, r, os.Getenv("ISSUER")+"/session/end?"+end.Encode(), http.StatusSeeOther)
	})
	http.HandleFunc("/bye", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`{"bye":true}`))
	})
	address, err := url.Parse(base)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(address.Host, nil))
}
