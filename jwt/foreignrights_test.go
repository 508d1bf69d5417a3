package jwt_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// absent is the value of a claim that is left out.
type absent struct{}

// foreignToken signs claims as another service does, with typ JWT.
func foreignToken(t *testing.T, key *jwt.Key, changes map[string]any) string {
	t.Helper()
	all := map[string]any{"iss": ourIssuer, "aud": ourAudience, "sub": "alice", "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Minute).Unix()}
	for name, value := range changes {
		if all[name] = value; value == (absent{}) {
			delete(all, name)
		}
	}
	token, err := jwt.Sign(key, "JWT", all)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// foreignVerifier is a Verifier as the documentation shows it, with changes.
func foreignVerifier(t *testing.T, key *jwt.Key, change func(*jwt.Issuer)) *jwt.Verifier {
	t.Helper()
	issuer := jwt.Issuer{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: keySet(t, nil, key.Public()),
		User: jwt.SubjectUser, Checks: jwt.TokenChecks{Types: []string{"at+jwt", "JWT"}}}
	if change != nil {
		change(&issuer)
	}
	v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// ask returns the status of a request with a token at a route with a policy, and the log.
func ask(t *testing.T, v auth.Authenticator, token string, policies ...auth.Policy) (status int, log string) {
	t.Helper()
	var lines bytes.Buffer
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{v}, Logger: slog.New(slog.NewTextHandler(&lines,
		nil))})
	if err != nil {
		t.Fatal(err)
	}
	h := guard.Require(policies...)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return serveRequest(h, "DELETE", "/", "Authorization", "Bearer "+token).Code, lines.String()
}

func TestUnitATokenOfOthersIsLimited(t *testing.T) {
	key := signing(t, jwt.ES256)
	v := foreignVerifier(t, key, nil)
	for sentence, claims := range map[string]map[string]any{
		"scp as a text, and azp":      {"scp": "reports:read", "azp": "some-app"}, // Entra
		"scp as an array, and cid":    {"scp": []string{"reports:read"}, "cid": "some-app"},
		"scope and client_id":         {"scope": "reports:read", "client_id": "some-app"},
		"appid alone":                 {"appid": "some-app"},
		"azp that is null":            {"azp": nil},
		"scope that is an object":     {"scope": map[string]any{}},
		"no claim of scope or client": {},
	} {
		t.Run(sentence, func(t *testing.T) {
			token := foreignToken(t, key, claims)
			if code, log := ask(t, v, token, auth.FullAccessOr("reports:write")); code != 403 {
				t.Errorf("want 403 at a route for full access or another scope, got %d: %s", code, log)
			}
			if code, _ := ask(t, v, token, auth.FullAccess); code != 403 {
				t.Errorf("want 403 at a route for full access, got %d", code)
			}
			_, reads := claims["scp"]
			if _, ok := claims["client_id"]; ok || reads {
				if code, log := ask(t, v, token, auth.Scopes("reports:read")); code != 200 {
					t.Errorf("want 200 at a route for its scope, got %d: %s", code, log)
				}
			}
		})
	}
}

func TestUnitAForgottenProfileIsInTheLog(t *testing.T) {
	key := signing(t, jwt.ES256)
	token := foreignToken(t, key, map[string]any{"sid": "s", "gen": 0})
	for sentence, policy := range map[string]auth.Policy{"full access": auth.FullAccess,
		"a scope": auth.Scopes("read"), "both": auth.FullAccessOr("read")} {
		t.Run(sentence, func(t *testing.T) {
			code, log := ask(t, foreignVerifier(t, key, nil), token, policy)
			if code != 403 || !strings.Contains(log, "jwt.Gatewarden()") || !strings.Contains(log,
				"Issuer.AllowFullAccess") {
				t.Errorf("%d: %s", code, log)
			}
		})
	}
	t.Run("with the profile there is full access", func(t *testing.T) {
		v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Profile = jwt.Gatewarden() })
		if code, log := ask(t, v, token, auth.FullAccess); code != 200 {
			t.Errorf("%d: %s", code, log)
		}
	})
}

