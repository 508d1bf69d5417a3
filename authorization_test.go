package auth_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestAuthorizationIsASchemeAndWhatFollows(t *testing.T) {
	for name, row := range map[string]struct {
		lines         []string
		scheme, value string
		err           error
	}{
		"no header":              {nil, "", "", auth.ErrNoCredentials},
		"an empty one":           {[]string{""}, "", "", auth.ErrNoCredentials},
		"one of spaces":          {[]string{" \t"}, "", "", auth.ErrNoCredentials},
		"a scheme alone":         {[]string{"Negotiate"}, "Negotiate", "", nil},
		"a scheme and a token":   {[]string{" Bearer \t abc== "}, "Bearer", "abc==", nil},
		"the value keeps spaces": {[]string{"Digest a=b, c=d"}, "Digest", "a=b, c=d", nil},
		"the value is any bytes": {[]string{"X \xff\x00"}, "X", "\xff\x00", nil},
		"two lines":              {[]string{"A b", "A b"}, "", "", auth.ErrMalformed},
		"two empty lines":        {[]string{"", ""}, "", "", auth.ErrMalformed},
		"the longest": {[]string{"A " + strings.Repeat("b", auth.MaxAuthorization-2)}, "A",
			strings.Repeat("b", auth.MaxAuthorization-2), nil},
		"a byte too long": {[]string{"A " + strings.Repeat("b", auth.MaxAuthorization-1)}, "", "",
			auth.ErrMalformed},
		"too long, but of spaces": {[]string{strings.Repeat(" ", auth.MaxAuthorization+1)}, "", "", auth.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			scheme, value, err := auth.Authorization(&http.Request{Header: http.Header{"Authorization": row.lines}})
			if scheme != row.scheme || value != row.value || !errors.Is(err, row.err) ||
				(err == nil) != (row.err == nil) {
				t.Errorf("%q, %q, %v", scheme, value, err)
			}
		})
	}
}

func TestATokenIsAB64Token(t *testing.T) {
	for value, good := range map[string]bool{
		"abc": true, "a": true, "aZ09-._~+/": true, "a=": true, "a==": true,
		"": false, "=": false, "==": false, "a=b": false, "a b": false, "a\tb": false, "a,b": false, `"a"`: false,
		"a\x00": false, "é": false, "a\xff": false,
	} {
		r := request("GET", "/", "Authorization", "token "+value)
		scheme, token, err := auth.TokenFrom(r, "Bearer", "Token")
		if scheme != "Token" || (err == nil) != good || good && token != value || !good &&
			(token != "" || !errors.Is(err, auth.ErrMalformed)) {
			t.Errorf("%q: %q, %q, %v", value, scheme, token, err)
		}
	}
	// U+212A, the Kelvin sign, folds to k; it is no scheme of ours.
	if _, _, err := auth.TokenFrom(request("GET", "/", "Authorization", "To\u212aen x"),
		"Token"); err != auth.ErrNoCredentials {
		t.Error(err)
	}
	if _, _, err := auth.TokenFrom(request("GET", "/", "Authorization", "Token x")); err != auth.ErrNoCredentials {
		t.Error("no schemes at all:", err)
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	for name, lines := range map[string][]string{
		"absent": nil, "a token": {"Bearer abcdefghijklmnop"}, "malformed": {"Bearer a b"},
		"another scheme": {"Digest x"}, "two lines": {"a b", "c d"}, "1 MiB": {strings.Repeat("a", 1<<20)},
	} {
		r := &http.Request{Header: http.Header{"Authorization": lines}}
		allocs := testing.AllocsPerRun(100, func() {
			_, _, _ = auth.Authorization(r)
			_, _, _ = auth.TokenFrom(r, "Token", "Bearer")
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// FuzzAuthorization sends any bytes as the Authorization lines of a request.
// No token exists, so nobody may be proved; and whatever it is, the answer is
// a refusal with sound challenges.
func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "Token", "Token a b", "Bearer a,b", "bearer \xff", "Basic !", "Digest x",
		"Token a\nToken a", "Basic eDp5", "DPoP =", "Bearer \"\r\n", "To\u212aen x"} {
		f.Add(s)
	}
	never := tokens("Token", "Bearer", "DPoP")
	never.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
		_, token, err := auth.TokenFrom(r, "Token", "Bearer", "DPoP")
		if err != nil {
			return nil, nil, err
		}
		if strings.HasPrefix(token, "jwt") {
			return nil, nil, auth.ErrUnrecognized
		}
		return nil, nil, auth.ErrInvalid
	}
	basic := speaking("Basic", nil)
	basic.answer = func(r *http.Request) (auth.User, auth.Credential, error) {
		scheme, _, err := auth.Authorization(r)
		if err != nil {
			return nil, nil, err
		}
		if !strings.EqualFold(scheme, "Basic") {
			return nil, nil, auth.ErrNoCredentials
		}
		if _, _, ok := r.BasicAuth(); !ok {
			return nil, nil, &auth.Error{Kind: auth.ErrMalformed, Status: 401}
		}
		return nil, nil, auth.ErrInvalid
	}
	g := guardOf(f, never, basic)
	f.Fuzz(func(t *testing.T, lines string) {
		r := request("GET", "/")
		r.Header["Authorization"] = strings.Split(lines, "\n")
		w := do(g.Require()(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("proved") })), r)
		if w.Code != 400 && w.Code != 401 {
			t.Errorf("status %d", w.Code)
		}
		all, err := authtest.ParseChallenges(w.Header())
		if err != nil || w.Code == 401 && len(all) != 4 {
			t.Errorf("challenges %q: %v", w.Header().Values("WWW-Authenticate"), err)
		}
		w = do(g.Optional()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if _, ok := auth.UserFrom[auth.User](r.Context()); ok {
				t.Error("proved")
			}
		})), r)
		if w.Code != 200 && w.Code != 400 && w.Code != 401 {
			t.Errorf("status %d", w.Code)
		}
	})
}
