package jwt_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

type contextOf = context.Context

var noContext = context.Background()

// published is a source of keys that is not a KeySet or a Keyring.
type published struct{ keys *jwt.KeySet }

func (p published) Current(context.Context, time.Time) (*jwt.KeySet, error) { return p.keys, nil }

func (p published) Renew(context.Context, string, time.Time) (*jwt.KeySet, error) { return p.keys, nil }

// in is the second so many from now, in JSON.
func in(seconds int64) string { return fmt.Sprint(time.Now().Unix() + seconds) }

func leeway(d time.Duration) func(*jwt.Issuer) {
	return func(i *jwt.Issuer) { i.Checks.Leeway = d }
}

// RS21, and peer defects 25 and 26.
func TestTimesOfATokenHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := []presented{
			{sentence: "a token is good until the second before its exp", token: ourToken(claims{"exp": in(1)})},
			{sentence: "a token is no good at its exp", token: ourToken(claims{"exp": in(0)}), want: auth.ErrInvalid},
			{sentence: "with 10 seconds of leeway it is good for 9 after", token: ourToken(claims{"exp": in(-9)}),
				issuer: leeway(10 * time.Second)},
			{sentence: "and not for 10", token: ourToken(claims{"exp": in(-10)}), issuer: leeway(10 * time.Second),
				want: auth.ErrInvalid},
			{sentence: "exp with a fraction", token: ourToken(claims{"exp": in(10) + ".5"})},
			{sentence: "a fraction of exp is cut off", token: ourToken(claims{"exp": in(0) + ".9"}),
				want: auth.ErrInvalid},
			{sentence: "exp with an exponent", token: ourToken(claims{"exp": "9.5e9"})},
			{sentence: "no exp, where it may be missing", token: ourToken(claims{"exp": ""}),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoExpiry = true }},
			{sentence: "exp counts where it may be missing", token: ourToken(claims{"exp": in(0)}),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoExpiry = true }, want: auth.ErrInvalid},
			{sentence: "an exp of 1970 counts where it may be missing", token: ourToken(claims{"exp": "0"}),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoExpiry = true }, want: auth.ErrInvalid},
			{sentence: "and one before", token: ourToken(claims{"exp": "-1"}),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoExpiry = true }, want: auth.ErrInvalid},
			{sentence: "an exp of Go's zero time is none that is missing",
				token:  ourToken(claims{"exp": "-62135596800"}),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoExpiry = true }, want: auth.ErrInvalid},

			{sentence: "nbf is now", token: ourToken(claims{"nbf": in(0)})},
			{sentence: "nbf is 3 seconds ahead, as of a clock that is", token: ourToken(claims{"nbf": in(3)})},
			{sentence: "nbf is 5 seconds ahead", token: ourToken(claims{"nbf": in(5)})},
			{sentence: "nbf is 6 seconds ahead", token: ourToken(claims{"nbf": in(6)}), want: auth.ErrInvalid},
			{sentence: "nbf is 60 seconds ahead, with a minute of leeway", token: ourToken(claims{"nbf": in(60)}),
				issuer: leeway(time.Minute)},
			{sentence: "nbf is 61 seconds ahead, with a minute of leeway", token: ourToken(claims{"nbf": in(61)}),
				issuer: leeway(time.Minute), want: auth.ErrInvalid},
			{sentence: "nbf is 2 seconds ahead, with one of leeway", token: ourToken(claims{"nbf": in(2)}),
				issuer: leeway(time.Second), want: auth.ErrInvalid},
			{sentence: "nbf is long ago", token: ourToken(claims{"nbf": "0"})},
			{sentence: "nbf is before 1970", token: ourToken(claims{"nbf": "-1"})},
			{sentence: "iat is 3 seconds ahead, as of a clock that is", token: ourToken(claims{"iat": in(3)})},
			{sentence: "iat is 5 seconds ahead", token: ourToken(claims{"iat": in(5)})},
			{sentence: "iat is 6 seconds ahead", token: ourToken(claims{"iat": in(6)}), want: auth.ErrInvalid},
			{sentence: "iat is 61 seconds ahead, with a minute of leeway", token: ourToken(claims{"iat": in(61)}),
				issuer: leeway(time.Minute), want: auth.ErrInvalid},
			{sentence: "iat is 60 seconds ahead, with a minute of leeway", token: ourToken(claims{"iat": in(60)}),
				issuer: leeway(time.Minute)},
			{sentence: "no iat", token: ourToken(claims{"iat": ""})},
		}
		for _, bad := range []string{`"` + in(300) + `"`, "null", "true", "{}", "[" + in(300) + "]", "1e20", "1e999",
			"-1e20", "9007199254740993",
			"18446744073709551616", in(300) + "000", "-62135596800"} {
			for _, name := range []string{"exp", "nbf", "iat", "auth_time"} {
				want := auth.ErrInvalid
				if name == "auth_time" && bad == "1e999" {
					continue // Claims of these tests cannot read it; FuzzOptionalClaims can
				}
				if name == "auth_time" || bad == "null" && name != "exp" {
					want = nil // absent
				}
				all = append(all, presented{sentence: name + " is " + bad, token: ourToken(claims{name: bad}),
					want: want})
			}
		}
		for _, past := range []string{"0", "-1", "-0", "1", "1.5e3", in(-300)} {
			all = append(all, presented{sentence: "exp is " + past, token: ourToken(claims{"exp": past}),
				want: auth.ErrInvalid})
		}
		check(t, all)
	})
}

