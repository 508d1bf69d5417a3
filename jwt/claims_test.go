package jwt_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// claimsVerifier checks tokens of refetchIssuer, and logs to the buffer.
func claimsVerifier(t testing.TB, key *jwt.Key, change func(*jwt.Issuer)) (*jwt.Verifier, *bytes.Buffer) {
	t.Helper()
	set, err := jwt.NewKeySet(nil, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	issuer := jwt.Issuer{Issuer: refetchIssuer, Audience: []string{"api"}, Keys: set, User: jwt.SubjectUser}
	if change != nil {
		change(&issuer)
	}
	var log bytes.Buffer
	v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer},
		Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return v, &log
}

// odd are values of types that no optional claim has.
var odd = map[string]any{"null": nil, "true": true, "an object": map[string]any{"x": 1},
	"an array of objects": []any{map[string]any{}}}

func TestUnitAnOddOptionalClaimOfOthersIsAbsent(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	for _, name := range []string{"acr", "amr", "auth_time", "nonce", "at_hash", "sid", "jti", "stamp", "gen",
		"refresh_exp",
		"email", "email_verified"} {
		for kind, value := range odd {
			t.Run(name+" is "+kind, func(t *testing.T) {
				v, log := claimsVerifier(t, key, nil)
				_, credential, err := v.VerifyToken(t.Context(), mintBy(t, key, map[string]any{name: value}))
				if err != nil {
					t.Fatalf("want the token to be good, got %v", err)
				}
				token := credential.(*jwt.Token)
				if info := token.AuthInfo(); info.ACR != "" || info.AMR != nil || !info.AuthTime.IsZero() ||
					token.SessionID() != "" ||
					token.ID() != "" {
					t.Errorf("want nothing of %s, got %+v %q %q", name, info, token.SessionID(), token.ID())
				}
				read := map[string]bool{"acr": true, "amr": true, "auth_time": true, "sid": true, "jti": true}[name]
				if told := strings.Contains(log.String(), name); told != (read && value != nil) {
					t.Errorf("want a line if %s is read and not null, got %s", name, log)
				}
			})
		}
	}
	t.Run("a private claim of ours means nothing, whatever it says", func(t *testing.T) {
		v, _ := claimsVerifier(t, key, func(i *jwt.Issuer) {
			i.User, i.LoadUser = nil, func(contextOf, string) (auth.User, error) { return stamped{"alice", "1"}, nil }
		})
		for _, changes := range []map[string]any{{"stamp": "2026-11-27"}, {"gen": "three"}, {"refresh_exp": "never"},
			{"sid": map[string]any{}}, {"stamp": "x", "gen": -1, "sid": "s"}} {
			if got := verdictOf(t, v, mintBy(t, key, changes)); got != nil {
				t.Errorf("%v: want the token to be good, got %v", changes, got)
			}
		}
	})
}

type stamped struct{ id, stamp string }

func (s stamped) UserID() string    { return s.id }
func (s stamped) AuthStamp() string { return s.stamp }

func TestUnitAClaimThatRestrictsATokenMustBeReadable(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	v, _ := claimsVerifier(t, key, nil)
	for _, name := range []string{"exp", "nbf", "iat", "aud"} {
		for kind, value := range odd {
			want := auth.ErrInvalid
			if value == nil && (name == "nbf" || name == "iat") {
				want = nil // exp and aud must be there
			}
			if got := verdictOf(t, v, mintBy(t, key, map[string]any{name: value})); got != want {
				t.Errorf("%s is %s: want %v, got %v", name, kind, want, got)
			}
		}
	}
	v, _ = claimsVerifier(t, key, func(i *jwt.Issuer) { i.Checks.AllowNoAudience, i.Checks.AllowNoExpiry = true, true })
	for _, name := range []string{"exp", "aud"} {
		if got := verdictOf(t, v, mintBy(t, key, map[string]any{name: nil})); got != nil {
			t.Errorf("%s is null where it may be absent: want the token to be good, got %v", name, got)
		}
		if got := verdictOf(t, v, mintBy(t, key, map[string]any{name: map[string]any{}})); got != auth.ErrInvalid {
			t.Errorf("%s is an object where it may be absent: want a refusal, got %v", name, got)
		}
	}
}

