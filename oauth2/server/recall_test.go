package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
	"github.com/gatewarden/auth/oauth2/server"
)

// plainly is a source without its look-up before the check of characters.
type plainly struct{ oauth2.Source }

// FuzzUnitRecall compares a resource that looks a token up first with one that looks at its
// characters first: both must say the same of each request.
func FuzzUnitRecall(f *testing.F) {
	i := newIssuing(f, server.NewMemoryStore(), nil)
	issuer := authtest.NewIssuer(f)
	jwts, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer.URL(), Audience: []string{knownAPI}})
	i.must(err)
	mint := func(issuer *authtest.Issuer) string {
		return issuer.Mint(map[string]any{"aud": knownAPI, "sub": "alice", "client_id": "web"})
	}
	opaque, signed, strange := i.token("alice"), mint(issuer), "strange token"
	var fast, plain []*oauth2.Resource
	for _, form := range []bool{false, true} {
		for _, sources := range [][]oauth2.Source{{i.server}, {jwts}, {jwts, i.server},
			{i.server, jwts, i.server, jwts}} {
			fast = append(fast, i.resource(oauth2.Config{Sources: sources, AllowFormToken: form}))
			var hidden []oauth2.Source
			for _, source := range sources {
				hidden = append(hidden, plainly{source})
			}
			plain = append(plain, i.resource(oauth2.Config{Sources: hidden, AllowFormToken: form}))
		}
	}
	for _, token := range []string{opaque, signed, strange, "", " ", "at_", "at_" + strings.Repeat("x", 40),
		opaque + "!", opaque + "=", signed + "=", signed + ".", "a b", "ä", strings.Repeat("x", 8200)} {
		f.Add("Bearer "+token, "")
		f.Add("bearer  "+token, "access_token="+token)
		f.Add("Bearer: "+token, "access_token")
		f.Add("Basic "+token, "a=access_token")
		f.Add(token, "")
	}
	f.Fuzz(func(t *testing.T, header, query string) {
		for n := range fast {
			say := func(api *oauth2.Resource) string {
				r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(query))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.URL.RawQuery = query
				r.Header["Authorization"] = []string{header}
				user, _, err := api.Authenticate(r)
				if err == nil {
					return user.UserID()
				}
				return fmt.Sprint(auth.KindOf(err), err)
			}
			if want, got := say(plain[n]), say(fast[n]); got != want {
				t.Errorf("%q %q: want %s, got %s", header, query, want, got)
			}
		}
	})
}
