package jwt_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

// lines are what a logger wrote.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

// taken returns what was written since the last call.
func (l *lines) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// marker is in every value of a token that must not be logged: it is not proved.
const marker = "f0rged"

// refusedToken is a token, and what the log says of its refusal.
type refusedToken struct {
	sentence string
	token    string
	issuer   func(*jwt.Issuer) // what is different of the issuer
	message  string            // what the client is told besides the one sentence
	cause    string            // as in the log
}

func TestUnitARefusedTokenSaysWhyToTheLogAndNothingMoreToTheClient(t *testing.T) {
	other := signing(t, jwt.ES256) // of no issuer here
	typ := func(typ string) string { return ours().sign("ES256", `{"alg":"ES256","typ":"`+typ+`"}`, payload(nil)) }
	by := func(algorithm, header string) string { return ours().sign(algorithm, header, payload(nil)) }
	forged := func(changes claims) string {
		return theirs().sign("ES256", `{"alg":"ES256","kid":"`+marker+`","typ":"at+jwt"}`, payload(changes))
	}
	people := newPeople()
	loads := func(i *jwt.Issuer) { i.User, i.LoadUser = nil, people.load }
	people.inactive["bob"] = true
	const (
		invalid = "Token is invalid"
		expired = "Token is expired"
		wrong   = "Token has wrong type"
	)
	for _, row := range []refusedToken{
		{"another audience", ourToken(claims{"aud": `"other"`}), nil, invalid,
			`aud is "other", want "https://api.example"; see Issuer.Audience`},
		{"other audiences", ourToken(claims{"aud": `["a","b"]`}), func(i *jwt.Issuer) {
			i.Audience = []string{"c", "d"}
		},
			invalid,
			`aud is ["a", "b"], want one of ["c", "d"]; see Issuer.Audience`},
		{"no audience", ourToken(claims{"aud": ""}), nil, invalid,
			`aud is missing, want "https://api.example"; see Issuer.Checks.AllowNoAudience`},
		{"another issuer", ourToken(claims{"iss": `"https://` + marker + `"`}), nil, invalid,
			`iss of the token is another one, want "https://login.example"; see Issuer.Issuer`},
		{"an issuer with a slash", ourToken(claims{"iss": `"https://login.example/"`}), nil, invalid,
			`iss differs from ours only by a slash at its end, want "https://login.example"; see Issuer.Issuer`},
		{"no issuer", ourToken(claims{"iss": ""}), nil, invalid, "iss is missing; see Issuer.Checks.AllowNoIssuer"},
		{"typ JWT", typ("JWT"), nil, wrong, `typ is "JWT", want "at+jwt"; see Issuer.Checks.Types`},
		{"no typ", by("ES256", `{"alg":"ES256"}`), nil, wrong, `typ is "", want "at+jwt"; see Issuer.Checks.Types`},
		{"a type claim", ourToken(claims{"token_type": `"refresh"`}),
			func(i *jwt.Issuer) { i.Format = jwt.Format{TypeClaim: "token_type"} }, wrong,
			`token_type is "refresh", want "access"`},
		{"a token bound to a key", ourToken(claims{"cnf": `{}`}), nil, invalid,
			"cnf or the kind of the token binds it to a key, so it is no bearer token; see Issuer.AllowBoundTokens"},
		{"a kind of the profile", ourToken(claims{"typ": `"Refresh"`}),
			func(i *jwt.Issuer) { i.Profile, i.Checks.Types = jwt.Keycloak(), []string{"at+jwt"} }, wrong,
			`typ is "Refresh", want "Bearer"; see Issuer.Profile`},
		{"no claim that an access token has", ourToken(nil),
			func(i *jwt.Issuer) { i.Profile, i.Checks.Types = jwt.Auth0(), []string{"at+jwt"} }, wrong,
			"azp or client_id is missing, which an access token of the issuer has; see Issuer.Profile"},
		{"a user or a machine", ourToken(claims{"azp": `"web"`, "sub": `"x@clients"`}),
			func(i *jwt.Issuer) { i.Profile, i.Checks.Types = jwt.Auth0(), []string{"at+jwt"} }, "",
			`sub "x@clients" may be a machine's, and the other claims do not agree; see Issuer.Profile`},
		{"an address that is not verified", ourToken(claims{"upn": `"a@b.example"`}),
			func(i *jwt.Issuer) { i.Format.UserClaim = "upn" }, "",
			`upn "a@b.example" is an address, and the issuer does not say in email and email_verified that it is the ` +
				"user's; see Issuer.AllowUnverifiedEmail"},
		{"expired", ourToken(claims{"exp": in(-90)}), nil, expired, "exp is past by 1m3"},
		{"no end", ourToken(claims{"exp": ""}), nil, invalid, "exp is missing; see Issuer.Checks.AllowNoExpiry"},
		{"not yet", ourToken(claims{"nbf": in(3650)}), nil, invalid, "nbf is ahead of our clock by 1h0m"},
		{"of tomorrow", ourToken(claims{"iat": in(86450)}), nil, invalid, "iat is ahead of our clock by 24h0m"},
		{"nbf of another type", ourToken(claims{"nbf": `"x"`}), nil, invalid,
			"nbf is not a number of seconds since 1970"},
		{"a claim of another type", ourToken(claims{"jti": "1"}), func(i *jwt.Issuer) { i.Profile = jwt.Gatewarden() },
			invalid, "jti is not a string"},
		{"a claim twice", ourToken(nil, `"sub":"`+marker+`"`), nil, invalid, "the token has a claim twice"},
		{"a required claim", ourToken(nil), func(i *jwt.Issuer) { i.Checks.Require = []string{"role"} }, invalid,
			"role is missing; see Issuer.Checks.Require"},
		{"no subject", ourToken(claims{"sub": ""}), nil, "", "sub is missing or not an identifier; see Issuer.Format"},
		{"the subject of a client", ourToken(claims{"sub": `"client:web"`}), nil, "",
			`sub "client:web" starts as the identifier of a client`},
		{"claims of the application", ourToken(nil), func(i *jwt.Issuer) {
			i.Claims = func([]byte) (any,
				error) {
				return nil, errors.New("no role")
			}
		}, invalid,
			"the payload is refused; see Issuer.Claims: no role"},

		{"a forged signature", theirs().sign("ES256", es256, payload(claims{"sub": `"` + marker + `"`})), nil, invalid,
			"the signature of the token does not hold"},
		{"an unknown key", forged(claims{"sub": `"` + marker + `"`}), nil, invalid,
			"no key has the kid of the header; 4 keys are known"},
		{"an unknown key and another audience", forged(claims{"aud": `"` + marker + `"`}), nil, invalid,
			"no key has the kid of the header, and the token is refused by its aud, too (nothing in it is proved)"},
		{"a key for another algorithm", by("ES256", `{"alg":"RS256","kid":"ES256"}`), nil, invalid,
			"the key with the kid of the header is not for its alg"},
		{"no kid, and several keys", by("ES256", `{"alg":"ES256"}`), func(i *jwt.Issuer) {
			i.Keys = keySet(t, other,
				signing(t, jwt.ES256))
		}, invalid,
			"the header has no kid, and several keys are for its alg; 2 keys are known"},
		{"no key for the algorithm", by("RS256", `{"alg":"RS256"}`), func(i *jwt.Issuer) { i.Keys = keySet(t, other) },
			invalid,
			"no key is for the alg of the header; 1 key is known"},
		{"another algorithm", by("ES256", `{"alg":"`+marker+`"}`),
			func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{jwt.RS256, jwt.ES256} }, invalid,
			`alg of the header is not accepted, want one of ["ES256", "RS256"]; see Issuer.Checks.Algorithms`},
		{"a key in the header", by("ES256", `{"alg":"ES256","jku":"https://`+marker+`"}`), nil, invalid,
			"the header of the token has jwk, jku, x5u or x5c"},
		{"crit", by("ES256", `{"alg":"ES256","crit":["`+marker+`"]}`), nil, invalid,
			"the header of the token has crit"},
		{"a signature that is no base64url", ourToken(nil) + "=", nil, invalid,
			"the signature of the token is not base64url"},
		{"no JWT", marker, nil, invalid, "the token is not three parts in base64url"},
		{"an encrypted one", marker + ".a.b.c.d", nil, invalid, "an encrypted JWT has five and cannot be read"},
		{"a header that is no object", encode(`"`+marker+`"`) + ".e30.e30", nil, invalid,
			"the header of the token is not a JSON object with an alg"},
		{"a payload that is no object", by("ES256", es256)[:len(encode(es256))] + "." + encode(`"`+marker+`"`) + ".e30",
			nil, invalid,
			"the payload of the token is not a JSON object"},

		{"revoked", ourToken(nil), func(i *jwt.Issuer) {
			i.Revocations = revocations(func(jwt.Claimed) (bool, error) { return true, nil })
		}, "Token is blacklisted", "the store says that the token is revoked"},
		{"an unknown user", ourToken(claims{"sub": `"carol"`}), loads, "",
			`sub "carol" is refused as a user; see Issuer.LoadUser`},
		{"an inactive user", ourToken(claims{"sub": `"bob"`}), loads, "",
			`User is inactive: sub "bob" is refused as a user; see Issuer.LoadUser`},
		{"a user that User refuses", ourToken(nil), func(i *jwt.Issuer) {
			i.User = func(contextOf, *jwt.Token) (auth.User, error) {
				return nil, &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("left the company")}
			}
		}, "", `sub "alice" is refused as a user; see Issuer.User: auth: invalid credential: left the company`},
		{"the stamp of a user changed", ourToken(claims{"stamp": `"x"`}),
			func(i *jwt.Issuer) { loads(i); i.Profile = jwt.Gatewarden() }, "",
			"the user's stamp is another one than when the token was issued"},
		{"the stamp of a user that has none", ourToken(claims{"stamp": `"x"`}), func(i *jwt.Issuer) {
			i.User, i.LoadUser = nil, func(contextOf, string) (auth.User, error) {
				return jwt.Subject{ID: "alice"}, nil
			}
			i.Profile = jwt.Gatewarden()
		}, "", "the user that was loaded has none; see auth.Stamper"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			issuer := jwt.Issuer{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: ours().keys,
				User: jwt.SubjectUser}
			if row.issuer != nil {
				row.issuer(&issuer)
			}
			verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}})
			if err != nil {
				t.Fatal(err)
			}
			row.check(t, verifier)
		})
	}
}