// RS16, RS17, RS19, RS20 and RS22.
func TestClaimsOfATokenHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		typ := func(typ string) string { return ours().sign("ES256", `{"alg":"ES256","typ":"`+typ+`"}`, payload(nil)) }
		without := ours().sign("ES256", `{"alg":"ES256"}`, payload(nil))
		types := func(all ...string) func(*jwt.Issuer) { return func(i *jwt.Issuer) { i.Checks.Types = all } }
		noAudience := func(i *jwt.Issuer) { i.Checks.AllowNoAudience = true }
		noIssuer := func(i *jwt.Issuer) { i.Checks.AllowNoIssuer = true }
		own := func(i *jwt.Issuer) { i.Profile = jwt.Gatewarden() }
		all := []presented{
			{sentence: "typ at+jwt", token: typ("at+jwt")},
			{sentence: "typ AT+JWT", token: typ("AT+JWT")},
			{sentence: "typ application/at+jwt", token: typ("application/at+jwt")},
			{sentence: "typ Application/AT+JWT", token: typ("Application/AT+JWT")},
			{sentence: "typ JWT", token: typ("JWT"), want: auth.ErrInvalid},
			{sentence: "no typ", token: without, want: auth.ErrInvalid},
			{sentence: "typ refresh+jwt", token: typ("refresh+jwt"), want: auth.ErrInvalid},
			{sentence: "typ at+jwt and a space", token: typ("at+jwt "), want: auth.ErrInvalid},
			{sentence: "typ text/at+jwt", token: typ("text/at+jwt"), want: auth.ErrInvalid},
			{sentence: "typ application/application/at+jwt", token: typ("application/application/at+jwt"),
				want: auth.ErrInvalid},
			{sentence: "typ dpop+jwt", token: typ("dpop+jwt"), want: auth.ErrInvalid},
			{sentence: "typ logout+jwt", token: typ("logout+jwt"), want: auth.ErrInvalid},
			{sentence: "an empty typ", token: typ(""), want: auth.ErrInvalid},
			{sentence: "an ID token of the same issuer for us",
				token: ours().sign("ES256", `{"alg":"ES256","typ":"JWT"}`, payload(nil, `"nonce":"n"`)),
				want:  auth.ErrInvalid},
			{sentence: "typ JWT, which is listed", token: typ("JWT"), issuer: types("JWT")},
			{sentence: "typ jwt, which is listed in capitals", token: typ("jwt"), issuer: types("application/JWT")},
			{sentence: "typ at+jwt, where only JWT is listed", token: typ("at+jwt"), issuer: types("JWT"),
				want: auth.ErrInvalid},
			{sentence: "no typ, where only JWT is listed", token: without, issuer: types("JWT"), want: auth.ErrInvalid},
			{sentence: "no typ, which is listed", token: without, issuer: types("")},
			{sentence: "typ JWT, where only none is listed", token: typ("JWT"), issuer: types(""),
				want: auth.ErrInvalid},
			{sentence: "a type with a slash is not shortened (RFC 7515 §4.1.9)", token: typ("application/example/jwt"),
				issuer: types("example/jwt"), want: auth.ErrInvalid},
			{sentence: "a list of no types", token: typ("at+jwt"), issuer: types([]string{}...)},

			{sentence: "another issuer", token: ourToken(claims{"iss": `"https://other.example"`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss with a slash at its end", token: ourToken(claims{"iss": `"` + ourIssuer + `/"`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss in capitals", token: ourToken(claims{"iss": `"` + strings.ToUpper(ourIssuer) + `"`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss with a port", token: ourToken(claims{"iss": `"` + ourIssuer + `:443"`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss and a space", token: ourToken(claims{"iss": `"` + ourIssuer + ` "`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss and NUL", token: ourToken(claims{"iss": `"` + ourIssuer + `\u0000"`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss in an array", token: ourToken(claims{"iss": `["` + ourIssuer + `"]`}),
				want: auth.ErrUnrecognized},
			{sentence: "iss is a number", token: ourToken(claims{"iss": `1`}), want: auth.ErrUnrecognized},
			{sentence: "iss is null", token: ourToken(claims{"iss": `null`}), want: auth.ErrUnrecognized},
			{sentence: "iss is empty", token: ourToken(claims{"iss": `""`}), want: auth.ErrUnrecognized},
			{sentence: "no iss", token: ourToken(claims{"iss": ""}), want: auth.ErrUnrecognized},
			{sentence: "iss with escapes is iss", token: ourToken(claims{"iss": `"https:\/\/login\u002eexample"`})},
			{sentence: "no iss, where it may be missing", token: ourToken(claims{"iss": ""}), issuer: noIssuer},
			{sentence: "iss, where it may be missing", token: ourToken(nil), issuer: noIssuer},
			{sentence: "an empty iss, where it may be missing", token: ourToken(claims{"iss": `""`}), issuer: noIssuer,
				want: auth.ErrUnrecognized},
			{sentence: "iss is null, where it may be missing", token: ourToken(claims{"iss": `null`}),
				issuer: noIssuer},
			{sentence: "another iss, where it may be missing",
				token: ourToken(claims{"iss": `"https://other.example"`}), issuer: noIssuer,
				want: auth.ErrUnrecognized},

			{sentence: "aud is us", token: ourToken(nil)},
			{sentence: "aud has us", token: ourToken(claims{"aud": `["https://other.example","` + ourAudience + `"]`})},
			{sentence: "aud has others", token: ourToken(claims{"aud": `["https://other.example"]`}),
				want: auth.ErrInvalid},
			{sentence: "aud is a beginning of us", token: ourToken(claims{"aud": `"https://api.exampl"`}),
				want: auth.ErrInvalid},
			{sentence: "aud begins like us", token: ourToken(claims{"aud": `"` + ourAudience + `.evil"`}),
				want: auth.ErrInvalid},
			{sentence: "aud has a slash at its end", token: ourToken(claims{"aud": `"` + ourAudience + `/"`}),
				want: auth.ErrInvalid},
			{sentence: "aud is us in capitals",
				token: ourToken(claims{"aud": `"` + strings.ToUpper(ourAudience) + `"`}), want: auth.ErrInvalid},
			{sentence: "aud names us among others, with spaces",
				token: ourToken(claims{"aud": `"x ` + ourAudience + `"`}), want: auth.ErrInvalid},
			{sentence: "aud is an empty array", token: ourToken(claims{"aud": `[]`}), want: auth.ErrInvalid},
			{sentence: "aud is empty", token: ourToken(claims{"aud": `""`}), want: auth.ErrInvalid},
			{sentence: "no aud", token: ourToken(claims{"aud": ""}), want: auth.ErrInvalid},
			{sentence: "aud is null", token: ourToken(claims{"aud": `null`}), want: auth.ErrInvalid},
			{sentence: "aud is a number", token: ourToken(claims{"aud": `1`}), want: auth.ErrInvalid},
			{sentence: "aud is an object", token: ourToken(claims{"aud": `{"` + ourAudience + `":1}`}),
				want: auth.ErrInvalid},
			{sentence: "aud has us and a number", token: ourToken(claims{"aud": `["` + ourAudience + `",1]`}),
				want: auth.ErrInvalid},
			{sentence: "aud has us and null", token: ourToken(claims{"aud": `["` + ourAudience + `",null]`}),
				want: auth.ErrInvalid},
			{sentence: "aud has us, deeper", token: ourToken(claims{"aud": `[["` + ourAudience + `"]]`}),
				want: auth.ErrInvalid},
			{sentence: "no aud, where it may be missing", token: ourToken(claims{"aud": ""}), issuer: noAudience},
			{sentence: "another aud, where it may be missing",
				token: ourToken(claims{"aud": `"https://other.example"`}), issuer: noAudience, want: auth.ErrInvalid},
			{sentence: "aud is an empty array, where it may be missing", token: ourToken(claims{"aud": `[]`}),
				issuer: noAudience, want: auth.ErrInvalid},
			{sentence: "no aud, where it may be missing and none is ours", token: ourToken(claims{"aud": ""}),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoAudience, i.Audience = true, nil }},
			{sentence: "some aud, where it may be missing and none is ours", token: ourToken(nil),
				issuer: func(i *jwt.Issuer) { i.Checks.AllowNoAudience, i.Audience = true, nil },
				want:   auth.ErrInvalid},

			{sentence: "exp twice", token: ourToken(nil, `"exp":`+in(900)), want: auth.ErrInvalid},
			{sentence: "iss twice", token: ourToken(nil, `"iss":"`+ourIssuer+`"`), want: auth.ErrInvalid},
			{sentence: "iss twice, first of others", token: ours().sign("ES256", es256, `{"iss":"x",`+payload(nil)[1:]),
				want: auth.ErrUnrecognized},
			{sentence: "an unknown name twice", token: ourToken(nil, `"x":1`, `"x":1`), want: auth.ErrInvalid},
			{sentence: "exp twice, once with an escape", token: ourToken(nil, `"\u0065xp":`+in(900)),
				want: auth.ErrInvalid},
			{sentence: "exp of another case besides", token: ourToken(nil, `"EXP":1`, `"Exp":"x"`)},
			{sentence: "exp of another case instead", token: ourToken(claims{"exp": ""}, `"EXP":`+in(300)),
				want: auth.ErrInvalid},
			{sentence: "sub of another case instead", token: ourToken(claims{"sub": ""}, `"Sub":"alice"`),
				want: auth.ErrInvalid},
			{sentence: "aud with a long s", token: ourToken(claims{"sub": ""}, `"ſub":"alice"`), want: auth.ErrInvalid},

			{sentence: "sub is a whole number", token: ourToken(claims{"sub": "17"}), user: "17"},
			{sentence: "no sub", token: ourToken(claims{"sub": ""}), want: auth.ErrInvalid},
			{sentence: "sub is empty", token: ourToken(claims{"sub": `""`}), want: auth.ErrInvalid},
			{sentence: "sub with NUL", token: ourToken(claims{"sub": `"alice\u0000"`}), want: auth.ErrInvalid},
			{sentence: "sub with half a surrogate pair", token: ourToken(claims{"sub": `"alice\udc00"`}),
				want: auth.ErrInvalid},
			{sentence: "sub of a client", token: ourToken(claims{"sub": `"client:x"`}), want: auth.ErrInvalid},
			{sentence: "sub of a client, with an escape", token: ourToken(claims{"sub": `"\u0063lient:"`}),
				want: auth.ErrInvalid},
			{sentence: "sub that begins with client", token: ourToken(claims{"sub": `"client"`}), user: "client"},

			{sentence: "scope", token: ourToken(claims{"scope": `"read"`})},
			{sentence: "an empty scope", token: ourToken(claims{"scope": `""`})},
			{sentence: "scope in an array", token: ourToken(claims{"scope": `["read"]`})},
			{sentence: "scope is null", token: ourToken(claims{"scope": `null`})},
			{sentence: "scope is a number", token: ourToken(claims{"scope": `1`})},
			{sentence: "client_id", token: ourToken(claims{"client_id": `"c1"`})},
			{sentence: "an empty client_id", token: ourToken(claims{"client_id": `""`})},
			{sentence: "a token bound to a key", token: ourToken(claims{"cnf": `{"jkt":"x"}`}), want: auth.ErrInvalid},
			{sentence: "a token of ours bound to a key", token: ourToken(claims{"cnf": `{"jkt":"x"}`}), issuer: own,
				want: auth.ErrInvalid},
			{sentence: "a token bound to a key, which is allowed", token: ourToken(claims{"cnf": `{"jkt":"x"}`}),
				issuer: func(i *jwt.Issuer) { i.AllowBoundTokens = true }},

			{sentence: "a payload that is an array", token: ours().sign("ES256", es256, `[`+payload(nil)+`]`),
				want: auth.ErrUnrecognized},
			{sentence: "a payload that is a string", token: ours().sign("ES256", es256, `"x"`),
				want: auth.ErrUnrecognized},
			{sentence: "a payload that is null", token: ours().sign("ES256", es256, `null`),
				want: auth.ErrUnrecognized},
			{sentence: "a payload of no claims", token: ours().sign("ES256", es256, `{}`), want: auth.ErrUnrecognized},
			{sentence: "a payload of two objects", token: ours().sign("ES256", es256, payload(nil)+payload(nil)),
				want: auth.ErrUnrecognized},
			{sentence: "a payload with a byte order mark", token: ours().sign("ES256", es256, "\ufeff"+payload(nil)),
				want: auth.ErrUnrecognized},
			{sentence: "a payload that is not UTF-8",
				token: ours().sign("ES256", es256, payload(nil, "\"x\":\"\xff\"")), want: auth.ErrUnrecognized},
			{sentence: "a payload with much white space",
				token: ours().sign("ES256", es256, " \r\n"+strings.ReplaceAll(payload(nil), ",", " ,\n")+"\t")},
			{sentence: "a payload with 100 more claims", token: ourToken(nil, many(100)...)},
			{sentence: "a token in a token", token: ours().sign("ES256", es256, ourToken(nil)),
				want: auth.ErrUnrecognized},
		}
		for _, name := range []string{"jti", "sid", "stamp", "acr"} {
			for _, bad := range []string{"1", "null", "true", `["x"]`, `{}`, `"\u0000"`, `"\ud800"`} {
				want := auth.ErrInvalid
				if name == "acr" || bad == "null" {
					want = nil // absent
				}
				all = append(all,
					presented{sentence: name + " is " + bad, token: ourToken(claims{name: bad}), issuer: own,
						want: want},
					presented{sentence: name + " of others is " + bad, token: ourToken(claims{name: bad})})
			}
		}
		for _, bad := range []string{"1", "null", `[1]`, `{}`, `["\u0000"]`} {
			all = append(all, presented{sentence: "amr is " + bad, token: ourToken(claims{"amr": bad})})
		}
		require := func(i *jwt.Issuer) { i.Checks.Require = []string{"client_id", "iat", "jti"} }
		complete := claims{"client_id": `"c1"`}
		all = append(all, presented{sentence: "all claims of RFC 9068 §2.2", token: ourToken(complete),
			issuer: require})
		for name, want := range map[string]error{"iss": auth.ErrUnrecognized, "exp": auth.ErrInvalid,
			"aud": auth.ErrInvalid, "sub": auth.ErrInvalid,
			"client_id": auth.ErrInvalid, "iat": auth.ErrInvalid, "jti": auth.ErrInvalid} {
			changes := claims{"client_id": `"c1"`}
			changes[name] = ""
			all = append(all, presented{sentence: "without " + name, token: ourToken(changes), issuer: require,
				want: want})
		}
		check(t, all)
	})
}

func many(n int) (members []string) {
	for i := range n {
		members = append(members, fmt.Sprintf(`"m%d":%d`, i, i))
	}
	return members
}

// The wire of djangorestframework-simplejwt: user_id and token_type.
func TestTokensInTheFormatOfSimpleJWT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		django := func(i *jwt.Issuer) {
			i.Format, i.Checks.AllowNoIssuer, i.Checks.AllowNoAudience = jwt.SimpleJWT(), true, true
		}
		token := func(changes claims) string {
			with := claims{"iss": "", "aud": "", "sub": "", "user_id": `"alice"`, "token_type": `"access"`}
			for name, value := range changes {
				with[name] = value
			}
			return ours().sign("HS256", `{"alg":"HS256","typ":"JWT"}`, payload(with))
		}
		all := []presented{
			{sentence: "an access token", token: token(nil)},
			{sentence: "user_id is a number, as before 5.5.1", token: token(claims{"user_id": "17"}), user: "17"},
			{sentence: "user_id is a string of digits", token: token(claims{"user_id": `"17"`}), user: "17"},
			{sentence: "typ of RFC 9068", token: ours().sign("HS256", `{"alg":"HS256","typ":"at+jwt"}`,
				payload(claims{"user_id": `"alice"`, "token_type": `"access"`}))},
			{sentence: "a refresh token", token: token(claims{"token_type": `"refresh"`}), want: auth.ErrInvalid},
			{sentence: "a sliding token", token: token(claims{"token_type": `"sliding"`}), want: auth.ErrInvalid},
			{sentence: "no token_type", token: token(claims{"token_type": ""}), want: auth.ErrInvalid},
			{sentence: "no token_type, but typ of an access token",
				token: ours().sign("HS256", `{"alg":"HS256","typ":"at+jwt"}`, payload(claims{"user_id": `"alice"`})),
				want:  auth.ErrInvalid},
			{sentence: "token_type Access", token: token(claims{"token_type": `"Access"`}), want: auth.ErrInvalid},
			{sentence: "token_type is empty", token: token(claims{"token_type": `""`}), want: auth.ErrInvalid},
			{sentence: "token_type is an array", token: token(claims{"token_type": `["access"]`}),
				want: auth.ErrInvalid},
			{sentence: "token_type is null", token: token(claims{"token_type": `null`}), want: auth.ErrInvalid},
			{sentence: "sub instead of user_id", token: token(claims{"user_id": "", "sub": `"alice"`}),
				want: auth.ErrInvalid},
			{sentence: "sub besides user_id", token: token(claims{"sub": `"bob"`})},
		}
		for _, bad := range []string{"true", "{}", "[17]", "1.5", "1.0", "17e0", "null", `""`, `"client:x"`, `"\u0000"`,
			"100000000000000000000000000"} {
			all = append(all, presented{sentence: "user_id is " + bad, token: token(claims{"user_id": bad}),
				want: auth.ErrInvalid})
		}
		for i := range all {
			all[i].issuer = django
		}
		check(t, all)
	})
}

