package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
)

// sender is the user: the program that sent the request.
type sender string

func (s sender) UserID() string { return string(s) }

// signed is a backend that proves requests with the header
//
//	Authorization: Signed name:signature
//
// The signature is the HMAC-SHA256 of "name method path" in hex.
type signed struct{ key []byte }

// Challenges returns what a 401 tells the client.
func (s signed) Challenges() []auth.Challenge { return []auth.Challenge{{Scheme: "Signed"}} }

// Ambient returns false, because no browser adds a signature by itself.
func (s signed) Ambient() bool { return false }

func (s signed) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	scheme, value, err := auth.Authorization(r)
	if err != nil {
		return nil, nil, err // no such header, or two of them
	}
	if !strings.EqualFold(scheme, "Signed") {
		return nil, nil, auth.ErrNoCredentials // a scheme of another backend
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
