package external

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
)

// Facebook signs in with Facebook accounts. People are known by an id that is another
// one for each app. Facebook does not say that an address is verified, so no address is.
type Facebook struct {
	Name         string // empty is "facebook"
	ClientID     string // the App ID
	ClientSecret auth.Secret
	Version      string            // of the Graph API, empty is "v24.0"
	Scopes       []string          // nil is "public_profile" and "email"
	LongLived    bool              // for Config.Accounts.KeepTokens: a token of about 60 days, rather than of hours
	Params       map[string]string // of the authorization request, such as "auth_type"
	BaseURL      string            // of a double, in tests. Empty is Facebook's two hosts
}

// Define implements [Provider].
func (f Facebook) Define() (Definition, error) {
	if f.ClientSecret == "" {
		return nil, errors.New("oauth2/external: Facebook.ClientSecret is missing: it proves every call " +
			"(appsecret_proof)")
	}
	version := cmp.Or(f.Version, "v24.0")
	if !strings.HasPrefix(version, "v") || strings.Trim(version, "v.0123456789") != "" {
		return nil, errors.New("oauth2/external: Facebook.Version is none, such as v24.0")
	}
	web, graph := trimmed(f.BaseURL, "https://www.facebook.com"), trimmed(f.BaseURL, "https://graph.facebook.com")
	if f.Scopes == nil {
		f.Scopes = []string{"public_profile", "email"}
	}
	o := OAuth2{
		Name: cmp.Or(f.Name, "facebook"), Label: "Facebook", Issuer: web, ResponseIssuer: web,
		AuthorizeURL: web + "/" + version + "/dialog/oauth", TokenURL: graph + "/" + version + "/oauth/access_token",
		ClientID: f.ClientID, ClientSecret: f.ClientSecret, Method: ClientSecretPost, Scopes: f.Scopes,
		Params: f.Params,
		Profile: func(ctx context.Context, from *API) (*Profile, error) {
			query := url.Values{"fields": {"id,name,email"},
				"appsecret_proof": {appSecretProof(f.ClientSecret, from.Token())}}
			me, err := from.Get(ctx, graph+"/"+version+"/me?"+query.Encode())
			if err != nil {
				return nil, err
			}
			return &Profile{Subject: ID(me, "id"), Name: Text(me, "name"), Email: Email{Address: Exact(me, "email")},
				Claims: me}, nil
		},
		Quirks: OAuth2Quirks{
			Fragment:   true, // "#_=_"
			CheckToken: func(ctx context.Context, api *API) error { return f.checkToken(ctx, api, graph) },
			// 100 is a code that was used, or has expired.
			Errors: ErrorCodes{InvalidGrant: []string{"100"}},
		},
	}
	if f.LongLived {
		o.Quirks.Extend = func(tokens *Tokens) url.Values {
			return url.Values{"grant_type": {"fb_exchange_token"}, "fb_exchange_token": {tokens.Access().Reveal()}}
		}
	}
	return o, nil
}

// checkToken asks which app a token is of. The app proves itself by "id|secret", which is
// how Facebook writes an app's own token.
func (f Facebook) checkToken(ctx context.Context, api *API, graph string) error {
	own := api.WithToken(auth.Secret(f.ClientID + "|" + f.ClientSecret.Reveal()))
	answer, err := own.Get(ctx, graph+"/debug_token?"+url.Values{"input_token": {api.Token().Reveal()}}.Encode())
	if err != nil {
		return err
	}
	data, _ := answer["data"].(map[string]any)
	if !Flag(data, "is_valid") || data["type"] != "USER" || ID(data, "app_id") != f.ClientID {
		return fmt.Errorf("%w: the token is not good, or another app's", ErrUntrusted)
	}
	return nil
}

// appSecretProof shows that a token is used by the app it is of.
func appSecretProof(secret, token auth.Secret) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte(token.Reveal()))
	return hex.EncodeToString(mac.Sum(nil))
}