func TestATokenLimitedByItsScopes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		verifier := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser})
		for value, want := range map[string][]string{`"read write"`: {"read", "write"}, `""`: nil,
			`["read","write"]`: {"read", "write"}} {
			_, credential, err := verifier.VerifyToken(t.Context(), ourToken(claims{"scope": value}))
			if err != nil {
				t.Fatal(err)
			}
			if scopes, limited := credential.(auth.Scoped).Scopes(); !limited || !slices.Equal(scopes, want) {
				t.Errorf("%s: %q, %v", value, scopes, limited)
			}
		}
		_, credential, err := verifier.VerifyToken(t.Context(), ourToken(claims{"client_id": `"c1"`}))
		if scopes, limited := credential.(auth.Scoped).Scopes(); err != nil || !limited || len(scopes) != 0 ||
			credential.(*jwt.Token).ClientID() != "c1" {
			t.Errorf("client_id alone: %q, %v, %v", scopes, limited, err)
		}
		for sentence, issuer := range map[string]jwt.Issuer{"of ours": {Profile: jwt.Gatewarden()},
			"where it is allowed": {AllowFullAccess: true}, "of others": {}} {
			issuer.User = jwt.SubjectUser
			if _, credential, err = verifierOf(t, issuer).VerifyToken(t.Context(), ourToken(nil)); err != nil {
				t.Fatal(err)
			}
			if _, limited := credential.(auth.Scoped).Scopes(); limited != (sentence == "of others") {
				t.Errorf("a token without scope %s: limited is %v", sentence, limited)
			}
		}
	})
}

func TestATokenTellsWhatItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type ours struct {
			Role string `json:"role"`
		}
		verifier := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser, Claims: jwt.ClaimsAs[ours]})
		user, credential, err := verifier.VerifyToken(t.Context(),
			ourToken(claims{"aud": `["x","` + ourAudience + `"]`, "sid": `"s1"`, "auth_time": in(-60),
				"amr": `["pwd","otp"]`, "acr": `"2"`, "role": `"admin"`}))
		if err != nil {
			t.Fatal(err)
		}
		token := credential.(*jwt.Token)
		now := time.Now().UTC()
		login := token.AuthInfo()
		if user != (jwt.Subject{ID: "alice"}) || token.Backend() != "jwt" || token.ID() != "5f5f" ||
			token.Issuer() != ourIssuer || token.Subject() != "alice" ||
			!slices.Equal(token.Audience(), []string{"x", ourAudience}) || token.SessionID() != "s1" ||
			token.ClientID() != "" ||
			!token.IssuedAt().Equal(now) || !token.ExpiresAt().Equal(now.Add(300*time.Second)) ||
			!login.AuthTime.Equal(now.Add(-time.Minute)) || !slices.Equal(login.AMR, []string{"pwd", "otp"}) ||
			login.ACR != "2" {
			t.Errorf("%+v, %+v", user, token)
		}
		if claims, ok := jwt.ClaimsOf[*ours](token); !ok || claims.Role != "admin" {
			t.Errorf("%+v, %v", claims, ok)
		}
		if _, ok := jwt.ClaimsOf[ours](token); ok {
			t.Error("claims of a type that they are not")
		}
		var decoded ours
		if err := token.Decode(&decoded); err != nil || decoded.Role != "admin" {
			t.Errorf("%+v, %v", decoded, err)
		}
		token.Audience()[0] = "changed" // RFC: a credential is shared between requests
		if token.Audience()[0] != "x" {
			t.Error("Audience can be changed")
		}
	})
}

// verifierOf is a verifier of our issuer, as far as it is not said otherwise.
func verifierOf(t testing.TB, issuers ...jwt.Issuer) *jwt.Verifier {
	t.Helper()
	for i := range issuers {
		issuers[i].Issuer = either(issuers[i].Issuer, ourIssuer)
		if issuers[i].Audience == nil {
			issuers[i].Audience = []string{ourAudience}
		}
		if issuers[i].Keys == nil {
			issuers[i].Keys = ours().keys
		}
	}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: issuers})
	if err != nil {
		t.Fatal(err)
	}
	return verifier
}

// RS24, and peer defect 22: keys are those of their issuer, and kids are only
// names within it.
func TestKeysOfOneIssuerVerifyNoTokensOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const otherIssuer = "https://other.example"
		verifier := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser, MachinePrefix: "a/"},
			jwt.Issuer{Issuer: otherIssuer, Keys: theirs().keys, User: jwt.SubjectUser,
				Checks: jwt.TokenChecks{AllowNoIssuer: true}, MachinePrefix: "b/"})
		of := func(issuer string) string { return payload(claims{"iss": issuer}) }
		for _, header := range []string{es256, `{"alg":"ES256","typ":"at+jwt","kid":"ES256"}`} { // the same kid at both
			for _, c := range []struct {
				sentence string
				by       *signers
				issuer   string
				want     error
			}{
				{"ours by our key", ours(), `"` + ourIssuer + `"`, nil},
				{"theirs by their key", theirs(), `"` + otherIssuer + `"`, nil},
				{"ours by their key", theirs(), `"` + ourIssuer + `"`, auth.ErrInvalid},
				{"theirs by our key", ours(), `"` + otherIssuer + `"`, auth.ErrInvalid},
				{"without iss by their key, who need none", theirs(), "", nil},
				{"without iss by our key", ours(), "", auth.ErrInvalid},
				{"of a third by our key", ours(), `"https://third.example"`, auth.ErrUnrecognized},
			} {
				for range 2 {
					_, credential, err := verifier.VerifyToken(t.Context(), c.by.sign("ES256", header, of(c.issuer)))
					if auth.KindOf(err) != c.want {
						t.Errorf("%s: %v", c.sentence, err)
					}
					if err == nil && credential.(*jwt.Token).Issuer() != strings.Trim(c.issuer, `"`) {
						t.Errorf("%s: issuer %q", c.sentence, credential.(*jwt.Token).Issuer())
					}
				}
			}
		}
	})
}

// A token without kid could be of each of many keys. Trying one public key after
// the other is work that anybody could ask for.
func TestATokenWithoutKidIsNotTriedWithManyPublicKeys(t *testing.T) {
	one, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	other, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(nil, one, other)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		verifier := verifierOf(t, jwt.Issuer{Keys: keys, User: jwt.SubjectUser})
		for id, want := range map[string]error{one.ID(): nil, "": auth.ErrInvalid, other.ID(): auth.ErrInvalid} {
			token, err := jwt.Sign(one.WithID(id), "at+jwt", map[string]any{"iss": ourIssuer, "aud": ourAudience,
				"sub": "alice", "exp": time.Now().Unix() + 60})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := verifier.VerifyToken(t.Context(), token); auth.KindOf(err) != want {
				t.Errorf("kid %q: %v", id, err)
			}
		}
	})
}

