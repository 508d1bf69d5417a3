package external_test

import (
	"encoding/json"
	"testing"

	"github.com/gatewarden/auth/authtest"
)

func TestUnitOddClaimsOfAnIDToken(t *testing.T) {
	null := json.RawMessage("null")
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
	t.Run("an optional claim that is null or of another type is not there", func(t *testing.T) {
		for _, name := range []string{"acr", "amr", "auth_time", "sid", "jti", "azp", "at_hash", "c_hash", "nbf",
			"email", "name",
			"email_verified", "preferred_username", "picture", "locale"} {
			for _, value := range []any{null, 7.5, map[string]any{"a": 1}, []any{1, "a"}, true} {
				if text, _ := json.Marshal(value); name == "at_hash" && string(text) != "null" || name == "nbf" &&
					string(text) != "null" {
					continue // which restrict the token, and so refuse it
				}
				a := newApp(t, nil)
				a.idp.SetQuirks(authtest.Quirks{IDToken: func(c map[string]any) { c[name] = value }})
				if p := a.browser().visit("/login/acme/"); p.status != 200 {
					t.Errorf("%s %v: got %d: %s", name, value, p.status, a.log)
					continue
				}
				got := a.last()
				if got.AuthInfo.ACR != "" || len(got.AuthInfo.AMR) > 0 || got.Subject != "1" {
					t.Errorf("%s %v: got %+v", name, value, got)
				}
			}
		}
	})
}
