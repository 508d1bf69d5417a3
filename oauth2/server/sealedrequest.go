package server

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
	"github.com/gatewarden/auth/internal/seal"
	"github.com/gatewarden/auth/jwt"
)

// An authorization request is kept by the browser if its user must sign in first: sealed, in the address to which the
// login leads back. So strangers fill no store, no cookie is needed to go on, and every instance that has the same keys
// can. What the store keeps is the identifier of a request that was answered, so that it leads to one code.

// maxSealed is the longest sealed request, in bytes. The address with it is a parameter of the login page's own
// address, and an external login keeps it in a cookie, which browsers limit to 4096 bytes. See package oauth2/external.
const maxSealed = 3400

// maxRequest is the longest request, in bytes, before it is sealed.
const maxRequest = maxSealed*3/4 - 28 // of AES-GCM

// requestVersion is the version of what addresses and pages keep. Raise it with every member that a program without it
// must not leave out. While the instances of a service are replaced, one of another version then refuses the request,
// and drops no check of it.
const requestVersion = 1

// sealedFor names what is sealed, and by which server. Both are bound to it.
func (s *Server) sealedFor() string { return "authorization request to " + s.config.Issuer }

// The causes of refusals for a request that the browser kept.
var (
	errSealedRequest = errors.New("the request in the address was changed or cut on the way, or sealed by other keys " +
		"than Config.Endpoints.RequestKeys. Instances need the same ones")
	errLateRequest = fmt.Errorf("the request came more than %v ago", interactionTTL)
)

// deriver is what a [jwt.Keyring] can do.
type deriver interface {
	DeriveKeys(purpose string) ([]auth.Secret, error)
}

var _ deriver = (*jwt.Keyring)(nil)

// keyDeriver returns the first of keys, and of the sources that they wrap, which derives keys. A decorator says what it
// wraps by a method Unwrap, as for [auth.As]. It returns nil if there is no such source.
func keyDeriver(keys jwt.KeySource) deriver {
	for range 100 { // so that one that unwraps to itself ends
		if found, ok := keys.(deriver); ok {
			return found
		}
		wrapper, ok := keys.(interface{ Unwrap() jwt.KeySource })
		if !ok {
			break
		}
		keys = wrapper.Unwrap()
	}
	return nil
}

// auditRequestKeys lists that a login must come back to the instance that began it.
func auditRequestKeys(a *auditor) {
	if a.config.SignIn != nil && len(a.config.Endpoints.RequestKeys) == 0 && keyDeriver(a.config.Keys) == nil {
		a.add("RFC 6749 §4.1.1", "Endpoints.RequestKeys", "each instance seals authorization requests with a random "+
			"key of its own: a login that comes back to another instance, or after a restart, must start again")
	}
}

// setRequestKeys takes the keys of Config.Endpoints.RequestKeys or, without them, of Config.Keys. Otherwise it makes a
// random key.
func (s *Server) setRequestKeys() error {
	c := &s.config
	keys := c.Endpoints.RequestKeys
	if ring := keyDeriver(c.Keys); ring != nil && len(keys) == 0 {
		var err error
		if keys, err = ring.DeriveKeys("oauth2 requests"); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		s.ownSeal = new(atomic.Bool)
		s.ownSeal.Store(true)
		random := make([]byte, seal.MinKey)
		_, _ = rand.Read(random) // never fails
		keys = []auth.Secret{auth.Secret(random)}
	}
	var err error
	if s.seals, err = seal.NewKeys(keys, "gatewarden oauth2 requests"); err != nil {
		return err
	}
	codes, err := seal.Derive(keys[0].Reveal(), "gatewarden oauth2 codes")
	s.codeKey = redact.New(codes)
	return err
}

// encode returns the request as JSON. It writes "<" and "&" as they are, because they would take six bytes.
func (a *authorization) encode() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(a)
	return text.Bytes(), err
}

// checkLength refuses a request that would not fit into an address, whether or not its user must sign in.
func (a *authorization) checkLength() error {
	kept := *a
	kept.ID, kept.SentToLogin, kept.Fresh, kept.Logins = backend.NewID(), true, true, maxLogins
	// JSON leaves out the last zeros of an instant. The limit must not depend on when a request comes.
	kept.Asked = kept.Asked.Truncate(time.Second).Add(999_999 * time.Microsecond)
	text, err := kept.encode()
	if err == nil && len(text) > maxRequest {
		return refuse(CodeInvalidRequest, "The request is too long.",
			failedValue("the request, with its state, has more bytes than an address holds", strconv.Itoa(len(text)),
				strconv.Itoa(maxRequest)+" or fewer"))
	}
	return err
}

// sealRequest returns a request as an address holds it. The request keeps its identifier for as long as it lives, so
// all addresses that were made of one request have one answer.
func (s *Server) sealRequest(a *authorization) (string, error) {
	kept := *a
	if kept.ID == "" {
		kept.ID = backend.NewID()
	}
	text, err := kept.encode()
	if err != nil {
		return "", err
	}
	if s.ownSeal != nil && s.ownSeal.CompareAndSwap(true, false) { // told once, by a server that has logins
		s.logger().Info("oauth2/server: a random key seals the authorization requests of browsers, so a login must " +
			"come back to the same instance before it restarts; see Config.Endpoints.RequestKeys")
	}
	return seal.Seal(s.seals, text, s.sealedFor()), nil
}

// openRequest returns the request that an address holds. The error is the cause of a refusal.
func (s *Server) openRequest(kept string) (*authorization, error) {
	text, err := seal.OpenLong(s.seals, kept, s.sealedFor(), maxSealed)
	if err != nil {
		return nil, errSealedRequest
	}
	a := &authorization{}
	switch {
	case json.Unmarshal(text, a) != nil || a.ID == "" || a.Version != requestVersion:
		return nil, errOtherVersion
	case !now().Before(a.Asked.Add(interactionTTL)):
		return nil, errLateRequest
	}
	return a, nil
}

// answerKey is the key of PutOnce by which the store knows that a request was answered. It is "" for a request that
// the browser did not keep.
func (a *authorization) answerKey() string {
	if a.ID == "" {
		return ""
	}
	return "request " + a.ID
}

// answerExpires is when nothing can answer the request any more. A page that it led to may wait for its time
// after the request has expired.
func (a *authorization) answerExpires() time.Time { return a.Asked.Add(2 * interactionTTL) }

// errRequestEnded refuses a request that came back too late, or again.
func errRequestEnded(cause error) *Error {
	return refuse(CodeInvalidRequest, "This page has expired or was answered before. "+
		"Please go back to the application and try again.", cause)
}