// Peer defect 28: what is too long or has not three parts is refused before it is
// looked at.
func TestGarbageCostsNothing(t *testing.T) {
	source := &source{keys: ours().keys}
	verifier := verifierOf(t, jwt.Issuer{Keys: source, User: jwt.SubjectUser})
	header, body := encode(es256), encode(payload(nil))
	for _, c := range []struct {
		sentence, token string
		bytes           uint64
		want            error
	}{
		{"1 MiB", strings.Repeat("a", 1<<20), 0, auth.ErrMalformed},
		{"1 MiB in three parts", header + "." + strings.Repeat("a", 1<<20) + ".a", 0, auth.ErrMalformed},
		{"1 MiB of header", strings.Repeat("a", 1<<20) + "." + body + ".a", 0, auth.ErrMalformed},
		{"100,000 dots", strings.Repeat(".", 100_000), 0, auth.ErrMalformed},
		{"8 KiB and a byte", strings.Repeat("a", 8<<10+1), 0, auth.ErrMalformed},
		{"8,000 dots", strings.Repeat(".", 8_000), 0, auth.ErrUnrecognized},
		{"8,000 dots after a header", header + strings.Repeat(".", 7_000) + "a", 0, auth.ErrUnrecognized},
		{"8,000 parts", strings.Repeat("a.", 4_000) + "a", 0, auth.ErrUnrecognized},
		{"8 KiB without a dot", strings.Repeat("a", 8<<10), 0, auth.ErrUnrecognized},
		{"a header of 8 KiB of letters", strings.Repeat("a", 8000) + "." + body[:100] + ".a", 16 << 10,
			auth.ErrUnrecognized},
		{"a payload of 8 KiB of letters", header + "." + strings.Repeat("a", 8000) + ".a", 16 << 10,
			auth.ErrUnrecognized},
		{"a header of nothing but names", encode(`{`+strings.Repeat(`"":0,`, 1150)) + "." + body[:100] + ".a",
			160 << 10, auth.ErrUnrecognized},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			if _, _, err := verifier.VerifyToken(t.Context(), c.token); auth.KindOf(err) != c.want {
				t.Error(err)
			}
			ctx := t.Context()
			const times = 100
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range times {
				_, _, _ = verifier.VerifyToken(ctx, c.token)
			}
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) / times; got > c.bytes+64 { // of what runs besides
				t.Errorf("%d bytes are allocated", got)
			}
		})
	}
	if source.asked.Load() > 0 {
		t.Errorf("the source of keys was asked %d times", source.asked.Load())
	}
	guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{verifier}})
	if err != nil {
		t.Fatal(err)
	}
	h := guard.Require()(http.NotFoundHandler())
	for value, want := range map[string]int{"Bearer " + strings.Repeat("a", 1<<20): 400,
		"Bearer " + strings.Repeat(".", 100_000): 400, "Bearer " + strings.Repeat(".", 8000): 401,
		"Bearer": 400, "Bearer ": 400, "Bearer a b": 400, "Bearer \xff": 400, "Bearer a,b": 400,
		"Basic YTpi": 401, "": 401} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{value}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%.20q: %d", value, w.Code)
		}
	}
}

// source is a source of keys that change, and fail.
type source struct {
	mu             sync.Mutex
	keys           *jwt.KeySet
	err            error
	asked, renewed atomic.Int64
	byRenew        *jwt.KeySet // what Renew returns, if it is set
}

func (s *source) Current(context.Context, time.Time) (*jwt.KeySet, error) {
	s.asked.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.err
}

func (s *source) Renew(context.Context, string, time.Time) (*jwt.KeySet, error) {
	s.renewed.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byRenew != nil {
		s.keys = s.byRenew
	}
	return s.keys, s.err
}

func (s *source) set(keys *jwt.KeySet, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.err = keys, err
}

// RS23, as far as it is the verifier's.
func TestKeysAreRenewedOnlyForATokenThatIsElseGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		header := func(kid string) string { return `{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `"}` }
		for _, c := range []struct {
			sentence, token string
			want            int64
		}{
			{"a known kid", ours().sign("ES256", header("ES256"), payload(nil)), 0},
			{"no kid", ourToken(nil), 0},
			{"an unknown kid", ours().sign("ES256", header("new"), payload(nil)), 1},
			{"an unknown kid of another issuer", ours().sign("ES256", header("new"), payload(claims{"iss": `"x"`})), 0},
			{"an unknown kid of an expired token", ours().sign("ES256", header("new"), payload(claims{"exp": in(0)})),
				0},
			{"an unknown kid of a token for others", ours().sign("ES256", header("new"), payload(claims{"aud": `"x"`})),
				0},
			{"an unknown kid of another type", ours().sign("ES256", `{"alg":"ES256","kid":"new"}`, payload(nil)), 0},
			{"an unknown kid and alg none", ours().sign("ES256", `{"alg":"none","typ":"at+jwt","kid":"new"}`,
				payload(nil)), 0},
			{"an unknown kid and an algorithm that is not accepted",
				ours().sign("HS256", `{"alg":"HS256","typ":"at+jwt","kid":"new"}`, payload(nil)), 0},
			{"an unknown kid and crit", ours().sign("ES256", `{"alg":"ES256","typ":"at+jwt","kid":"new","crit":["x"]}`,
				payload(nil)), 0},
			{"an unknown kid and a signature that is no base64url", encode(header("new")) + "." +
				encode(payload(nil)) + ".AB", 0},
		} {
			source := &source{keys: ours().keys}
			verifier := verifierOf(t, jwt.Issuer{Keys: source, User: jwt.SubjectUser})
			_, _, err := verifier.VerifyToken(t.Context(), c.token)
			if got := source.renewed.Load(); got != c.want || (auth.KindOf(err) == nil) != (err == nil) {
				t.Errorf("%s: %d, %v", c.sentence, got, err)
			}
		}
		var renamed []*jwt.Key
		for _, k := range ours().keys.Keys() {
			renamed = append(renamed, k.WithID("new "+k.ID()))
		}
		keys, err := jwt.NewKeySet(nil, renamed...)
		if err != nil {
			t.Fatal(err)
		}
		source := &source{keys: ours().keys, byRenew: keys}
		verifier := verifierOf(t, jwt.Issuer{Keys: source, User: jwt.SubjectUser})
		for range 3 {
			if _, _, err := verifier.VerifyToken(t.Context(),
				ours().sign("ES256", header("new ES256"), payload(nil))); err != nil || source.renewed.Load() != 1 {
				t.Errorf("a key that is new: %v, %d", err, source.renewed.Load())
			}
		}
	})
}

func TestWhatCannotBeDecidedIsNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := errors.New("the database is down")
		for sentence, issuer := range map[string]jwt.Issuer{
			"keys":                 {Keys: &source{err: down}, User: jwt.SubjectUser},
			"no keys and no error": {Keys: &source{}, User: jwt.SubjectUser},
			"revocations": {User: jwt.SubjectUser,
				Revocations: revocations(func(jwt.Claimed) (bool, error) { return false, down })},
			"the user": {LoadUser: auth.UserLoader(func(context.Context, string) (auth.User, error) {
				return nil, down
			})},
			"User": {User: func(context.Context, *jwt.Token) (auth.User, error) { return nil, down }},
			"a store that says it knows the kind": {User: jwt.SubjectUser,
				Revocations: revocations(func(jwt.Claimed) (bool, error) {
					return false, fmt.Errorf("%w: %w", auth.ErrInvalid, down)
				})},
		} {
			verifier := verifierOf(t, issuer)
			for range 2 {
				user, credential, err := verifier.VerifyToken(t.Context(), ourToken(nil))
				if err == nil || auth.KindOf(err) != nil || user != nil || credential != nil {
					t.Errorf("%s: %v, %v, %v", sentence, user, credential, err)
				}
			}
			if _, _, err := verifier.VerifyToken(t.Context(), ourToken(claims{"iss": `"x"`})); auth.KindOf(
				err) != auth.ErrUnrecognized {
				t.Errorf("%s, and a token of others: %v", sentence, err)
			}
		}
		for sentence, refuse := range map[string]error{"not found": auth.ErrUserNotFound,
			"inactive": auth.ErrUserInactive, "wrapped": fmt.Errorf("17: %w", auth.ErrUserNotFound)} {
			for _, issuer := range []jwt.Issuer{
				{LoadUser: func(context.Context, string) (auth.User, error) { return nil, refuse }},
				{User: func(context.Context, *jwt.Token) (auth.User, error) { return nil, refuse }},
				{User: jwt.SubjectUser, Claims: func([]byte) (any, error) { return nil, down }},
			} {
				if _, _, err := verifierOf(t, issuer).VerifyToken(t.Context(), ourToken(nil)); auth.KindOf(
					err) != auth.ErrInvalid || errors.Is(err, down) {
					t.Errorf("%s: %v", sentence, err)
				}
			}
		}
	})
}

type revocations func(jwt.Claimed) (bool, error)

func (f revocations) Revoked(_ context.Context, c jwt.Claimed, _ time.Time) (bool, error) {
	return f(c)
}