func TestUnitAllowFullAccessIsForTokensWithoutAnySign(t *testing.T) {
	key := signing(t, jwt.ES256)
	v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.AllowFullAccess = true })
	if code, log := ask(t, v, foreignToken(t, key, nil), auth.FullAccess); code != 200 {
		t.Errorf("a token without any sign: %d: %s", code, log)
	}
	for _, name := range []string{"scope", "scp", "client_id", "azp", "cid", "appid"} {
		for _, value := range []any{nil, "", []string{}, map[string]any{}, 0, false} {
			_, text := value.(string)
			_, number := value.(int)
			want := 401 // a client that cannot be read
			if value == nil || text || number || name == "scope" || name == "scp" {
				want = 403
			}
			if code, _ := ask(t, v, foreignToken(t, key, map[string]any{name: value}), auth.FullAccess); code != want {
				t.Errorf("%s is %v: %d", name, value, code)
			}
		}
	}
	t.Run("scopes of machines are a sign in the token of a user", func(t *testing.T) {
		v := foreignVerifier(t, key, func(i *jwt.Issuer) {
			i.AllowFullAccess, i.Profile.MachineScopeClaims = true, []string{"roles"}
		})
		token := foreignToken(t, key, map[string]any{"roles": []string{"read"}})
		if code, _ := ask(t, v, token, auth.FullAccessOr("reports:write")); code != 403 {
			t.Errorf("want 403, got %d", code)
		}
	})
	t.Run("a machine has never full access", func(t *testing.T) {
		v := foreignVerifier(t, key, func(i *jwt.Issuer) {
			i.AllowFullAccess, i.Profile, i.User = true,
				jwt.Kubernetes(), nil
		})
		if code, _ := ask(t, v, foreignToken(t, key, nil), auth.AllowMachines, auth.FullAccess); code != 403 {
			t.Errorf("%d", code)
		}
	})
}

func TestUnitAMachineWithoutScopesIsToldWhatHelps(t *testing.T) {
	key := signing(t, jwt.ES256)
	for sentence, row := range map[string]struct {
		profile jwt.Profile
		claims  map[string]any
		want    string
	}{
		"where the profile reads no scopes": {jwt.Kubernetes(), nil, "Ask for no scope at the route"},
		"where it reads roles, too": {jwt.Entra(), map[string]any{"idtyp": "app", "oid": "o", "azp": "app"},
			"scopes in scp or roles"},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := foreignVerifier(t, key, func(i *jwt.Issuer) {
				i.Profile, i.AllowFullAccess, i.Checks.Types = row.profile, true, []string{"JWT"}
				i.Shared.AllowKeysWithoutIssuer = !row.profile.AllMachines
				if row.profile.AllMachines {
					i.User = nil
				}
			})
			code, log := ask(t, v, foreignToken(t, key, row.claims), auth.AllowMachines, auth.Scopes("deploy"))
			if code != 403 || !strings.Contains(log, row.want) || strings.Contains(log, "AllowFullAccess") ||
				strings.Contains(log, "Gatewarden") {
				t.Errorf("want 403 and %q, got %d: %s", row.want, code, log)
			}
		})
	}
}

func TestUnitAForgottenProfileIsToldOnceWhereNoScopeIsAsked(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	ours := map[string]any{"sid": "s", "gen": 0, "stamp": "x"}
	for sentence, row := range map[string]struct {
		profile jwt.Profile
		claims  map[string]any
		want    int
	}{
		"a token of jwt.New":                 {jwt.Profile{}, ours, 1},
		"with the profile":                   {jwt.Gatewarden(), map[string]any{"sid": "s", "gen": 0}, 0},
		"a provider that has sessions alone": {jwt.Profile{}, map[string]any{"sid": "s"}, 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			v, log := claimsVerifier(t, key, func(i *jwt.Issuer) { i.Profile = row.profile })
			for _, subject := range []string{"alice", "bob"} {
				claims := maps.Clone(row.claims)
				claims["sub"] = subject
				if _, _, err := v.VerifyToken(t.Context(), mintBy(t, key, claims)); err != nil {
					t.Fatal(err)
				}
			}
			if n := strings.Count(log.String(), "is not jwt.Gatewarden()"); n != row.want {
				t.Errorf("want it %d times, got %d: %s", row.want, n, log)
			}
		})
	}
}