// The clock of a bubble stands still, so the causes are known to the second.
func TestUnitTheLogSaysByHowMuchAnInstantIsOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		verifier := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser})
		for token, want := range map[string]string{
			ourToken(claims{"exp": in(-90)}):   "exp is past by 1m30s; see Issuer.Checks.Leeway",
			ourToken(claims{"nbf": in(3600)}):  "nbf is ahead of our clock by 1h0m0s; see Issuer.Checks.Leeway",
			ourToken(claims{"iat": in(86400)}): "iat is ahead of our clock by 24h0m0s; see Issuer.Checks.Leeway",
		} {
			if _, _, err := verifier.VerifyToken(t.Context(), token); err == nil ||
				!strings.Contains(err.Error(), want) {
				t.Errorf("want %s, got %v", want, err)
			}
		}
	})
}

// check presents the token to a guard over a connection, and as a bare token.
func (row refusedToken) check(t *testing.T, backend interface {
	auth.Authenticator
	auth.TokenVerifier
}) {
	t.Helper()
	log := &lines{}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{backend}, Logger: log.logger()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(guard.Require()(http.NotFoundHandler()))
	defer server.Close()
	r, err := http.NewRequest("GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+row.token)
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 401 {
		t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	if got, _, _ := strings.Cut(log.taken(), "\n"); !strings.Contains(memberOf(t, []byte(got), "error"), row.cause) {
		t.Errorf("the log says\n%s\nwant in it\n%s", got, row.cause)
	} else if strings.Contains(got, marker) {
		t.Errorf("the log has what is not proved: %s", got)
	}
	_, _, err = backend.VerifyToken(t.Context(), row.token)
	if !strings.Contains(err.Error(), row.cause) {
		t.Errorf("VerifyToken: %v", err)
	}
	if row.message != "" {
		want := `{"code":"token_not_valid","detail":"Given token not valid for any token type",` +
			`"messages":[{"message":"` +
			row.message +
			`","token_class":"AccessToken","token_type":"access"}],"status":401,"title":"Unauthorized","type":"about:blank"}` +
			"\n"
		if string(text) != want {
			t.Errorf("the client is told\n%s\nwant\n%s", text, want)
		}
	} else if said := string(text); strings.Contains(said, row.cause) || strings.Contains(said, "Issuer") ||
		len(said) > 200 {
		t.Errorf("the client is told %s", said)
	}
}

func TestUnitARefusedTokenOfOursNamesTheSettingsOfConfig(t *testing.T) {
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Keys, c.Issuer, c.Audience = keySet(t, ourKey(t)), ourIssuer, []string{ourAudience}
	})
	sign := func(typ string, changes claims) string { return ourSigned(t, typ, payload(changes)) }
	const invalid, wrong = "Token is invalid", "Token has wrong type"
	for _, row := range []refusedToken{
		{"another audience", sign("at+jwt", claims{"aud": `"other"`}), nil, invalid,
			`aud is "other", want "https://api.example"; see Config.Audience`},
		{"another issuer", sign("at+jwt", claims{"iss": `"` + marker + `"`}), nil, invalid,
			`want "https://login.example"; see Config.Issuer`},
		{"a refresh token", sign("refresh+jwt", nil), nil, wrong,
			`typ is "refresh+jwt", want one of ["at+jwt", "sliding+jwt"]`},
		{"typ JWT", sign("JWT", nil), nil, wrong,
			`typ is "JWT", want one of ["at+jwt", "sliding+jwt"]; see Config.Compat.Format`},
		{"no session", sign("at+jwt", nil), nil, invalid,
			"sid is missing: something else made the token; see Config.Compat.AllowNoSession"},
		{"no generation", sign("at+jwt", claims{"sid": `"s"`}), nil, invalid,
			"sid or gen is missing, and the other is there"},
		{"a scope", sign("at+jwt", claims{"scope": `"read"`}), nil, invalid,
			"scope is there, so the token does not have full access; see Config.Scopes"},
		{"no identifier", sign("at+jwt", claims{"jti": ""}), nil, "Token has no id", "jti is missing"},
		{"no end", sign("at+jwt", claims{"exp": ""}), nil, invalid, "exp is missing"},
		{"of a login that the store does not have", sign("at+jwt", claims{"sid": `"s"`, "gen": "0"}), nil,
			"Token is blacklisted", "the store says that the token is revoked"},
		{"alg", theirs().sign("RS256", `{"alg":"RS256"}`, payload(nil)), nil, invalid,
			"no key is for the alg of the header"},
	} {
		t.Run(row.sentence, func(t *testing.T) { row.check(t, tokens) })
	}
	t.Run("a scope that is not one of ours", func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) {
			c.Keys, c.Issuer, c.Audience, c.Scopes = keySet(t, ourKey(t)), ourIssuer, []string{ourAudience}, []string{
				"write"}
		})
		refusedToken{token: sign("at+jwt", claims{"scope": `"read"`, "sid": `"s"`, "gen": "0"}), message: invalid,
			cause: `scope "read" is not one of ours; see Config.Scopes`}.check(t, tokens)
	})
}

