package server

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

// idClaims are those of an ID token (OpenID Connect Core §2).
type idClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"` // the client, which no access token is for
	Expires   int64    `json:"exp"`
	Issued    int64    `json:"iat"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	Nonce     string   `json:"nonce,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	AtHash    string   `json:"at_hash"`
	SessionID string   `json:"sid,omitempty"`
}

func (s *Server) signIDToken(key *jwt.Key, m minting, access string, life time.Duration) (string, error) {
	c := idClaims{Issuer: s.config.Issuer, Subject: m.grant.UserID, Audience: m.client.ID, Issued: m.now.Unix(), Expires: m.now.Add(life).Unix(),
		Nonce: m.nonce, ACR: m.grant.AuthInfo.ACR, AMR: m.grant.AuthInfo.AMR, AtHash: halfHash(key.Algorithm(), access), SessionID: m.grant.SessionID}
	if at := m.grant.AuthInfo.AuthTime; !at.IsZero() {
		c.AuthTime = at.Unix()
	}
	return jwt.Sign(key, "JWT", c)
}

// halfHash is the left half of the hash that goes with an algorithm (OpenID
// Connect Core §3.1.3.6). EdDSA with Ed25519 hashes with SHA-512.
func halfHash(algorithm jwt.Algorithm, text string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(string(algorithm), "256"):
		full := sha256.Sum256([]byte(text))
		sum = full[:]
	case strings.HasSuffix(string(algorithm), "384"):
		full := sha512.Sum384([]byte(text))
		sum = full[:]
	default:
		full := sha512.Sum512([]byte(text))
		sum = full[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

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
