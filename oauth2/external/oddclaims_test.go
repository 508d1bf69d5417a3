package external_test

import (
	"testing"

	"github.com/gatewarden/auth/authtest"
)

func TestUnitOddClaimsOfAnIDToken(t *testing.T) {
	t.Run("what only tokens of this library mean says nothing in those of a provider", func(t *testing.T) {
		for sentence, claims := range map[string]map[string]any{
			"a stamp":         {"stamp": "2026-11-27"},
			"text as gen":     {"gen": "three"},
			"a number as gen": {"gen": 7},
			"an object sid":   {"sid": map[string]any{}},
			"a number as sid": {"sid": 5},
			"refresh_exp":     {"refresh_exp": "never"},
			"a scope":         {"scope": []string{"a", "b"}, "scp": 7},
			"a client":        {"client_id": 7, "cid": nil, "appid": map[string]any{}},
			"a machine":       {"idtyp": "app", "gty": "client-credentials"},
			"a key":           {"cnf": map[string]string{"jkt": "x"}},
			"a kind":          {"typ": "Refresh", "token_use": "id", "token_type": "refresh"},
		} {
			a := newApp(t, nil)
			a.idp.SignIn(authtest.Person{Subject: "42", Claims: claims})
			b := a.browser()
			if p := b.visit("/login/acme/"); p.status != 200 || b.who() != "acme-42" {
				t.Errorf("%s: got %d: %s", sentence, p.status, a.log)
			}
		}
	})
}