// Peer defect 27: nothing of a token that is not verified reaches the application.
func TestNothingIsCalledForAForgedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []string
		verifier := verifierOf(t, jwt.Issuer{
			LoadUser: func(context.Context, string) (auth.User, error) {
				calls = append(calls, "LoadUser")
				return jwt.Subject{ID: "alice"}, nil
			},
			Claims: func([]byte) (any, error) { calls = append(calls, "Claims"); return nil, nil },
			Revocations: revocations(func(jwt.Claimed) (bool, error) {
				calls = append(calls, "Revoked")
				return false, nil
			})})
		good := ourToken(nil)
		segments := strings.Split(good, ".")
		for _, forged := range []string{
			theirs().sign("ES256", es256, payload(nil)), segments[0] + "." + encode(payload(claims{"sub": `"bob"`})) +
				"." + segments[2],
			good[:len(good)-4] + "AAAA", ourToken(claims{"exp": in(0)}), ourToken(claims{"aud": `"x"`}), ourToken(
				claims{"sub": ""}), ourToken(claims{"sub": `"client:x"`}),
		} {
			if _, _, err := verifier.VerifyToken(t.Context(), forged); auth.KindOf(err) != auth.ErrInvalid ||
				len(calls) > 0 {
				t.Errorf("%s: %v, %q", forged, err, calls)
			}
		}
		if _, _, err := verifier.VerifyToken(t.Context(), good); err != nil ||
			!slices.Equal(calls, []string{"Claims", "Revoked", "LoadUser"}) {
			t.Errorf("%v, %q", err, calls)
		}
	})
}

func TestRevocationAndUserAreAskedAtEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var revoked, gone bool
		asked, loaded, made := 0, 0, 0
		issued := time.Now()
		verifier := verifierOf(t, jwt.Issuer{
			LoadUser: func(_ context.Context, id string) (auth.User, error) {
				loaded++
				if gone {
					return nil, auth.ErrUserNotFound
				}
				return jwt.Subject{ID: id}, nil
			},
			Claims: func([]byte) (any, error) { made++; return made, nil },
			Revocations: revocations(func(c jwt.Claimed) (bool, error) {
				if asked++; c.UserID != "alice" || c.Generation >= 0 || c.SessionID != "" || c.Digest != "" ||
					!c.IssuedAt.Equal(issued) {
					t.Errorf("%+v", c)
				}
				return revoked, nil
			})})
		token := ourToken(claims{"sid": `"of another service"`})
		for i := range 5 {
			_, credential, err := verifier.VerifyToken(t.Context(), token)
			if claims, ok := jwt.ClaimsOf[int](credential.(*jwt.Token)); err != nil || asked != i+1 || loaded != i+1 ||
				made != 1 || !ok || claims != 1 {
				t.Errorf("request %d: %v, asked %d, loaded %d, made %d", i, err, asked, loaded, made)
			}
			time.Sleep(time.Second) // the clock of the bubble
		}
		gone = true
		if _, _, err := verifier.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
			t.Error(err)
		}
		gone, revoked = false, true
		if _, _, err := verifier.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid || loaded != 6 {
			t.Error(err, loaded)
		}
	})
}

// Peer defects 14 and 15.
func TestARememberedTokenDiesAtItsExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, leeway := range []time.Duration{0, 10 * time.Second} {
			verifier := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser, Checks: jwt.TokenChecks{Leeway: leeway}})
			token := ourToken(claims{"exp": in(2)})
			for range 2 {
				if _, _, err := verifier.VerifyToken(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				if _, found := jwt.Cached(verifier, token, time.Now()); !found {
					t.Error("not remembered")
				}
				time.Sleep(time.Second)
			}
			// It is now the second of exp.
			if _, found := jwt.Cached(verifier, token, time.Now()); found {
				t.Error("remembered at its exp")
			}
			if _, _, err := verifier.VerifyToken(t.Context(), token); (err == nil) != (leeway > 0) {
				t.Errorf("leeway %v: %v", leeway, err)
			}
			if _, found := jwt.Cached(verifier, token, time.Now()); found {
				t.Error("a token that only leeway lets through is remembered")
			}
			fresh := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser, Checks: jwt.TokenChecks{Leeway: leeway}})
			_, _, _ = fresh.VerifyToken(t.Context(), token)
			if n, _ := jwt.Cached(fresh, token, time.Now()); n > 0 {
				t.Error("a token that only leeway lets through has a place in the cache")
			}
			time.Sleep(leeway)
			if _, _, err := verifier.VerifyToken(t.Context(), token); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("leeway %v, after it: %v", leeway, err)
			}
		}
	})
}

func TestATokenIsRememberedForTheTTLOfTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, noExp := range []bool{false, true} {
			made := 0
			verifier, err := jwt.NewVerifier(jwt.VerifierConfig{CacheTTL: time.Minute,
				Issuers: []jwt.Issuer{{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: ours().keys,
					User: jwt.SubjectUser, Checks: jwt.TokenChecks{AllowNoExpiry: noExp},
					Claims: func([]byte) (any, error) {
						made++
						return nil, nil
					}}}})
			if err != nil {
				t.Fatal(err)
			}
			token := ourToken(claims{"exp": map[bool]string{true: "", false: in(3600)}[noExp]})
			for i, wait := range []time.Duration{0, time.Minute - 1, 1, 0} {
				time.Sleep(wait)
				if _, _, err := verifier.VerifyToken(t.Context(), token); err != nil || made != []int{1, 1, 2, 2}[i] {
					t.Errorf("step %d: %v, checked %d times", i, err, made)
				}
			}
		}
	})
}

