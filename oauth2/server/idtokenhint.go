package server

import (
	"context"
	"encoding/json"

	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

// hint is what an ID token says that a client sends back.
type hint struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  oneOrAll `json:"aud"`
	SessionID string   `json:"sid"`
}

// oneOrAll reads "aud".
type oneOrAll []string

// UnmarshalJSON reads a string or an array of strings.
func (o *oneOrAll) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrAll{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// badHint is the cause of a refusal for an id_token_hint.
type badHint struct{ err error }

// Error says that it is the hint that is bad.
func (h *badHint) Error() string { return "the id_token_hint is refused: " + h.err.Error() }

// Unwrap returns what is wrong with it.
func (h *badHint) Unwrap() error { return h.err }

// openIDToken reads an ID token of ours, also one that has expired (OpenID Connect
// RP-Initiated Logout §4). The error is a *badHint if it is none.
func (s *Server) openIDToken(ctx context.Context, token string) (*hint, error) {
	set, err := s.config.Keys.Current(ctx, now())
	if err != nil {
		return nil, err
	}
	typ, claims, err := jwt.Open(set, token)
	if err != nil {
		return nil, &badHint{&cause.Reason{Check: "its form or signature is none of Config.Keys", Err: err}}
	}
	var h hint
	switch {
	case typ != "jwt":
		return nil, &badHint{wrong("its typ is that of another kind of token", typ, "JWT")}
	case json.Unmarshal(claims, &h) != nil:
		return nil, &badHint{check("its claims have other types")}
	case h.Issuer != s.config.Issuer:
		return nil, &badHint{wrong("its iss is another one", h.Issuer, s.config.Issuer)}
	case h.Subject == "" || len(h.Audience) == 0:
		return nil, &badHint{check("it has no sub or no aud")}
	}
	return &h, nil
}
