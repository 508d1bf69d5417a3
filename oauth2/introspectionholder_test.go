package oauth2_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/oauth2"
)

// introspected is an Introspector and an API that asks it.
type introspected struct {
	*testing.T
	server *authtest.Introspector
	api    *oauth2.Resource
	n      int
}

func newIntrospected(t *testing.T, change func(*oauth2.IntrospectionConfig)) *introspected {
	t.Helper()
	server := authtest.NewIntrospector(t)
	c := oauth2.IntrospectionConfig{Issuer: server.URL(), ClientID: "api", ClientSecret: "secret",
		Logger: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&c)
	}
	source, err := oauth2.NewIntrospection(c)
	if err != nil {
		t.Fatal(err)
	}
	return &introspected{T: t, server: server, api: newResource(t, source)}
}

// holder returns the holder of a token about which the server answers so: "alice", "client:job", or the cause of a
// refusal.
func (i *introspected) holder(answer map[string]any) (string, *oauth2.Token) {
	i.Helper()
	i.n++
	token := fmt.Sprint("token-", i.n)
	i.server.Set(token, answer)
	var refusals []string
	for range 2 { // the second time it is remembered
		user, credential, err := i.api.VerifyToken(i.Context(), token)
		switch {
		case err == nil:
			return user.UserID(), credential.(*oauth2.Token)
		case auth.KindOf(err) != auth.ErrInvalid:
			i.Fatalf("want a token or a refusal, got %v", err)
		}
		refusals = append(refusals, err.Error())
	}
	if refusals[0] != refusals[1] || i.server.Asked() != i.n {
		i.Errorf("want the refusal to be remembered, got %q and %d questions", refusals, i.server.Asked())
	}
	return refusals[0], nil
}

// edit returns a copy of an answer with other members. A member that is nil is null.
func edit(answer map[string]any, pairs ...any) map[string]any {
	all := map[string]any{}
	for name, value := range answer {
		all[name] = value
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if name := pairs[i].(string); pairs[i+1] == absent {
			delete(all, name)
		} else {
			all[name] = pairs[i+1]
		}
	}
	return all
}

// absent leaves a member out in edit.
const absent = "\x00absent"

// settingsFor are what docs/oauth2.md says about each server.
var settingsFor = map[string]func(*oauth2.IntrospectionConfig){
	"Keycloak":                    func(c *oauth2.IntrospectionConfig) { c.Profile = jwt.Keycloak() },
	"Ory Hydra":                   func(c *oauth2.IntrospectionConfig) { c.Profile = jwt.Hydra() },
	"Spring Authorization Server": func(*oauth2.IntrospectionConfig) {},
	"Duende IdentityServer":       func(c *oauth2.IntrospectionConfig) { c.Profile = oauth2.Duende() },
	"django-oauth-toolkit": func(c *oauth2.IntrospectionConfig) {
		c.Profile, c.SubjectMember, c.AllowNoAudience = oauth2.DjangoOAuthToolkit(), "username", true
	},
}

func TestUnitTheAnswersOfRealServers(t *testing.T) {
	for _, shape := range authtest.IntrospectionShapes("", resource) {
		t.Run(shape.Server, func(t *testing.T) {
			i := newIntrospected(t, settingsFor[shape.Server])
			ours := func(answer map[string]any) map[string]any {
				if answer["iss"] == nil {
					return answer
				}
				return edit(answer, "iss", i.server.URL())
			}
			holder, token := i.holder(ours(shape.User))
			if holder != "alice" || token.Machine() || token.ClientID != "web" ||
				!slices.Equal(token.Scope, []string{"read", "write"}) {
				t.Errorf("a user: want alice with the scopes read and write, got %s and %+v", holder, token)
			}
			holder, token = i.holder(ours(shape.Machine))
			if holder != "client:job" || !token.Machine() || token.ClientID != "job" ||
				!slices.Equal(token.Scope, []string{"read"}) {
				t.Errorf("a machine: want job with the scope read, got %s and %+v", holder, token)
			}
			if shape.Refresh != nil {
				if holder, token = i.holder(ours(shape.Refresh)); token != nil {
					t.Errorf("want a refresh token to be refused, got %s", holder)
				}
			}
		})
	}
}