// ourKey is a key that signs, of our signers.
func ourKey(t *testing.T) *jwt.Key {
	t.Helper()
	key, err := jwt.NewKey(jwt.ES256, ours().ec)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ourSigned signs a payload as [jwt.Tokens] with ourKey do.
func ourSigned(t *testing.T, typ, payload string) string {
	t.Helper()
	return ours().sign("ES256", `{"alg":"ES256","kid":"`+ourKey(t).ID()+`","typ":"`+typ+`"}`, payload)
}

func TestUnitAnUnknownRemoteKeySaysWhereKeysCameFrom(t *testing.T) {
	issuer := authtest.NewIssuer(t)
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{Issuer: issuer.URL(), Logger: (&lines{}).logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the number of keys, their address and when they were fetched", func(t *testing.T) {
		verifier := verifierOf(t, jwt.Issuer{Issuer: issuer.URL(), Keys: keys, User: jwt.SubjectUser})
		_, _, err := verifier.VerifyToken(t.Context(), theirs().sign("ES256", `{"alg":"ES256","kid":"`+marker+
			`","typ":"at+jwt"}`,
			payload(claims{"iss": `"` + issuer.URL() + `"`})))
		want := "no key has the kid of the header; 1 key is known, fetched from " + issuer.URL() + "/"
		if auth.KindOf(err) != auth.ErrInvalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(),
			" at "+time.Now().UTC().Format("2006-")) ||
			strings.Contains(err.Error(), marker) {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestUnitATokenThatIsTooLongNamesTheSetting(t *testing.T) {
	t.Run("of a verifier", func(t *testing.T) {
		_, _, err := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser}).VerifyToken(t.Context(),
			strings.Repeat("x", 9000))
		if err == nil || !strings.HasSuffix(err.Error(),
			"the token is longer than 8192 bytes; see VerifierConfig.MaxLength") {
			t.Error(err)
		}
	})
}

func TestUnitABearerWithAColonIsMalformed(t *testing.T) {
	s := newService(t, nil)
	for _, header := range []string{"Bearer: x", "Bearer=x", "bearer:"} {
		t.Run(header, func(t *testing.T) {
			if got := s.do("GET", "/me", "", "Authorization", header); got.status != 400 ||
				got.member("code") != "bad_authorization_header" {
				t.Errorf("%d %s", got.status, got.text)
			}
		})
	}
}
