package external_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/internal/texttest"
	"github.com/gatewarden/auth/oauth2/external"
)

// strict is a store of the strictest database: it answers a text that it cannot keep with an error.
type strict struct{ external.Store }

func (s strict) Identity(ctx context.Context, issuer, subject string) (*external.Identity, error) {
	if err := texttest.CheckStorable(issuer, subject); err != nil {
		return nil, err
	}
	return s.Store.Identity(ctx, issuer, subject)
}

func (s strict) Identities(ctx context.Context, userID string) ([]*external.Identity, error) {
	if err := texttest.CheckStorable(userID); err != nil {
		return nil, err
	}
	return s.Store.Identities(ctx, userID)
}

func (s strict) Link(ctx context.Context, i *external.Identity) (string, bool, error) {
	if err := texttest.CheckStorable(i); err != nil {
		return "", false, err
	}
	return s.Store.Link(ctx, i)
}

func (s strict) Touch(ctx context.Context, i *external.Identity) error {
	if err := texttest.CheckStorable(i); err != nil {
		return err
	}
	return s.Store.Touch(ctx, i)
}

func (s strict) Unlink(ctx context.Context, userID, id string, keepLast bool) (*external.Identity,
	external.UnlinkVerdict, error) {
	if err := texttest.CheckStorable(userID, id); err != nil {
		return nil, 0, err
	}
	return s.Store.Unlink(ctx, userID, id, keepLast)
}

func (s strict) Reserve(ctx context.Context, r *external.Reservation, now time.Time) (string, string, error) {
	if err := texttest.CheckStorable(r); err != nil {
		return "", "", err
	}
	return s.Store.Reserve(ctx, r, now)
}

func (s strict) Confirm(ctx context.Context, id string, i *external.Identity, now time.Time) (string, bool, error) {
	if err := texttest.CheckStorable(id, i); err != nil {
		return "", false, err
	}
	return s.Store.Confirm(ctx, id, i, now)
}

func (s strict) AddCode(ctx context.Context, c *external.Code) error {
	if err := texttest.CheckStorable(c); err != nil {
		return err
	}
	return s.Store.AddCode(ctx, c)
}

func (s strict) TakeCode(ctx context.Context, digest string, now time.Time) (*external.Code, error) {
	if err := texttest.CheckStorable(digest); err != nil {
		return nil, err
	}
	return s.Store.TakeCode(ctx, digest, now)
}

func (s strict) PutOnce(ctx context.Context, key string, expires, now time.Time) (bool, error) {
	if err := texttest.CheckStorable(key); err != nil {
		return false, err
	}
	return s.Store.PutOnce(ctx, key, expires, now)
}

func (s strict) RemoveUser(ctx context.Context, userID string) (int, error) {
	if err := texttest.CheckStorable(userID); err != nil {
		return 0, err
	}
	return s.Store.RemoveUser(ctx, userID)
}

func strictApp(t *testing.T, change func(a *app, c *external.Config)) *app {
	t.Helper()
	return newApp(t, func(a *app, c *external.Config) {
		c.Store = strict{c.Store}
		if change != nil {
			change(a, c)
		}
	})
}

func TestUnitOddTextsOfBrowsers(t *testing.T) {
	a := strictApp(t, nil)
	b := a.browser().signedInAs("alice")
	texttest.Run(t, texttest.Unstorable, "as the identifier of an account is not linked",
		func(t *testing.T, id string) {
			got := b.do("POST", "/login/acme/unlink/", url.Values{"id": {id}})
			if got.status != 303 || got.location != a.url+"/account" {
				t.Errorf("got %d to %q, want the account", got.status, got.location)
			}
		})
	for _, name := range []string{"state", "code", "iss", "error"} {
		texttest.Run(t, texttest.Unstorable, "as "+name+" of an answer is refused", func(t *testing.T, text string) {
			got := b.do("GET", "/login/acme/callback/?"+url.Values{"state": {"x"}, "code": {"x"},
				name: {text}}.Encode(), nil)
			if got.status != 400 {
				t.Errorf("got %d, want 400", got.status)
			}
		})
	}
}