func TestUnitWhoHoldsATokenByItsAnswer(t *testing.T) {
	base := map[string]any{"active": true, "aud": resource, "scope": "read", "client_id": "web"}
	byUsername := func(c *oauth2.IntrospectionConfig) { c.SubjectMember = "username" }
	django := func(c *oauth2.IntrospectionConfig) {
		c.Profile, c.SubjectMember = oauth2.DjangoOAuthToolkit(), "username"
	}
	const (
		noSub = "sub of the answer is missing, and the profile does not mark the token as a machine's; " +
			"see IntrospectionConfig.SubjectMember and IntrospectionConfig.Profile"
		noUsername = "username of the answer is missing, and the profile does not mark the token as a machine's"
	)
	for _, row := range []struct {
		sentence string
		change   func(*oauth2.IntrospectionConfig)
		answer   map[string]any
		want     string
	}{
		{"no subject does not make a machine", nil, base, noSub},
		{"a subject that is null does not", nil, edit(base, "sub", nil), noSub},
		{"an empty subject does not", nil, edit(base, "sub", ""), noSub},
		{"no subject and no client", nil, edit(base, "client_id", absent), noSub},
		{"a user by the subject", nil, edit(base, "sub", "alice", "username", "web"), "alice"},
		{"a machine by the subject", nil, edit(base, "sub", "web"), "client:web"},
		{"a machine by numbers", nil, edit(base, "sub", 17, "client_id", "17"), "client:17"},
		{"nor does one that the profile names",
			func(c *oauth2.IntrospectionConfig) { c.Profile.ClientClaims = []string{"clientId"} },
			edit(base, "sub", "web", "clientId", []string{"web"}), "clientId of the answer is not a string"},
		{"a client that cannot be read does not make a user", nil, edit(base, "sub", "web", "azp", []string{"web"}),
			"azp of the answer is not a string or a whole number"},

		{"a user by the username", byUsername, edit(base, "username", "alice"), "alice"},
		{"a username that is a number", byUsername, edit(base, "username", 7), "7"},
		{"a username that is the client's identifier is a user's", byUsername, edit(base, "username", "web"), "web"},
		{"no username", byUsername, base, noUsername},
		{"no username, and a subject", byUsername, edit(base, "sub", "alice"), noUsername},
		{"no username, and the subject is the client", byUsername, edit(base, "sub", "web"), "client:web"},
		{"a subject that cannot be read, and a username", byUsername,
			edit(base, "username", "alice", "sub", []string{"web"}),
			"sub of the answer is not a string or a whole number"},
		{"a username that looks like a machine's", byUsername, edit(base, "username", "client:web"),
			`sub "client:web" starts as the identifier of a client`},

		{"django: no username is the application's own", django, base, "client:web"},
		{"django: an empty username is not", django, edit(base, "username", ""), noUsername},
		{"django: a username that is the application's identifier is a user's", django,
			edit(base, "username", "web"), "web"},
		{"duende: a subject that is the client is a machine's", func(c *oauth2.IntrospectionConfig) {
			c.Profile = oauth2.Duende()
		}, edit(base, "sub", "web"), "client:web"},
		{"django: no username and no client", django, edit(base, "client_id", absent), "client_id is missing"},

		{"no address in email counts unless it is verified",
			func(c *oauth2.IntrospectionConfig) { c.SubjectMember = "email" },
			edit(base, "sub", "7", "email", "admin"), "the answer does not say that it is verified"},
		{"a verified email that is no address", func(c *oauth2.IntrospectionConfig) { c.SubjectMember = "email" },
			edit(base, "sub", "7", "email", "admin", "email_verified", true), "admin"},
		{"a prefix of machines", func(c *oauth2.IntrospectionConfig) { c.MachinePrefix = "shop/" },
			edit(base, "sub", "web"), "client:shop/web"},
		{"a prefix of machines is not one of users", func(c *oauth2.IntrospectionConfig) { c.MachinePrefix = "shop/" },
			edit(base, "sub", "alice"), "alice"},

		{"Keycloak: a user who chose the name of a service account",
			func(c *oauth2.IntrospectionConfig) { c.Profile = jwt.Keycloak() },
			edit(base, "sub", "mallory", "typ", "Bearer", "azp", "web", "sid", "x",
				"username", "service-account-web", "preferred_username", "service-account-web"),
			"may be a machine's, and the other claims do not agree"},
		{"Keycloak: a token bound to a key", func(c *oauth2.IntrospectionConfig) { c.Profile = jwt.Keycloak() },
			edit(base, "sub", "alice", "typ", "DPoP", "azp", "web", "sid", "x", "preferred_username", "alice"),
			`typ "DPoP" is no bearer token, and no cnf says to which key it is bound`},
		{"a kind of which the profile says that it is bound to a key", func(c *oauth2.IntrospectionConfig) {
			kinds := map[string][]string{"kind": {"plain"}}
			c.Profile = jwt.Profile{Kinds: kinds, BoundKinds: map[string][]string{"kind": {"pop"}}}
		}, edit(base, "sub", "alice", "kind", "pop"), "it is bound to a key, and no proof of it can be checked here"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			got, _ := newIntrospected(t, row.change).holder(row.answer)
			refused := strings.Contains(row.want, " ")
			if refused && !strings.Contains(got, row.want) || !refused && got != row.want {
				t.Errorf("want %s, got %s", row.want, got)
			}
		})
	}
}