// Peer defect 20: what verified with keys that are no more is nothing.
func TestOtherKeysVoidWhatIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &source{keys: ours().keys}
		verifier := verifierOf(t, jwt.Issuer{Keys: source, User: jwt.SubjectUser})
		token := ourToken(nil)
		verify := func() error { _, _, err := verifier.VerifyToken(t.Context(), token); return err }
		for range 2 {
			if err := verify(); err != nil {
				t.Fatal(err)
			}
		}
		source.set(theirs().keys, nil)
		for range 2 {
			if err := verify(); auth.KindOf(err) != auth.ErrInvalid {
				t.Errorf("keys that do not have it: %v", err)
			}
		}
		same, err := jwt.NewKeySet(nil, ours().keys.Keys()...)
		if err != nil {
			t.Fatal(err)
		}
		source.set(same, nil)
		for range 2 {
			if err := verify(); err != nil {
				t.Errorf("other keys that have it: %v", err)
			}
		}
		source.set(nil, errors.New("down"))
		if err := verify(); err == nil || auth.KindOf(err) != nil {
			t.Errorf("no keys to be had: %v", err)
		}
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	const size, tokens = 64, 400
	keys := keySetOf(t, rfc7515A1Key) // cheap ones
	verifier, err := jwt.NewVerifier(
		jwt.VerifierConfig{CacheSize: size,
			Issuers: []jwt.Issuer{{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: keys,
				User: jwt.SubjectUser}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range tokens {
		token, err := jwt.Sign(keys.Keys()[0], "at+jwt", map[string]any{"iss": ourIssuer, "aud": ourAudience,
			"sub": fmt.Sprint(i), "exp": time.Now().Unix() + 60})
		if err != nil {
			t.Fatal(err)
		}
		if user, _, err := verifier.VerifyToken(t.Context(), token); err != nil || user.UserID() != fmt.Sprint(i) {
			t.Fatal(user, err)
		}
		if n, found := jwt.Cached(verifier, token, time.Now()); n > size || !found {
			t.Fatalf("%d remembered, the last one %v", n, found)
		}
		// Forged ones push nothing out.
		if n, _ := jwt.Cached(verifier, token, time.Now()); i%10 == 0 {
			_, _, _ = verifier.VerifyToken(t.Context(), token[:len(token)-4]+"AAAA")
			if after, found := jwt.Cached(verifier, token, time.Now()); after != n || !found {
				t.Fatalf("a forged token: %d, %d", n, after)
			}
		}
	}
	if n, _ := jwt.Cached(verifier, "", time.Now()); n < size/2 {
		t.Errorf("%d of %d are remembered", n, size)
	}
}

func TestHeadersAreRememberedOfGoodTokensAndFew(t *testing.T) {
	keys := keySetOf(t, rfc7515A1Key)
	verifier := verifierOf(t, jwt.Issuer{Keys: keys, User: jwt.SubjectUser})
	for i := range 300 {
		header := fmt.Sprintf(`{"alg":"HS256","typ":"at+jwt","n":%d}`, i)
		if _, _, err := verifier.VerifyToken(t.Context(), ours().sign("HS256", header, payload(nil))); auth.KindOf(
			err) != auth.ErrInvalid {
			t.Fatal(err)
		}
	}
	if n := jwt.KnownHeaders(verifier); n != 0 {
		t.Errorf("%d headers of forged tokens", n)
	}
	for i := range 300 {
		token := forge("HS256", rfcSecret(t), fmt.Sprintf(`{"alg":"HS256","typ":"at+jwt","n":%d}`, i), payload(nil))
		if _, _, err := verifier.VerifyToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if n := jwt.KnownHeaders(verifier); n > 64 {
			t.Fatalf("%d headers", n)
		}
	}
	long := forge("HS256", rfcSecret(t), `{"alg":"HS256","typ":"at+jwt","n":"`+strings.Repeat("n", 2000)+`"}`,
		payload(nil))
	before := jwt.KnownHeaders(verifier)
	if _, _, err := verifier.VerifyToken(t.Context(), long); auth.KindOf(err) != auth.ErrUnrecognized ||
		jwt.KnownHeaders(verifier) != before {
		t.Error(err, jwt.KnownHeaders(verifier), before)
	}
}

// Peer defect 16: a look into the memory of a service gives no token of it.
func TestNoTokenIsKept(t *testing.T) {
	verifier := verifierOf(t, jwt.Issuer{User: jwt.SubjectUser, Claims: jwt.ClaimsAs[map[string]any]})
	var tokens []string
	for range 20 {
		token := ourToken(claims{"jti": fmt.Sprintf("%q", fmt.Sprint(len(tokens)))})
		if _, _, err := verifier.VerifyToken(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	strs, hashes := 0, 0
	jwt.Strings(verifier, func(text string) {
		strs++
		if len(text) == 32 {
			hashes++
		}
		for _, token := range tokens {
			segments := strings.Split(token, ".")
			if strings.Contains(text, segments[2]) || strings.Contains(text, segments[1]) {
				t.Fatalf("kept: %q", text)
			}
		}
	})
	if strs < 100 || hashes < 20 {
		t.Errorf("only %d strings were looked at, %d of them hashes", strs, hashes)
	}
}

// Peer defects 17 and 24.
func TestManyAtOnceGetTheirOwnUser(t *testing.T) {
	other, err := jwt.NewKeySet(nil, ours().keys.Keys()...)
	if err != nil {
		t.Fatal(err)
	}
	sets := []*jwt.KeySet{ours().keys, other}
	source := &source{keys: sets[0]}
	verifier, err := jwt.NewVerifier(jwt.VerifierConfig{CacheSize: 32,
		Issuers: []jwt.Issuer{{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: source,
			LoadUser: func(_ context.Context, id string) (auth.User, error) {
				return person{id, "stamp"}, nil
			}, Claims: jwt.ClaimsAs[map[string]any]}}})
	if err != nil {
		t.Fatal(err)
	}
	var tokens []string
	for i := range 48 {
		tokens = append(tokens, ourToken(claims{"sub": fmt.Sprintf(`"user %d"`, i)}))
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 60 {
				if g == 0 {
					source.set(sets[i%2], nil)
				}
				at := (g*7 + i) % len(tokens)
				user, credential, err := verifier.VerifyToken(t.Context(), tokens[at])
				if want := fmt.Sprintf("user %d", at); err != nil || user.UserID() != want ||
					credential.(*jwt.Token).Subject() != want {
					t.Errorf("%v, %v, want %s", user, err, want)
					return
				}
				claims, _ := jwt.ClaimsOf[*map[string]any](credential.(*jwt.Token))
				if (*claims)["sub"] != user.UserID() {
					t.Errorf("%v has claims of %v", user, (*claims)["sub"])
				}
				if _, _, err := verifier.VerifyToken(t.Context(), tokens[at][:len(tokens[at])-4]+"AAAA"); auth.KindOf(
					err) != auth.ErrInvalid {
					t.Errorf("forged: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	good := func() jwt.Issuer {
		return jwt.Issuer{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: ours().keys, User: jwt.SubjectUser}
	}
	loader := auth.UserLoader(func(context.Context, string) (auth.User, error) { return nil, nil })
	for sentence, change := range map[string]func(*jwt.Issuer){
		"no issuer":         func(i *jwt.Issuer) { i.Issuer = "" },
		"no audience":       func(i *jwt.Issuer) { i.Audience = nil },
		"an empty audience": func(i *jwt.Issuer) { i.Audience = []string{ourAudience, ""} },
		"an empty audience, though allowed": func(i *jwt.Issuer) {
			i.Audience, i.Checks.AllowNoAudience = []string{""}, true
		},
		"no keys":                       func(i *jwt.Issuer) { i.Keys = nil },
		"no user":                       func(i *jwt.Issuer) { i.User = nil },
		"two ways to the user":          func(i *jwt.Issuer) { i.LoadUser = loader },
		"negative leeway":               func(i *jwt.Issuer) { i.Checks.Leeway = -1 },
		"leeway of more than 5 minutes": func(i *jwt.Issuer) { i.Checks.Leeway = 5*time.Minute + 1 },
		"alg none":                      func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{"none"} },
		"an empty algorithm":            func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{""} },
		"an unknown algorithm":          func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{"ES256K"} },
		"a symmetric one of published keys": func(i *jwt.Issuer) {
			i.Keys, i.Checks.Algorithms = published{ours().keys}, []jwt.Algorithm{jwt.HS256}
		},
		"one claim for user and type": func(i *jwt.Issuer) {
			i.Format = jwt.Format{UserClaim: "u", TypeClaim: "u"}
		},
		"the user in exp":                    func(i *jwt.Issuer) { i.Format = jwt.Format{UserClaim: "exp"} },
		"the type in iss":                    func(i *jwt.Issuer) { i.Format = jwt.Format{TypeClaim: "iss"} },
		"the identifier in sub, as the user": func(i *jwt.Issuer) { i.Format = jwt.Format{IDClaim: "sub"} },
		"the end of the session in scope":    func(i *jwt.Issuer) { i.Format = jwt.Format{RefreshExpClaim: "scope"} },
	} {
		issuer := good()
		change(&issuer)
		if v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}}); err == nil || v != nil ||
			!strings.HasPrefix(err.Error(), "jwt: ") {
			t.Errorf("%s: %v, %v", sentence, v, err)
		}
	}
	allow, other := good(), good()
	allow.Checks.AllowNoIssuer, other.Checks.AllowNoIssuer, other.Issuer = true, true, "https://other.example"
	for sentence, config := range map[string]jwt.VerifierConfig{
		"no issuers":                        {},
		"an issuer twice":                   {Issuers: []jwt.Issuer{good(), good()}},
		"two issuers of tokens without iss": {Issuers: []jwt.Issuer{allow, other}},
		"a scheme that carries passwords":   {Issuers: []jwt.Issuer{good()}, Schemes: []string{"Bearer", "basic"}},
		"an empty scheme":                   {Issuers: []jwt.Issuer{good()}, Schemes: []string{""}},
		"a negative TTL":                    {Issuers: []jwt.Issuer{good()}, CacheTTL: -1},
		"a negative length":                 {Issuers: []jwt.Issuer{good()}, MaxLength: -1},
		"a length beyond all":               {Issuers: []jwt.Issuer{good()}, MaxLength: 1<<20 + 1},
		"a good issuer and one without keys": {
			Issuers: []jwt.Issuer{good(), {Issuer: "x", Audience: []string{"x"}, User: jwt.SubjectUser}}},
	} {
		if v, err := jwt.NewVerifier(config); err == nil || v != nil {
			t.Errorf("%s: accepted", sentence)
		}
	}
	for sentence, change := range map[string]func(*jwt.Issuer){
		"as it is":                     func(*jwt.Issuer) {},
		"no issuer, where it may be":   func(i *jwt.Issuer) { i.Issuer, i.Checks.AllowNoIssuer = "", true },
		"no audience, where it may be": func(i *jwt.Issuer) { i.Audience, i.Checks.AllowNoAudience = nil, true },
		"5 minutes of leeway":          func(i *jwt.Issuer) { i.Checks.Leeway = 5 * time.Minute },
		"a loader instead":             func(i *jwt.Issuer) { i.User, i.LoadUser = nil, loader },
		"symmetric of one's own keys":  func(i *jwt.Issuer) { i.Checks.Algorithms = []jwt.Algorithm{jwt.HS256} },
		"asymmetric of published keys": func(i *jwt.Issuer) {
			i.Keys, i.Checks.Algorithms = published{ours().keys}, []jwt.Algorithm{jwt.ES256}
		},
		"the user in email":             func(i *jwt.Issuer) { i.Format = jwt.Format{UserClaim: "email"} },
		"the user in jti, the id other": func(i *jwt.Issuer) { i.Format = jwt.Format{UserClaim: "jti", IDClaim: "id"} },
	} {
		issuer := good()
		change(&issuer)
		if _, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}}); err != nil {
			t.Errorf("%s: %v", sentence, err)
		}
	}
}

