package external_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2/external"
)

// plain is a provider that has OAuth 2 and no more, at the double's GitHub.
func plain(a *app, change func(*external.OAuth2)) external.OAuth2 {
	o := external.OAuth2{Name: "plain", Issuer: "https://plain.example", AuthorizeURL: a.idp.URL() +
		"/login/oauth/authorize", TokenURL: a.idp.URL() + "/login/oauth/access_token",
		ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret,
		Profile: func(ctx context.Context, api *external.API) (*external.Profile, error) {
			if _, err := api.Get(ctx, a.idp.URL()+"/api/v3/user"); err != nil {
				return nil, err
			}
			return &external.Profile{Subject: "1", Issuer: "https://evil.example", Provider: "evil"}, nil
		}}
	if change != nil {
		change(&o)
	}
	return o
}

func TestAPlainProvider(t *testing.T) {
	subject := func(text string) func(*external.OAuth2) {
		return func(o *external.OAuth2) {
			o.Profile = func(context.Context, *external.API) (*external.Profile, error) {
				return &external.Profile{Subject: text}, nil
			}
		}
	}
	for sentence, row := range map[string]struct {
		change func(*external.OAuth2)
		quirks authtest.Quirks
		status int
		reason string
	}{
		"a good one": {nil, authtest.Quirks{}, 200, ""},
		"an iss nobody expects": {nil, authtest.Quirks{Answer: func(v url.Values) {
			v.Set("iss", "https://plain.example")
		}}, 400, "untrusted"},
		"an iss that is expected": {func(o *external.OAuth2) { o.ResponseIssuer = "https://plain.example" },
			authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://plain.example") }}, 200, ""},
		"another iss": {func(o *external.OAuth2) { o.ResponseIssuer = "https://plain.example" },
			authtest.Quirks{Answer: func(v url.Values) { v.Set("iss", "https://plain.example/") }}, 400, "untrusted"},
		"no subject":             {subject(""), authtest.Quirks{}, 400, "untrusted"},
		"a subject of 255 bytes": {subject(strings.Repeat("x", 255)), authtest.Quirks{}, 200, ""},
		"a subject of 256 bytes": {subject(strings.Repeat("x", 256)), authtest.Quirks{}, 400, "untrusted"},
		"a subject with a NUL":   {subject("a\x00b"), authtest.Quirks{}, 400, "untrusted"},
		"a subject with a space": {subject(" a"), authtest.Quirks{}, 400, "untrusted"},
		"a subject of no UTF-8":  {subject("a\xff"), authtest.Quirks{}, 400, "untrusted"},
		"a token that cannot be sent": {nil, authtest.Quirks{TokenAnswer: func(a map[string]any) {
			a["access_token"] = "a\r\nX: y"
		}}, 400, "untrusted"},
		"no profile": {func(o *external.OAuth2) {
			o.Profile = func(context.Context, *external.API) (*external.Profile, error) { return nil, nil }
		}, authtest.Quirks{}, 503, "temporarily_unavailable"},
		"refused by the profile": {func(o *external.OAuth2) {
			o.Profile = func(context.Context, *external.API) (*external.Profile, error) {
				return nil, external.ErrNotAllowed
			}
		}, authtest.Quirks{}, 403, "not_allowed"},
		"an API that is down": {nil, authtest.Quirks{UserInfoStatus: 502}, 503, "temporarily_unavailable"},
		"an API elsewhere": {func(o *external.OAuth2) {
			o.Profile = func(ctx context.Context, api *external.API) (*external.Profile, error) {
				_, err := api.Get(ctx, "http://elsewhere.example/")
				return &external.Profile{Subject: "1"}, err
			}
		}, authtest.Quirks{}, 503, "temporarily_unavailable"},
	} {
		a := newApp(t, func(a *app, c *external.Config) { c.Providers = []external.Provider{plain(a, row.change)} })
		a.idp.SetQuirks(row.quirks)
		b := a.browser()
		p := b.visit("/login/plain/")
		if p.status != row.status || p.reason() != row.reason {
			t.Errorf("%s: %d %s %s", sentence, p.status, p.reason(), a.log)
		}
		if row.status == 200 && (a.last().Issuer != "https://plain.example" || a.last().Provider != "plain") {
			t.Errorf("%s: %+v", sentence, a.last())
		}
	}
}

func TestATokenOfFacebookMayLiveLonger(t *testing.T) {
	for _, long := range []bool{false, true} {
		var kept *external.Tokens
		a := newApp(t, func(a *app, c *external.Config) {
			c.Providers = []external.Provider{
				external.Facebook{ClientID: a.idp.ClientID, ClientSecret: a.idp.ClientSecret, BaseURL: a.idp.URL(),
					LongLived: long}}
			c.Accounts.KeepTokens = func(_ context.Context, _ auth.User, _ *external.Profile,
				tokens *external.Tokens) error {
				kept = tokens
				return nil
			}
		})
		if p := a.browser().visit("/login/facebook/"); p.status != 200 ||
			(time.Until(kept.ExpiresAt) > 24*time.Hour) != long {
			t.Errorf("%v: %d %s", long, p.status, a.log)
		}
	}
}