func TestUnitAnAddressNamesAUserOnlyIfItIsVerified(t *testing.T) {
	base := map[string]any{"active": true, "aud": resource, "client_id": "web", "username": "alice@example.com"}
	const refused = "username is an e-mail address, and the answer does not say that it is verified; " +
		"see IntrospectionConfig.AllowUnverifiedEmail"
	for _, row := range []struct {
		sentence string
		answer   map[string]any
		ok       bool
	}{
		{"nothing else", base, false},
		{"the address is not verified", edit(base, "email", "alice@example.com", "email_verified", false), false},
		{"whether it is verified is null", edit(base, "email", "alice@example.com", "email_verified", nil), false},
		{"whether it is verified is 1", edit(base, "email", "alice@example.com", "email_verified", 1), false},
		{"another address is verified", edit(base, "email", "mallory@example.com", "email_verified", true), false},
		{"it is verified, and not there", edit(base, "email_verified", true), false},
		{"it is verified", edit(base, "email", "alice@example.com", "email_verified", true), true},
		{"it is verified in words", edit(base, "email", "alice@example.com", "email_verified", "true"), true},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			strict := newIntrospected(t, func(c *oauth2.IntrospectionConfig) { c.SubjectMember = "username" })
			got, _ := strict.holder(row.answer)
			if (got == "alice@example.com") != row.ok || !row.ok && !strings.Contains(got, refused) {
				t.Errorf("want accepted %v, got %s", row.ok, got)
			}
			lax := newIntrospected(t, func(c *oauth2.IntrospectionConfig) {
				c.SubjectMember, c.AllowUnverifiedEmail = "username", true
			})
			if got, _ = lax.holder(row.answer); got != "alice@example.com" {
				t.Errorf("want it as it is with AllowUnverifiedEmail, got %s", got)
			}
		})
	}
	t.Run("a sub is the server's own name", func(t *testing.T) {
		got, _ := newIntrospected(t, nil).holder(edit(base, "sub", "alice@example.com"))
		if got != "alice@example.com" {
			t.Errorf("got %s", got)
		}
	})
}

