package oauth2_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// named returns the Resource of an API that is named in its identifier.
func named(t *testing.T, name string, sources ...oauth2.Source) *oauth2.Resource {
	t.Helper()
	api, err := oauth2.New(oauth2.Config{Name: name, Resource: "https://" + name + ".example/", Sources: sources,
		LoadUser: load})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// ofIssuer returns a source of JWTs of an issuer.
func ofIssuer(t *testing.T, issuer, audience string) *oauth2.JWT {
	t.Helper()
	key, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := jwt.NewKeySet(key)
	if err != nil {
		t.Fatal(err)
	}
	source, err := oauth2.NewJWT(oauth2.JWTConfig{Issuer: issuer, Audience: []string{audience}, Keys: keys,
		MachinePrefix: issuer + "/"})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestUnitTwoAPIsOfOneSource(t *testing.T) {
	source := &legacy{}
	reports, billing := named(t, "reports", source), named(t, "billing", tokens(), source)
	t.Run("one guard of both is refused, with the way out", func(t *testing.T) {
		_, err := auth.New(auth.Config{Backends: []auth.Authenticator{reports, billing}})
		want := `oauth2: backends "reports" (https://reports.example/) and "billing" (https://billing.example/) take ` +
			`tokens of one source, so each needs a guard of its own, such as guard.With(billing, sessions)`
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a guard of each is taken, also by With", func(t *testing.T) {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{reports}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := guard.With(billing); err != nil {
			t.Error(err)
		}
		if _, err := guard.With(billing, reports); err == nil {
			t.Error("With took both")
		}
	})
	t.Run("chains, guards and decorators hide no conflict", func(t *testing.T) {
		guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{reports}})
		if err != nil {
			t.Fatal(err)
		}
		decorated := auth.Wrap(billing, func(r *http.Request) (auth.User, auth.Credential, error) {
			return billing.Authenticate(r)
		})
		for _, first := range []auth.Authenticator{reports, guard} {
			if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{first, decorated}}); err == nil {
				t.Errorf("%T beside %T is taken", first, decorated)
			}
		}
	})
	t.Run("two JWT sources of one issuer are one source", func(t *testing.T) {
		for issuer, refused := range map[string]bool{"https://login.example": true, "https://other.example": false} {
			_, err := auth.New(auth.Config{Backends: []auth.Authenticator{
				named(t, "reports", ofIssuer(t, "https://login.example", "https://reports.example/")),
				named(t, "billing", ofIssuer(t, issuer, "https://billing.example/"))}})
			if (err != nil) != refused {
				t.Errorf("%s: %v", issuer, err)
			}
		}
	})
	t.Run("different sources, and such as cannot be compared, are taken", func(t *testing.T) {
		_, err := auth.New(auth.Config{Backends: []auth.Authenticator{named(t, "reports", tokens()),
			named(t, "billing", tokens()), named(t, "third", source)}})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestUnitATokenOfAnotherAPIIsNoReasonForAnAudience(t *testing.T) {
	log := &lines{}
	a := loggedAPI(t, log, oauth2.Config{Sources: []oauth2.Source{tokens()}})
	a.refused(log, "other", `aud is "https://other.example/", want "`+resource+`"; see Config.Resource and `+
		"Config.Audience, which is for names of this same API only. "+
		"Another API needs a Resource and a guard of its own")
}

func TestUnitTwoResourcesOfOnePathOnARouter(t *testing.T) {
	mux := http.NewServeMux()
	named(t, "reports", tokens()).Register(mux)
	defer func() {
		text := fmt.Sprint(recover())
		want := `oauth2: the metadata of resource "https://billing.example/" cannot be registered at ` +
			`/.well-known/oauth-protected-resource. Resources on one router need different paths in Config.Resource: `
		if !strings.HasPrefix(text, want) || !strings.Contains(text, "conflicts with pattern") {
			t.Errorf("got %s", text)
		}
	}()
	named(t, "billing", tokens()).Register(mux)
	t.Error("the router took both")
}