func TestUnitOddTextsOfProviders(t *testing.T) {
	texttest.Run(t, texttest.Unstorable, "in what a provider tells is no outage", func(t *testing.T, text string) {
		for _, name := range []string{"name", "email", "preferred_username", "picture", "hd", "acr"} {
			a := strictApp(t, nil)
			a.idp.SignIn(authtest.Person{Subject: "1", Claims: map[string]any{name: text, "amr": []string{"pwd",
				text}}})
			if got := a.browser().visit("/login/acme/"); got.status != 200 {
				t.Errorf("got %d %s for %s, want a login", got.status, got.body, name)
			}
		}
		a := strictApp(t, nil)
		a.idp.SignIn(authtest.Person{Subject: text})
		if got := a.browser().visit("/login/acme/"); got.status != 400 {
			t.Errorf("got %d %s for the subject, want 400", got.status, got.body)
		}
	})
	texttest.Run(t, texttest.Unstorable, "as an ACR of a provider without OpenID Connect is not told",
		func(t *testing.T, text string) {
			a := strictApp(t, func(a *app, c *external.Config) {
				o := plain(a, nil)
				o.Profile = func(context.Context, *external.API) (*external.Profile, error) {
					return &external.Profile{Subject: "1", AuthInfo: auth.AuthInfo{ACR: text, AMR: []string{"pwd"}}},
						nil
				}
				c.Providers = []external.Provider{o}
			})
			got := a.browser().visit("/login/" + a.logins.Choices("")[0].Name + "/")
			if info := a.last().AuthInfo; got.status != 200 || info.ACR != "" || info.AMR != nil {
				t.Errorf("got %d and %+v, want a login that tells nothing of it", got.status, info)
			}
		})
	for name, subject := range map[string]string{"an emoji": "\U0001f512", "an accent in one": "Zo\u00eb",
		"an accent in two": "Zoe\u0308", "another case": "zoe", "the longest text": strings.Repeat("\u00e9",
			127) + "x"} {
		t.Run(name+" is a subject, and found again", func(t *testing.T) {
			a := strictApp(t, nil)
			a.idp.SignIn(authtest.Person{Subject: subject})
			for range 2 {
				if got := a.browser().visit("/login/acme/"); got.status != 200 {
					t.Fatalf("got %d %s, want a login", got.status, got.body)
				}
			}
			if got := a.identities("acme-" + subject); len(got) != 1 || got[0] != subject {
				t.Errorf("got the identities %q, want one of %q", got, subject)
			}
		})
	}
	t.Run("an issuer that fits no index is refused at the start", func(t *testing.T) {
		long := "https://idp.example/" + strings.Repeat("x", 1024)
		a := newApp(t, nil)
		oidc, plain := a.acme(), plain(a, nil)
		oidc.Issuer, plain.Issuer = long, long
		for _, provider := range []external.Provider{oidc, plain} {
			config := external.Config{URL: a.url, Keys: []auth.Secret{auth.Secret(strings.Repeat("k", 32))},
				Store:    a.store,
				LoadUser: a.load, Providers: []external.Provider{provider}, Pages: external.Pages{SignInURL: "/sign-in",
					AccountURL: "/account"}}
			if _, err := external.New(config); err == nil || !strings.Contains(err.Error(), "Issuer is longer") {
				t.Errorf("got %v for %T, want an error about its Issuer", err, provider)
			}
		}
	})
}

func TestUnitOddTextsOfApplications(t *testing.T) {
	texttest.Run(t, texttest.Unstorable, "as a UserID is an error of the application, and has no accounts",
		func(t *testing.T, id string) {
			a := strictApp(t, func(a *app, c *external.Config) {
				c.Accounts.NewUser = func(context.Context, *external.Profile, string) (auth.User, error) {
					return a.add(id),
						nil
				}
			})
			if got := a.browser().visit("/login/acme/"); got.status != 503 {
				t.Errorf("got %d %s, want 503", got.status, got.body)
			}
			if all, err := a.logins.Identities(t.Context(), id); len(all) != 0 || err != nil {
				t.Errorf("got %d, %v from Identities, want none", len(all), err)
			}
			if err := a.logins.RemoveUser(t.Context(), id); err != nil {
				t.Errorf("got %v from RemoveUser, want no error", err)
			}
			if log := a.log.String(); !strings.Contains(log, "UserID") {
				t.Errorf("got the log %s, want the UserID in it", log)
			}
		})
}