func TestUnitTokensWithoutAnAudience(t *testing.T) {
	base := map[string]any{"active": true, "client_id": "web", "sub": "alice"}
	allowed := func(c *oauth2.IntrospectionConfig) { c.AllowNoAudience = true }
	for _, row := range []struct {
		sentence string
		aud      any
	}{
		{"absent", absent}, {"null", nil}, {"an empty list", []string{}}, {"an empty text", ""},
		{"a list of empty texts", []string{""}},
	} {
		t.Run(row.sentence+" is no audience", func(t *testing.T) {
			answer := edit(base, "aud", row.aud)
			want := "aud of the answer is missing, so it does not say that the token is for this API; " +
				"see IntrospectionConfig.AllowNoAudience"
			if got, _ := newIntrospected(t, nil).holder(answer); !strings.Contains(got, want) {
				t.Errorf("want a refusal, got %s", got)
			}
			if got, _ := newIntrospected(t, allowed).holder(answer); got != "alice" {
				t.Errorf("want alice with AllowNoAudience, got %s", got)
			}
		})
	}
	t.Run("an audience that is there must name ours", func(t *testing.T) {
		i := newIntrospected(t, allowed)
		for aud, want := range map[string]string{
			"https://other.example/": `aud is "https://other.example/", want`, resource: "alice"} {
			if got, _ := i.holder(edit(base, "aud", aud)); !strings.Contains(got, want) {
				t.Errorf("%s: want %s, got %s", aud, want, got)
			}
		}
		got, _ := i.holder(edit(base, "aud", []string{"", "https://other.example/"}))
		if !strings.Contains(got, "aud is") {
			t.Errorf("an empty name beside another: got %s", got)
		}
		if got, _ := i.holder(edit(base, "aud", []any{nil})); !strings.Contains(got, "aud of the answer is not") {
			t.Errorf("null in a list: got %s", got)
		}
	})
}

func TestUnitTokensThatAreNoAccessTokensAreRefused(t *testing.T) {
	base := map[string]any{"active": true, "client_id": "web", "sub": "alice", "aud": resource}
	for name, values := range map[string][]string{
		"token_use":  {"refresh_token", "refresh", "id", "REFRESH_TOKEN"},
		"typ":        {"Refresh", "Offline", "ID", "Logout"},
		"type":       {"refresh", "refresh-token"},
		"token_type": {"refresh_token", "id_token", "urn:ietf:params:oauth:token-type:refresh_token"},
	} {
		for _, value := range values {
			t.Run(name+" is "+value, func(t *testing.T) {
				want := fmt.Sprintf("%s %q is not of an access token (RFC 6749 §1.4)", name, value)
				if got, _ := newIntrospected(t, nil).holder(edit(base, name, value)); !strings.Contains(got, want) {
					t.Errorf("want %s, got %s", want, got)
				}
			})
		}
	}
	for name, value := range map[string]any{
		"token_use": "access_token", "typ": "at+jwt", "type": "access", "token_type": "access_token"} {
		t.Run(name+" of an access token", func(t *testing.T) {
			if got, _ := newIntrospected(t, nil).holder(edit(base, name, value)); got != "alice" {
				t.Errorf("want alice, got %s", got)
			}
		})
	}
}

func TestUnitAnAnswerAboutAnotherKindOfTokenIsRefused(t *testing.T) {
	base := map[string]any{"active": true, "sub": "alice", "client_id": "web", "aud": resource}
	for _, kind := range []any{"refresh+jwt", "logout+jwt", "rt+jwt", "application/refresh+jwt", "Refresh Token",
		[]string{"refresh_token"}, "refresh-token"} {
		got, _ := newIntrospected(t, nil).holder(edit(base, "typ", kind))
		if !strings.Contains(got, "is not of an access token") {
			t.Errorf("%v: want a refusal, got %s", kind, got)
		}
	}
	if got, _ := newIntrospected(t, nil).holder(edit(base, "typ", "at+jwt")); got != "alice" {
		t.Errorf("an access token: got %s", got)
	}
}

func TestUnitATokenThatIsBoundToAKeyIsRefusedHoweverTheServerWritesIt(t *testing.T) {
	base := map[string]any{"active": true, "sub": "alice", "client_id": "web", "aud": resource}
	for _, row := range []struct {
		name string
		kind any
	}{
		{"typ", "DPoP"}, {"typ", []string{"DPoP"}}, {"type", "dpop+jwt"}, {"token_use", []string{"access", "DPoP"}},
		{"token_type", "DPoP"}, {"token_type", []string{"DPoP"}}, {"token_type", []string{"Bearer", "DPoP"}},
	} {
		got, _ := newIntrospected(t, nil).holder(edit(base, row.name, row.kind))
		if !strings.Contains(got, row.name) || !strings.Contains(got, "no bearer token") {
			t.Errorf("%s is %v: want a refusal that names it, got %s", row.name, row.kind, got)
		}
	}
}
