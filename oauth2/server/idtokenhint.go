package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

// idTokenHint is what an ID token says that a client sends back.
type idTokenHint struct {
	Issuer    string       `json:"iss"`
	Subject   string       `json:"sub"`
	Audience  stringOrList `json:"aud"`
	SessionID string       `json:"sid"`
}

// stringOrList reads "aud".
type stringOrList []string

// UnmarshalJSON reads a string or an array of strings.
func (o *stringOrList) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = stringOrList{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

// hintError is the cause of a refusal for an id_token_hint.
type hintError struct{ err error }

// Error says that it is the hint that is bad.
func (h *hintError) Error() string { return "the id_token_hint is refused: " + h.err.Error() }

// Unwrap returns what is wrong with it.
func (h *hintError) Unwrap() error { return h.err }

// openIDToken reads an ID token of ours, also one that has expired (OpenID Connect
// RP-Initiated Logout §4). The error is a *hintError if it is no such token.
func (s *Server) openIDToken(ctx context.Context, token string) (*idTokenHint, error) {
	set, err := s.config.Keys.Current(ctx, now())
	if err != nil {
		return nil, err
	}
	typ, claims, err := jwt.Open(set, token)
	if err != nil {
		fault := &hintError{&cause.Reason{Check: "its form or signature is none of Config.Keys", Err: err}}
		if unproved := s.readUnproved(set, token); unproved != nil {
			return nil, &unverifiedHintError{fault, unproved}
		}
		return nil, fault
	}
	return s.readHint(typ, claims)
}

// readHint reads what an ID token says.
func (s *Server) readHint(typ string, claims []byte) (*idTokenHint, error) {
	var h idTokenHint
	switch {
	case typ != "jwt":
		return nil, &hintError{failedValue("its typ is that of another kind of token", typ, "JWT")}
	case json.Unmarshal(claims, &h) != nil:
		return nil, &hintError{failedCheck("its claims have other types")}
	case h.Issuer != s.config.Issuer:
		return nil, &hintError{failedValue("its iss is another one", h.Issuer, s.config.Issuer)}
	case h.Subject == "" || len(h.Audience) == 0:
		return nil, &hintError{failedCheck("it has no sub or no aud")}
	}
	return &h, nil
}

// unverifiedHintError is the hintError of a token that names a key which is not among Config.Keys any more. What it
// says is as good as any other parameter of the request: anybody could have written it.
type unverifiedHintError struct {
	*hintError
	says *idTokenHint
}

// Unwrap returns the hintError.
func (u *unverifiedHintError) Unwrap() error { return u.hintError }

// readUnproved returns what a token says that names a key which is not in set, or nil if the
// token has not the form of one of this server, or names a key that is there.
func (s *Server) readUnproved(set *jwt.KeySet, token string) *idTokenHint {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > auth.MaxAuthorization {
		return nil
	}
	var header struct {
		Type  string `json:"typ"`
		KeyID string `json:"kid"`
	}
	if decodeSegment(parts[0], &header) != nil || header.KeyID == "" ||
		slices.ContainsFunc(set.Keys(), func(k *jwt.Key) bool { return k.ID() == header.KeyID }) {
		return nil
	}
	var claims json.RawMessage
	if decodeSegment(parts[1], &claims) != nil {
		return nil
	}
	h, err := s.readHint(strings.ToLower(header.Type), claims)
	if err != nil {
		return nil
	}
	return h
}

// decodeSegment reads one part of a JWT (RFC 7515 §3.1).
func decodeSegment(text string, to any) error {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return err
	}
	return json.Unmarshal(decoded, to)
}

// logoutHint reads the id_token_hint of a logout. A hint of a key that was retired says only which
// client asks, so the user is asked (OpenID Connect RP-Initiated Logout §2). The returned hint is
// then nil, and the log has the reason.
func (s *Server) logoutHint(r *http.Request, token string) (proved *idTokenHint, clientID string, err error) {
	h, err := s.openIDToken(r.Context(), token)
	if unproved := (*unverifiedHintError)(nil); errors.As(err, &unproved) {
		s.report(r, http.StatusOK, refuse(CodeInvalidRequest, "The id_token_hint cannot be verified.", err))
		return nil, unproved.says.Audience[0], nil
	}
	if err != nil {
		return nil, "", err
	}
	return h, h.Audience[0], nil
}
