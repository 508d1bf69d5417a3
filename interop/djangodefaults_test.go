package interop

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/gatewarden/auth/jwt"
)

// defaults are a simplejwt without settings, and ours for its clients.
func defaults(t *testing.T) *pair {
	t.Helper()
	return besideWith(t, func(c *jwt.Config) { c.Compat.AllowRefreshReuse = true }, "defaults")
}

// step is one request of a client, with the members of its body.
type step struct {
	path, name, value string
}

// sendAll sends the same steps to both services, and fails where the answers differ.
func (p *pair) sendAll(t *testing.T, sentence string, theirs, ours step) (atTheirs, atOurs response) {
	t.Helper()
	atTheirs = post(t, p.theirs+theirs.path, theirs.name, theirs.value)
	atOurs = post(t, p.ours+ours.path, ours.name, ours.value)
	if differs := compare(atTheirs, atOurs); differs != "" {
		t.Errorf("%s: got the difference %q, want none\nDjango: %d %s\nhere: %d %s", sentence, differs,
			atTheirs.status, atTheirs.text, atOurs.status, atOurs.text)
	}
	return atTheirs, atOurs
}

// me wants an access token to be good, or not.
func me(t *testing.T, service, token string, status int) {
	t.Helper()
	if got := send(t, "GET", service+"/me", "", "Authorization", "Bearer "+token); got.status != status {
		t.Errorf("%s/me: got %d %s, want %d", service, got.status, got.text, status)
	}
}

func TestUnitClientOfSimpleJWTWithItsDefaults(t *testing.T) {
	t.Run("it keeps the refresh token of its login, and gets an access token as often as it asks", func(t *testing.T) {
		p := defaults(t)
		_, theirs := logIn(t, p.theirs)
		_, ours := logIn(t, p.ours)
		const refresh = "/api/token/refresh/"
		for range 3 {
			a, b := p.sendAll(t, "refresh", step{refresh, "refresh", theirs}, step{refresh, "refresh", ours})
			for service, answer := range map[string]response{p.theirs: a, p.ours: b} {
				if names := slices.Collect(maps.Keys(answer.body)); !slices.Equal(names, []string{"access"}) {
					t.Fatalf("%s: got the members %v, want access alone", service, names)
				}
				access, _ := answer.body["access"].(string)
				me(t, service, access, 200)
			}
		}
		const verify, blacklist = "/api/token/verify/", "/api/token/blacklist/"
		p.sendAll(t, "verify", step{verify, "token", theirs}, step{verify, "token", ours})
		p.sendAll(t, "logout", step{blacklist, "refresh", theirs}, step{blacklist, "refresh", ours})
		a, b := p.sendAll(t, "refresh after the logout", step{refresh, "refresh", theirs},
			step{refresh, "refresh", ours})
		if a.status != 401 || b.status != 401 {
			t.Errorf("after the logout: got %d and %d, want 401", a.status, b.status)
		}
		p.sendAll(t, "a second logout", step{blacklist, "refresh", theirs}, step{blacklist, "refresh", ours})
	})
	t.Run("a refresh token that Django made goes on here, as often as it is sent", func(t *testing.T) {
		p := defaults(t)
		_, django := logIn(t, p.theirs)
		for range 3 {
			answer := post(t, p.ours+"/api/token/refresh/", "refresh", django)
			access, _ := answer.body["access"].(string)
			if answer.status != 200 || answer.body["refresh"] != nil {
				t.Fatalf("got %d %s, want an access token only", answer.status, answer.text)
			}
			me(t, p.ours, access, 200)
			me(t, p.theirs, access, 200)
		}
		if got := post(t, p.ours+"/api/token/blacklist/", "refresh", django); got.status != 200 {
			t.Errorf("logout: got %d %s, want 200", got.status, got.text)
		}
		if got := post(t, p.ours+"/api/token/refresh/", "refresh", django); got.status != 401 {
			t.Errorf("refresh after the logout: got %d %s, want 401", got.status, got.text)
		}
	})
	t.Run("of two tabs with one sliding token each refreshes, and both stay logged in", func(t *testing.T) {
		p := defaults(t)
		const refresh = "/api/token/sliding/refresh/"
		text, err := json.Marshal(credentials)
		if err != nil {
			t.Fatal(err)
		}
		for _, service := range []string{p.theirs, p.ours} {
			answer := send(t, "POST", service+"/api/token/sliding/", string(text), "Content-Type", "application/json")
			first, _ := answer.body["token"].(string)
			for range 2 {
				next := post(t, service+refresh, "token", first)
				token, _ := next.body["token"].(string)
				if next.status != 200 || token == "" {
					t.Fatalf("%s: got %d %s, want a token", service, next.status, next.text)
				}
				for _, good := range []string{first, token} {
					if got := post(t, service+"/api/token/verify/", "token", good); got.status != 200 {
						t.Errorf("%s: got %d %s, want both to be good", service, got.status, got.text)
					}
				}
			}
		}
	})
}
