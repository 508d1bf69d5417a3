package authtest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func (s *externalSuite) checkEmpty() {
	s.refused("no access token", Quirks{TokenAnswer: func(answer map[string]any) { delete(answer, "access_token") }}, 1)
	if s.oidc == nil {
		s.refused("an API that names no subject", Quirks{UserInfo: func(claims map[string]any) { clear(claims) }}, 1)
		return
	}
	s.refused("no ID token", Quirks{TokenAnswer: func(answer map[string]any) { delete(answer, "id_token") }}, 1)
	for sentence, sub := range map[string]any{
		"no subject": nil, "an empty subject": "", "a subject with a space": "1 ",
		"a subject of 256 bytes": strings.Repeat("1", 256),
	} {
		s.refused(sentence, claimed("sub", sub), 1)
	}
}

// claimed changes a claim of the ID token.
func claimed(name string, value any) Quirks {
	return Quirks{IDToken: func(claims map[string]any) { claims[name] = value }}
}

func (s *externalSuite) checkIDTokens() {
	if s.oidc == nil {
		return
	}
	for sentence, quirks := range map[string]Quirks{
		"another nonce":            claimed("nonce", "AAAAAAAAAAAAAAAAAAAAAAAAAA"),
		"no nonce":                 claimed("nonce", nil),
		"for another client":       claimed("aud", "another"),
		"made for another party":   claimed("azp", "another"),
		"of another issuer":        claimed("iss", "https://evil.example"),
		"of no issuer":             claimed("iss", nil),
		"expired":                  claimed("exp", time.Now().Add(-time.Hour).Unix()),
		"without an end":           claimed("exp", nil),
		"issued in the future":     claimed("iat", time.Now().Add(time.Hour).Unix()),
		"of another access token":  claimed("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"for another client, too":  alsoForAnother(),
		"of an issuer with a dash": {IDToken: func(c map[string]any) { c["iss"] = text(c["iss"]) + "-" }},
	} {
		s.refused(sentence, quirks, 1)
	}
}

// alsoForAnother names a second client, and not for which of them the token was made.
func alsoForAnother() Quirks {
	return Quirks{IDToken: func(claims map[string]any) {
		claims["aud"], claims["azp"] = []any{claims["aud"], "another"}, nil
	}}
}

func text(value any) string {
	text, _ := value.(string)
	return text
}

func (s *externalSuite) checkSignatures() {
	if s.oidc == nil {
		return
	}
	stranger, err := jwt.GenerateKey(jwt.ES256)
	if err != nil {
		s.fault("no key: %v", err)
		return
	}
	secret, err := jwt.NewKey(jwt.HS256, []byte(s.cases.At.ClientSecret.Reveal()+strings.Repeat("x", 32)))
	if err != nil {
		s.fault("no key: %v", err)
		return
	}
	signed := func(key *jwt.Key) Quirks {
		return Quirks{Sign: func(claims map[string]any) string {
			dropNil(claims)
			token, _ := jwt.Sign(key, "JWT", claims)
			return token
		}}
	}
	s.refused("by another key", signed(stranger), 1)
	s.refused("by another key of the same name", signed(stranger.WithID(s.cases.At.Keys()[0].ID())), 1)
	s.refused("by a secret", signed(secret), 1)
	s.refused("by none", Quirks{Sign: func(claims map[string]any) string {
		dropNil(claims)
		payload, _ := json.Marshal(claims)
		return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(payload) + "."
	}}, 1)
}

// dropNil leaves out what is nil, as the issuer does.
func dropNil(claims map[string]any) {
	for name, value := range claims {
		if value == nil {
			delete(claims, name)
		}
	}
}

func (s *externalSuite) checkUserInfo() {
	if s.oidc == nil || s.oidc.Quirks.NoUserInfo || !slices.Contains(s.scopes(), "email") {
		return
	}
	for sentence, sub := range map[string]any{"about another subject": "another", "about no subject": nil} {
		s.refused(sentence, Quirks{Thin: true, UserInfo: func(claims map[string]any) { claims["sub"] = sub }}, 1)
	}
}

// scopes are those that the provider asks for.
func (s *externalSuite) scopes() []string {
	if s.oidc.Scopes == nil {
		return []string{"openid", "profile", "email"}
	}
	return s.oidc.Scopes
}

func (s *externalSuite) checkTokens() {
	if s.plain == nil || s.plain.Quirks.CheckToken == nil {
		return
	}
	b := s.browser(Quirks{})
	defer b.close()
	for sentence, row := range map[string]struct {
		token string
		want  error
	}{
		"its own":             {s.cases.At.IssueToken(s.person, ""), nil},
		"one of another":      {s.cases.At.IssueToken(s.person, "another"), auth.ErrInvalid},
		"one that is unknown": {"guessed", auth.ErrInvalid},
	} {
		_, _, err := b.logins.FromToken(b.ctx, s.name, auth.Secret(row.token))
		if !errors.Is(err, row.want) || (err == nil) != (row.want == nil) {
			s.fault("%s: got %v, want %v", sentence, err, row.want)
		}
	}
}

// checkLog looks for secrets where the ID token is refused, and where the API is down.
func (s *externalSuite) checkLog() {
	for _, quirks := range []Quirks{
		{UserInfoStatus: 500, IDToken: func(c map[string]any) { c["nonce"] = "x" }},
		{UserInfoStatus: 500, Thin: true},
	} {
		var mu sync.Mutex
		secrets := []string{s.cases.At.ClientSecret.Reveal()}
		quirks.TokenAnswer = func(answer map[string]any) {
			mu.Lock()
			defer mu.Unlock()
			for _, name := range []string{"access_token", "refresh_token", "id_token"} {
				secrets = append(secrets, text(answer[name]))
			}
		}
		b := s.browser(quirks)
		_ = b.come(b.away(b.begin()))
		log := b.log.String()
		for _, request := range s.asked() {
			secrets = append(secrets, request.Form.Get("code"), request.Form.Get("code_verifier"), request.Secret)
		}
		b.close() // the last answer was sent by now
		mu.Lock()
		for _, secret := range secrets {
			if secret != "" && strings.Contains(log, secret) {
				s.fault("the log has a secret, a code or a token")
			}
		}
		mu.Unlock()
	}
}
