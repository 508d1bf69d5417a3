package jwt_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/leaktest"
	"github.com/gatewarden/auth/jwt"
)

func TestUnitSecretsAreNotPrinted(t *testing.T) {
	const hidden = "hunter2, the secret by which tokens are signed, of 64 bytes or more"
	key, err := jwt.NewKey(jwt.HS256, []byte(hidden))
	if err != nil {
		t.Fatal(err)
	}
	keys := keySet(t, key)
	tokens, people, _ := newTokens(t, func(c *jwt.Config) { c.Keys = keys })
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens},
		Challenges: []auth.Challenge{{Scheme: "Bearer"}},
		Login:      []auth.Authenticator{auth.AuthenticatorFunc(people.passwords)}})
	if err != nil {
		t.Fatal(err)
	}
	handlers, err := tokens.Handlers(guard)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: serviceIssuer,
		Audience: []string{serviceIssuer}, Keys: keys, User: jwt.SubjectUser}}})
	if err != nil {
		t.Fatal(err)
	}
	store := jwt.NewMemoryKeyStore()
	ring, err := jwt.NewKeyring(t.Context(), jwt.KeyringConfig{Store: store, Keys: []auth.Secret{hidden},
		Algorithms: []jwt.Algorithm{jwt.HS256},
		Logger:     slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(t.Context(), key, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	remote, err := jwt.NewRemoteKeys(
		jwt.RemoteKeysConfig{URL: "https://keys.example/jwks?key=" + strings.ReplaceAll(hidden, " ", "+")})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, credential, err := tokens.VerifyToken(t.Context(), pair.Access.Reveal()) // it is remembered now
	if err != nil {
		t.Fatal(err)
	}
	token, _ := auth.As[*jwt.Token](credential)

	secrets := []string{hidden, pair.Access.Reveal(), pair.Refresh.Reveal()}
	t.Run("a Key", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *key) })
	t.Run("a KeySet", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *keys) })
	t.Run("Tokens", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *tokens) })
	t.Run("a Verifier", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, verifier) })
	t.Run("Handlers", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *handlers) })
	t.Run("a Guard", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, guard) })
	t.Run("a Keyring", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, ring) })
	t.Run("a MemoryKeyStore", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, store) })
	t.Run("a Token", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *token) })
	t.Run("RemoteKeys, whose URL may have a secret", func(t *testing.T) {
		leaktest.CheckAllFields(t, []string{strings.ReplaceAll(hidden, " ", "+")}, remote)
	})
	t.Run("a Pair", func(t *testing.T) { leaktest.CheckExported(t, secrets, *pair) })
	t.Run("a Sliding", func(t *testing.T) { leaktest.CheckExported(t, secrets, jwt.Sliding{Token: pair.Access}) })
	t.Run("a KeyringConfig", func(t *testing.T) {
		leaktest.CheckExported(t, secrets, jwt.KeyringConfig{Keys: []auth.Secret{hidden}})
	})
}

func TestUnitSettingsAreCopied(t *testing.T) {
	audience, scopes, schemes := []string{"https://api.example"}, []string{"read"}, []string{"Bearer"}
	key := signing(t, jwt.ES256)
	keys := keySet(t, key)
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Keys, c.Audience, c.Scopes, c.Verify.Schemes = keys, audience, scopes, schemes
	})
	ours := []string{"https://api.example"}
	algorithms, types, required := []jwt.Algorithm{jwt.ES256}, []string{"at+jwt"}, []string{"jti"}
	config := jwt.VerifierConfig{Schemes: []string{"Bearer"},
		Issuers: []jwt.Issuer{{Issuer: serviceIssuer, Audience: ours, Keys: keys,
			Checks: jwt.TokenChecks{Algorithms: algorithms, Types: types, Require: required}, User: jwt.SubjectUser}}}
	verifier, err := jwt.NewVerifier(config)
	if err != nil {
		t.Fatal(err)
	}
	amr := []string{"pwd"}
	options := jwt.Options{Scopes: []string{"read"}, AuthInfo: auth.AuthInfo{AMR: amr}}
	issued, err := tokens.Issue(t.Context(), "alice", options)
	if err != nil {
		t.Fatal(err)
	}

	audience[0], scopes[0], schemes[0], ours[0] = "https://changed.example", "changed", "Changed",
		"https://changed.example"
	algorithms[0], types[0], required[0], amr[0] = jwt.RS256, "changed", "changed", "changed"
	config.Schemes[0], config.Issuers[0].Issuer = "Changed", "https://changed.example"
	tokens.Challenges()[0].Scheme, verifier.Challenges()[0].Scheme = "Changed", "Changed"

	later, err := tokens.Refresh(t.Context(), issued.Refresh.Reveal())
	if err != nil {
		t.Fatalf("the pair from before the change is refused: %v", err)
	}
	for sentence, backend := range map[string]auth.Authenticator{"Tokens": tokens, "a Verifier": verifier} {
		t.Run(sentence, func(t *testing.T) {
			r, _ := http.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+later.Access.Reveal())
			_, credential, err := backend.Authenticate(r)
			token, ok := auth.As[*jwt.Token](credential)
			if !ok {
				t.Fatalf("refused: %v", err)
			}
			if scopes, _ := token.Scopes(); fmt.Sprint(scopes, token.Audience(), token.AuthInfo().AMR) != "[read] "+
				"[https://api.example] [pwd]" {
				t.Errorf("scopes %q, audience %q, AMR %q", scopes, token.Audience(), token.AuthInfo().AMR)
			}
		})
	}
	if got := tokens.Challenges()[0].Scheme; got != "Bearer" {
		t.Errorf("the challenge has scheme %q", got)
	}
}

func TestUnitAllMistakesAreToldAtOnce(t *testing.T) {
	_, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Lifetimes: jwt.Lifetimes{Grace: time.Hour},
		Scopes: []string{"a b"}, Cookie: jwt.CookieSettings{Name: "__Host-x"}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, says := range []string{"Config.Store is missing", "Config.LoadUser is missing", "Keys is missing", "Grace",
		`"a b" is not a scope`, "Config.Cookie"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not told: %v", says, err)
		}
	}
	for _, keys := range []jwt.KeySource{(*jwt.KeySet)(nil), (*jwt.Keyring)(nil)} {
		if _, err := jwt.New(jwt.Config{Issuer: serviceIssuer, Keys: keys, Store: jwt.NewMemoryStore(),
			LoadUser: newPeople().load}); err == nil {
			t.Errorf("a nil %T was accepted", keys)
		}
	}
}
