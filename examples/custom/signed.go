package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
)

type sender string

func (s sender) UserID() string { return string(s) }

// signed takes `Authorization: Signed name:hmac`, the HMAC-SHA256 of "name
// method path" in hex.
type signed struct{ key []byte }

func (s signed) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Signed"}} }

func (s signed) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	scheme, value, err := auth.Authorization(r)
	if err != nil {
		return nil, nil, err // absent, or two headers
	}
	if !strings.EqualFold(scheme, "Signed") {
		return nil, nil, auth.ErrNoCredentials // somebody else's
	}
	name, text, _ := strings.Cut(value, ":")
	signature, err := hex.DecodeString(text)
	if err != nil || name == "" {
		return nil, nil, auth.ErrMalformed
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(name + " " + r.Method + " " + r.URL.Path))
	if !hmac.Equal(signature, mac.Sum(nil)) {
		return nil, nil, auth.ErrInvalid
	}
	return sender(name), nil, nil
}
