package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// This file builds the lines of OAuth 2.0 access tokens.

const resource, callback = "https://api.example/", "https://web.example/callback"

// oauthClient returns a client with an opaque token of each user, of a server in the same program.
func oauthClient(w *world) (*client, []string, error) {
	keys, err := jwt.NewKeySet(testKey(jwt.ES256).key)
	if err != nil {
		return nil, nil, err
	}
	issuer, err := server.New(server.Config{Issuer: issuerURL, Store: server.NewMemoryStore(), Keys: keys,
		OpenID:    server.OpenIDConfig{IDTokenAlgorithm: jwt.ES256},
		LoadUser:  w.load,
		SignIn:    func(http.ResponseWriter, *http.Request, server.SignInRequest) {},
		Scopes:    []server.Scope{{Name: "read"}},
		Resources: []server.Resource{{ID: resource}},
		Tokens:    server.TokenConfig{Lifetimes: server.Lifetimes{Access: time.Hour}}, Logger: quiet})
	if err != nil {
		return nil, nil, err
	}
	web, _, err := issuer.AddClient(context.Background(), server.Registration{ClientID: "web",
		RedirectURIs: []string{callback}, FirstParty: true, GrantTypes: []string{"authorization_code"}})
	if err != nil {
		return nil, nil, err
	}
	tokens := make([]string, len(w.ids))
	for i, id := range w.ids {
		response, err := issuer.Issue(context.Background(), server.Issuance{Client: web,
			Type: "authorization_code", UserID: id, Scopes: []string{"read"}})
		if err != nil {
			return nil, nil, err
		}
		tokens[i] = response.AccessToken().Reveal()
	}
	c, err := resourceClient(w, issuer, tokens)
	return c, tokens, err
}

func resourceClient(w *world, source oauth2.Source, tokens []string) (*client, error) {
	api, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{source}, LoadUser: w.load})
	if err != nil {
		return nil, err
	}
	handler, err := w.guard(api)
	if err != nil {
		return nil, err
	}
	return w.authorized(handler, "Bearer", tokens), nil
}

func oauthOpaque(w *world) (comparison, error) {
	ours, tokens, err := oauthClient(w)
	if err != nil {
		return comparison{}, err
	}
	return pair(ours, w.authorized(w.floorHeader("Bearer", tokens), "Bearer", tokens))
}

// introspectionClient returns a client with tokens that another server has said to be good.
func introspectionClient(w *world) (*client, []string, error) {
	tokens, subjects := make([]string, len(w.ids)), make(map[string]string, len(w.ids))
	for i, id := range w.ids {
		tokens[i] = "at_" + rand.Text() + rand.Text()[:14]
		subjects[tokens[i]] = id
	}
	login := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		subject, ok := subjects[r.PostFormValue("token")]
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"active": ok, "sub": subject, "client_id": "web",
			"scope": "read", "aud": resource})
	}))
	w.atEnd(login.Close)
	introspection, err := oauth2.NewIntrospection(oauth2.IntrospectionConfig{Endpoint: login.URL, ClientID: "api",
		ClientSecret: "secret", Cache: oauth2.IntrospectionCache{TTL: time.Hour, Size: 4 * len(w.ids)}, Logger: quiet})
	if err != nil {
		return nil, nil, err
	}
	c, err := resourceClient(w, introspection, tokens)
	return c, tokens, err
}

func introspected(w *world) (comparison, error) {
	ours, tokens, err := introspectionClient(w)
	if err != nil {
		return comparison{}, err
	}
	return pair(ours, w.authorized(w.floorHeader("Bearer", tokens), "Bearer", tokens))
}

// refusedOAuth compares refused values of the Authorization header with opaque tokens that pass.
func refusedOAuth(values []string, status int) func(w *world) (comparison, error) {
	return func(w *world) (comparison, error) {
		good, _, err := oauthClient(w)
		if err != nil {
			return comparison{}, err
		}
		return pair(w.client(good.handler, "Authorization", values, status), good)
	}
}