func TestUnitAnyScopeOrClientClaimIsASignOfDelegation(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	for _, full := range []bool{false, true} {
		v, _ := claimsVerifier(t, key, func(i *jwt.Issuer) { i.AllowFullAccess = full })
		for _, name := range []string{"scope", "scp", "client_id", "azp", "cid", "appid"} {
			for kind, value := range odd {
				_, credential, err := v.VerifyToken(t.Context(), mintBy(t, key, map[string]any{name: value}))
				if client := name != "scope" && name != "scp"; client && value != nil {
					if auth.KindOf(err) != auth.ErrInvalid {
						t.Errorf("%s is %s, so the token could be a machine's: want a refusal, got %v", name, kind, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s is %s: %v", name, kind, err)
				}
				if scopes, limited := credential.(*jwt.Token).Scopes(); !limited || len(scopes) != 0 {
					t.Errorf("%s is %s: want a token that is limited to nothing, got %v %v", name, kind,
						scopes, limited)
				}
			}
		}
	}
}

func TestUnitAClaimThatIsIgnoredIsLoggedOnceForItsIssuer(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	v, log := claimsVerifier(t, key, nil)
	for range 20 {
		if got := verdictOf(t, v, mintBy(t, key, map[string]any{"acr": 1, "jti": time.Now().UnixNano()})); got != nil {
			t.Fatal(got)
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 ||
		!strings.Contains(log.String(), "issuer="+refetchIssuer) ||
		!strings.Contains(log.String(), "claims=\"[jti acr]\"") {
		t.Errorf("want one line with both claims and the issuer, got %s", log)
	}
	forger := signing(t, jwt.EdDSA).WithID(key.ID())
	if got := verdictOf(t, v, mintBy(t, forger, map[string]any{"amr": 1})); got != auth.ErrInvalid ||
		strings.Contains(log.String(), "amr") {
		t.Errorf("want no line about a token that is not proved, got %v: %s", got, log)
	}
}

// FuzzOptionalClaims puts any value into a claim of a good token. If the token is refused then
// the claim restricts it, or says that it is another kind of token. It never gets more rights.
func FuzzOptionalClaims(f *testing.F) {
	for _, name := range []string{"acr", "amr", "auth_time", "azp", "sid", "jti", "stamp", "gen", "refresh_exp",
		"scope", "nonce"} {
		for _, value := range []string{`null`, `7`, `{}`, `[]`, `"x"`, `["x"]`, `[null]`, `true`, `1e400`, `"\ud800"`} {
			f.Add(name, value)
		}
	}
	key, err := jwt.GenerateKey(jwt.EdDSA)
	if err != nil {
		f.Fatal(err)
	}
	v, _ := claimsVerifier(f, key, func(i *jwt.Issuer) { i.AllowFullAccess = true })
	decides := map[string]bool{"iss": true, "sub": true, "aud": true, "exp": true, "nbf": true, "iat": true,
		"cnf": true}
	machine := map[string]bool{"client_id": true, "azp": true, "cid": true, "appid": true} // if it is the subject
	f.Fuzz(func(t *testing.T, name, value string) {
		if !json.Valid([]byte(value)) || decides[name] {
			return
		}
		now := time.Now()
		claims := map[string]any{"iss": refetchIssuer, "aud": "api", "sub": "alice", "exp": now.Add(time.Hour).Unix()}
		claims[name] = json.RawMessage(value)
		token, err := jwt.Sign(key, "at+jwt", claims)
		if err != nil || len(token) > auth.MaxAuthorization {
			return
		}
		user, credential, err := v.VerifyToken(t.Context(), token)
		if auth.KindOf(err) == auth.ErrUnrecognized {
			return // no claims: too deep, or no UTF-8
		}
		if err != nil && machine[name] && strings.Contains(err.Error(), "is not a string or a whole number") {
			return // the token could be a machine's
		}
		if err != nil {
			t.Fatalf("%q %s cost the token: %v", name, value, err)
		}
		_, limited := credential.(*jwt.Token).Scopes()
		sign := machine[name] || name == "scope" || name == "scp"
		if limited != sign {
			t.Errorf("%q %s: want limited to be %v", name, value, sign)
		}
		if user.UserID() != "alice" && !machine[name] {
			t.Errorf("%q %s made the user %s", name, value, user.UserID())
		}
	})
}