func TestUnitOurClaimsMeanNothingInTokensOfOthers(t *testing.T) {
	key := signing(t, jwt.ES256)
	people := newPeople()
	v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.User, i.LoadUser = nil, people.load })
	own := foreignVerifier(t, key, func(i *jwt.Issuer) {
		i.Profile, i.User, i.LoadUser = jwt.Gatewarden(), nil,
			people.load
	})
	for name, value := range map[string]any{"stamp": "2026-11-27", "gen": "three", "refresh_exp": "never",
		"sid": map[string]any{}} {
		t.Run(name, func(t *testing.T) {
			token := foreignToken(t, key, map[string]any{name: value})
			if code, log := ask(t, v, token); code != 200 {
				t.Errorf("%d: %s", code, log)
			}
			if code, log := ask(t, own, token); code != 401 {
				t.Errorf("of ours: %d: %s", code, log)
			}
		})
	}
	t.Run("a stamp of others is not compared, also if the user has none", func(t *testing.T) {
		if code, log := ask(t, v, foreignToken(t, key, map[string]any{"stamp": "x", "sub": "bob"})); code != 200 {
			t.Errorf("%d: %s", code, log)
		}
	})
}

func TestUnitAnAddressNamesItsUserOnlyIfItIsVerified(t *testing.T) {
	key := signing(t, jwt.ES256)
	const address = "alice@corp.example"
	for _, row := range []struct {
		sentence, claim string
		claims          map[string]any
		allow           bool
		want            int
	}{
		{"verified", "email", map[string]any{"email": address, "email_verified": true}, false, 200},
		{"verified, in words", "email", map[string]any{"email": address, "email_verified": "true"}, false, 200},
		{"not verified", "email", map[string]any{"email": address, "email_verified": false}, false, 401},
		{"not verified, in words", "email", map[string]any{"email": address, "email_verified": "True"}, false, 401},
		{"verified by a number", "email", map[string]any{"email": address, "email_verified": 1}, false, 401},
		{"nothing is said", "email", map[string]any{"email": address}, false, 401},
		{"not verified, which is allowed", "email", map[string]any{"email": address}, true, 200},
		{"a user name that is the verified address", "preferred_username",
			map[string]any{"preferred_username": address, "email": address, "email_verified": true}, false, 200},
		{"a user name that is another's address", "preferred_username",
			map[string]any{"preferred_username": address, "email": "eve@evil.example", "email_verified": true}, false,
			401},
		{"a user name in upper case", "preferred_username",
			map[string]any{"preferred_username": strings.ToUpper(address), "email": address, "email_verified": true},
			false, 401},
		{"no address in email, not verified", "email", map[string]any{"email": "admin"}, false, 401},
		{"a number in email", "email", map[string]any{"email": 1, "email_verified": true}, false, 401},
		{"another at sign in email", "email", map[string]any{"email": "admin\uff20corp.example"}, false, 401},
		{"another at sign in a user name", "preferred_username",
			map[string]any{"preferred_username": "admin\uff20corp.example"}, false, 401},
		{"no address in email, verified", "email", map[string]any{"email": "admin", "email_verified": true},
			false, 200},
		{"upn alone", "upn", map[string]any{"upn": address}, false, 401},
		{"a user name that is no address", "preferred_username", map[string]any{"preferred_username": "alice"}, false,
			200},
		{"a subject is the issuer's own", "sub", map[string]any{"sub": address}, false, 200},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			v := foreignVerifier(t, key, func(i *jwt.Issuer) {
				i.Format.UserClaim, i.AllowUnverifiedEmail = row.claim,
					row.allow
			})
			code, log := ask(t, v, foreignToken(t, key, row.claims))
			if code != row.want || code == 401 && !strings.Contains(log, "AllowUnverifiedEmail") {
				t.Errorf("want %d, got %d: %s", row.want, code, log)
			}
		})
	}
}

// A user may choose the name of a client as user name, where Format.UserClaim is one that users choose.
func TestUnitAUserNameIsNoSignOfAMachine(t *testing.T) {
	key := signing(t, jwt.ES256)
	v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Format.UserClaim = "preferred_username" })
	token := foreignToken(t, key, map[string]any{"sub": "17", "preferred_username": "billing", "azp": "billing"})
	user, _, err := v.VerifyToken(context.Background(), token)
	if err != nil || user != (jwt.Subject{ID: "billing"}) {
		t.Errorf("want the user billing, got %T %v and %v", user, user, err)
	}
	token = foreignToken(t, key, map[string]any{"sub": "billing", "preferred_username": "alice", "azp": "billing"})
	if user, _, err = v.VerifyToken(context.Background(), token); err != nil || user != (auth.Machine{ID: "billing"}) {
		t.Errorf("want the machine billing, got %T %v and %v", user, user, err)
	}
}