// What is changed in a configuration after New changes nothing.
func TestAConfigurationIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := jwt.Issuer{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: ours().keys,
			User: jwt.SubjectUser,
			Checks: jwt.TokenChecks{Algorithms: []jwt.Algorithm{jwt.ES256}, Types: []string{"at+jwt"},
				Require: []string{"jti"}}}
		config := jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}, Schemes: []string{"Bearer"}}
		verifier, err := jwt.NewVerifier(config)
		if err != nil {
			t.Fatal(err)
		}
		issuer.Audience[0], issuer.Checks.Algorithms[0], issuer.Checks.Types[0], issuer.Checks.Require[0],
			config.Schemes[0], config.Issuers[0].Issuer = "x", "EdDSA", "x", "x", "x", "x"
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "bearer "+ourToken(nil))
		if _, _, err := verifier.Authenticate(r); err != nil {
			t.Error(err)
		}
	})
}

func TestAClaimThatIsRequiredIsNotNull(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	verifier := verifierOf(t, jwt.Issuer{Issuer: "https://a.example", Audience: []string{"us"},
		Keys: keySet(t, nil, key.Public()),
		User: jwt.SubjectUser, Checks: jwt.TokenChecks{Require: []string{"tenant"}}})
	for value, want := range map[any]error{nil: auth.ErrInvalid, "": nil, false: nil} {
		token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": "https://a.example", "aud": "us", "sub": "alice",
			"exp": time.Now().Add(time.Hour).Unix(), "tenant": value})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := verifier.VerifyToken(t.Context(), token); auth.KindOf(err) != want {
			t.Errorf("%v: %v", value, err)
		}
	}
}

func TestNoHookTurnsATokenThatWasPresentedIntoAnAbsentOne(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": serviceIssuer, "aud": "us", "sub": "alice",
		"exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for sentence, row := range map[string]struct {
		err    error
		status int
	}{
		"absent":       {auth.ErrNoCredentials, 503},
		"unrecognized": {auth.ErrUnrecognized, 503},
		"malformed":    {auth.ErrMalformed, 503},
		"an outage":    {errDown, 503},
		"nobody":       {nil, 503},
		"gone":         {auth.ErrUserNotFound, 401},
		"inactive":     {auth.ErrUserInactive, 401},
		"invalid":      {auth.ErrInvalid, 401},
	} {
		verifier,
			err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: serviceIssuer,
			Audience: []string{"us"}, Keys: keySet(t, nil, key.Public()),
			User: func(context.Context, *jwt.Token) (auth.User, error) { return nil, row.err }}}})
		if err != nil {
			t.Fatal(err)
		}
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{verifier},
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		reached := false
		h := guard.Optional()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		if w := serveRequest(h, "GET", "/", "Authorization", "Bearer "+token); w.Code != row.status || reached {
			t.Errorf("%s: %d, the handler ran: %v", sentence, w.Code, reached)
		}
	}

	// As little has a hook that adds claims: a browser would lose its cookie.
	var fails error
	tokens, _, _ := newTokens(t, func(c *jwt.Config) {
		c.Issue.AddClaims = func(context.Context, auth.User) (map[string]any, error) { return nil, fails }
	})
	pair, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fails = auth.ErrInvalid
	if _, err := tokens.Refresh(t.Context(), pair.Refresh.Reveal()); err == nil || auth.KindOf(err) != nil {
		t.Error(err)
	}
}

// RFC 9068 §5: a client could be given the name of a user.
func TestATokenWhoseSubjectIsItsClientIsOfNoUser(t *testing.T) {
	key := signing(t, jwt.EdDSA)
	people := newPeople()
	for sentence, issuer := range map[string]jwt.Issuer{"loaded": {LoadUser: people.load},
		"from claims": {User: jwt.SubjectUser}} {
		issuer.Issuer, issuer.Audience, issuer.Keys = serviceIssuer, []string{"us"}, keySet(t, nil, key.Public())
		verifier, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}})
		if err != nil {
			t.Fatal(err)
		}
		for client, want := range map[string]string{"alice": "client:alice", "app": "alice"} {
			token, err := jwt.Sign(key, "at+jwt", map[string]any{"iss": serviceIssuer, "aud": "us", "sub": "alice",
				"client_id": client,
				"scope":     "read", "exp": time.Now().Add(time.Hour).Unix()})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // cold, then remembered
				user, credential, err := verifier.VerifyToken(t.Context(), token)
				if err != nil || user.UserID() != want {
					t.Fatalf("%s, client %s: %v %v", sentence, client, user, err)
				}
				if _, isMachine := user.(auth.Machine); isMachine != (client == "alice") {
					t.Errorf("%s, client %s: a %T", sentence, client, user)
				}
				if scopes, limited := credential.(auth.Scoped).Scopes(); !limited || len(scopes) != 1 {
					t.Errorf("%v %v", scopes, limited)
				}
			}
		}
	}
}

func TestATokenOutsideOfAHeaderMayBeLonger(t *testing.T) {
	key := signing(t, jwt.ES256)
	token := signText(t, key, `{"alg":"ES256","typ":"at+jwt","kid":"`+key.ID()+`"}`,
		fmt.Sprintf(`{"iss":"https://login.example","sub":"alice","aud":"us","exp":%d,"groups":%q}`,
			time.Now().Add(time.Hour).Unix(), strings.Repeat("x", 20_000)))
	for length, kind := range map[int]error{0: auth.ErrMalformed, len(token) - 1: auth.ErrMalformed, len(token): nil,
		1 << 20: nil} {
		for _, cache := range []int{-1, 10} {
			verifier, err := jwt.NewVerifier(jwt.VerifierConfig{MaxLength: length, CacheSize: cache,
				Issuers: []jwt.Issuer{{Issuer: "https://login.example", Audience: []string{"us"},
					Keys: keySet(t, nil, key.Public()), User: jwt.SubjectUser}}})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second may be remembered
				if _, _, err := verifier.VerifyToken(t.Context(), token); auth.KindOf(err) != kind ||
					(err == nil) != (kind == nil) {
					t.Errorf("%d: %v", length, err)
				}
			}
		}
	}
}
