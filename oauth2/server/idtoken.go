package server

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"time"

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

func (s *Server) signIDToken(key *jwt.Key, m tokenSpec, access string, life time.Duration) (string, error) {
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
