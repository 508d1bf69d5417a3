package server_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

func TestUnitSignInRequest(t *testing.T) {
	sent := func(t *testing.T, pairs ...string) (*service, server.SignInRequest) {
		s := newService(t, nil)
		if a := s.stranger().authorize(pairs...); a.StatusCode != 303 || len(s.logins) != 1 {
			t.Fatalf("no login: %d %s", a.StatusCode, a.body)
		}
		return s, s.logins[0]
	}
	t.Run("a login finds by the address what Config.SignIn was told", func(t *testing.T) {
		s, told := sent(t, "login_hint", "alice@example.com", "acr_values", "2 1", "max_age", "60")
		got, err := s.server.SignInRequest(t.Context(), told.ReturnTo)
		if err != nil || got == nil || !reflect.DeepEqual(*got, told) {
			t.Fatalf("want %+v, got %+v, %v", told, got, err)
		}
		if got.Hint != "alice@example.com" || !slices.Equal(got.ACR, []string{"2", "1"}) || got.MaxAge != time.Minute ||
			got.Client.ID != "web" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the address is the one that the server made, whatever else the browser brings", func(t *testing.T) {
		s, told := sent(t)
		_, query, _ := strings.Cut(told.ReturnTo, "?")
		for _, address := range []string{told.ReturnTo + "&x=" + strings.Repeat("x", 5000),
			"/o/authorize/?next=//evil.example&" + query, told.ReturnTo + "#//evil.example"} {
			if got, err := s.server.SignInRequest(t.Context(), address); err != nil || got == nil ||
				got.ReturnTo != told.ReturnTo {
				t.Errorf("want %s, got %+v %v", told.ReturnTo, got, err)
			}
		}
	})
	t.Run("it says that the user must prove anew who they are", func(t *testing.T) {
		s := newService(t, nil)
		s.as("alice").authorize("prompt", "login")
		got, err := s.server.SignInRequest(t.Context(), s.logins[0].ReturnTo)
		if err != nil || got == nil || !got.Fresh || !s.logins[0].Fresh {
			t.Errorf("%+v %v", got, err)
		}
	})
	t.Run("it can be asked as often as a page is shown, and uses nothing up", func(t *testing.T) {
		s, told := sent(t)
		for range 3 {
			if got, err := s.server.SignInRequest(t.Context(), told.ReturnTo); got == nil || err != nil {
				t.Fatal(got, err)
			}
		}
		if a := s.as("alice").do("GET", told.ReturnTo, ""); a.StatusCode != 200 {
			t.Errorf("the request is gone: %d", a.StatusCode)
		}
	})
	t.Run("other addresses have no request", func(t *testing.T) {
		s, told := sent(t)
		_, query, _ := strings.Cut(told.ReturnTo, "?")
		for _, path := range []string{"", "/", "/devices", "/o/authorize/", "/o/token/?" + query,
			"/o/authorize/?interaction=x",
			"/o/authorize/?interaction=" + strings.Repeat("A", 40), "https://evil.example" + told.ReturnTo,
			"//evil.example" + told.ReturnTo,
			"/%zz", told.ReturnTo + "x"} {
			if got, err := s.server.SignInRequest(t.Context(), path); got != nil || err != nil {
				t.Errorf("%q: %+v %v", path, got, err)
			}
		}
	})
	t.Run("a consent page is no login", func(t *testing.T) {
		s := newService(t, nil)
		page := s.as("alice").authorize()
		got, err := s.server.SignInRequest(t.Context(), "/o/authorize/?interaction="+fields(page.body).Get(
			"interaction"))
		if got != nil || err != nil {
			t.Error(got, err)
		}
	})
	t.Run("a client that was disabled meanwhile has none", func(t *testing.T) {
		s, told := sent(t)
		client, err := s.server.Client(t.Context(), "web")
		s.must(err)
		_, err = s.server.DisableClient(t.Context(), client, true)
		s.must(err)
		if got, err := s.server.SignInRequest(t.Context(), told.ReturnTo); got != nil || err != nil {
			t.Error(got, err)
		}
	})
	t.Run("a store that is down is an error", func(t *testing.T) {
		store := &failing{Store: server.NewMemoryStore()}
		s := newService(t, func(c *server.Config) { c.Store = store })
		s.stranger().authorize()
		store.fail(1)
		if got, err := s.server.SignInRequest(t.Context(), s.logins[0].ReturnTo); got != nil || err == nil {
			t.Errorf("%+v %v", got, err)
		}
	})
}

func FuzzSignInRequest(f *testing.F) {
	for _, path := range []string{"/o/authorize/?interaction=x", "", "//x", "/o/authorize/?interaction=%zz", "\x00"} {
		f.Add(path)
	}
	srv, err := server.New(server.Config{Issuer: "https://a.example", Store: server.NewMemoryStore(),
		LoadUser: (&users{}).load,
		Tokens:   server.TokenConfig{Grants: []server.GrantType{server.ClientCredentials{}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if got, err := srv.SignInRequest(t.Context(), path); got != nil || err != nil {
			t.Errorf("%q: %+v %v", path, got, err)
		}
	})
}
