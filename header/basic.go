package header

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/basic"
)

// BasicConfig is the configuration of [Basic]. Check is required, and LoadUser
// unless Remember is negative.
type BasicConfig struct {
	// Check decides about a username and password, such as
	// (*password.Authenticator).Check. Its errors are those of an
	// [auth.Authenticator] and are returned as they are. It must not call a
	// password absent or unrecognized: that is answered with 503. It must be
	// safe for concurrent use, and throttle tries.
	//
	// Requests that come while the same username and password are checked for the
	// same client address and Host get the outcome of that check, also if it is an error: a
	// throttle counts a wrong password that came several times at once as one failure.
	// Check gets a copy of the first request, without its body. The context of the copy ends when
	// the last of the requests goes away. With a negative Remember each request has a check of its own.
	Check func(r *http.Request, username, password string) (auth.User, error)

	// LoadUser loads the user of a remembered password, on every request, so
	// that disabled users are out at once. It gets the UserID of what Check
	// returned, and should return the same type.
	LoadUser auth.UserLoader
	// Remember is how long a password that was right is not checked again: at
	// most 60 seconds, which 0 means too. If negative, every password is
	// checked. A password check is slow on purpose, and clients send Basic with
	// every request. A password is remembered for the client's address and the host of its
	// request, and not if the address is not known. The host is both the Host of the request and
	// the one that a trusted proxy names. At one address it is no secret which of its guesses is
	// right while the user is remembered there. What is kept is a hash under a key of this process.
	// Only users with an [auth.Stamper] stamp are remembered, and only while it stays
	// the same, because without one a change of password goes unnoticed.
	// [auth.Fresh] counts from the check.
	Remember time.Duration

	// Realm is named in the challenge, "api" if empty.
	Realm string
	// Silent keeps browsers from asking for a password in a dialog of their own.
	// The challenge then has the scheme "Form", which no browser acts on and no
	// RFC defines, because a 401 must have a challenge (RFC 9110 §15.5.2).
	Silent bool
	// Name is what credentials return as their backend, "basic" if empty.
	Name string
}

// Basic is the backend for HTTP Basic (RFC 7617). It is safe for concurrent
// use.
type Basic struct {
	config BasicConfig
	// digest is the key under which a username and password are remembered. It
	// holds a secret of this process, which package fmt cannot print there.
	digest func(r *http.Request, username, password string) [sha256.Size]byte

	checks sharedChecks

	mu        sync.Mutex
	passwords map[[sha256.Size]byte]cachedPassword
}

var (
	_ auth.Authenticator = (*Basic)(nil)
	_ auth.Named         = (*Basic)(nil)
	_ auth.Challenger    = (*Basic)(nil)
	_ auth.TokenOwner    = (*Basic)(nil)
	_ auth.Ambient       = (*Basic)(nil)
	_ auth.Varier        = (*Basic)(nil)
	_ auth.ProxyReader   = (*Basic)(nil)
)

// NewBasic returns a Basic, or an error that says which setting is missing or
// out of range.
func NewBasic(config BasicConfig) (*Basic, error) {
	config.Remember = cmp.Or(config.Remember, time.Minute)
	config.Name, config.Realm = cmp.Or(config.Name, "basic"), cmp.Or(config.Realm, "api")
	s := backend.Settings{Package: "header"}
	s.Need("BasicConfig.Check", config.Check)
	s.Refuse(config.Remember > time.Minute, "BasicConfig.Remember is longer than 60 s")
	s.Refuse(config.Remember > 0 && config.LoadUser == nil,
		"BasicConfig.LoadUser is missing, and Remember is not negative")
	s.Refuse(hasControl(config.Realm), "BasicConfig.Realm has control characters")
	if err := s.Err(); err != nil {
		return nil, err
	}
	return &Basic{config: config, digest: newDigest(), passwords: make(map[[sha256.Size]byte]cachedPassword)}, nil
}

// Authenticate proves a request by HTTP Basic. It returns ErrNoCredentials if
// the Authorization header is absent or has another scheme, ErrMalformed if it
// is not base64 of a username, a colon and a password, and otherwise what Check
// returns. A remembered user that is gone or inactive is ErrInvalid, "Invalid
// username/password.".
func (b *Basic) Authenticate(r *http.Request) (auth.User, auth.Credential, error) {
	value, err := basic.FromRequest(r)
	if err != nil {
		return nil, nil, err
	}
	username, password, err := basic.Decode(value)
	if err != nil {
		return nil, nil, err
	}
	digest := b.digest(r, username, password)
	if user, at, err := b.cachedUser(r, digest); user != nil || err != nil {
		if err != nil {
			return nil, nil, err
		}
		return user, &BasicCredential{b.config.Name, at}, nil
	}
	user, at, err := b.checkShared(r, digest, username, password)
	if err != nil {
		return nil, nil, err
	}
	return user, &BasicCredential{b.config.Name, at}, nil
}

// check asks Check. An error that calls the password absent is a bug of Check.
func (b *Basic) check(r *http.Request, username, password string) (auth.User, error) {
	user, err := b.config.Check(r, username, password)
	switch auth.KindOf(err) {
	case auth.ErrNoCredentials, auth.ErrUnrecognized:
		// As text, so that nothing finds the kind inside and goes on to a
		// weaker backend.
		return nil, errors.New("header: BasicConfig.Check called a password absent: " + fmt.Sprint(err))
	}
	return user, err
}

// newDigest returns a hash of a username and password, and of where they came from, under a
// new key.
func newDigest() func(r *http.Request, username, password string) [sha256.Size]byte {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return func(r *http.Request, username, password string) (digest [sha256.Size]byte) {
		mac := hmac.New(sha256.New, key[:])
		// A password that was right at one address is no answer to guesses from another one,
		// which Check throttles, and no answer at one host for the tenant of another.
		for _, part := range []string{auth.ClientIP(r).String(), hostOf(r)} {
			mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
			mac.Write([]byte(part))
		}
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(username))))
		mac.Write([]byte(username))
		mac.Write([]byte(password))
		mac.Sum(digest[:0])
		return digest
	}
}

// hostOf returns what Check may tell tenants apart by: the Host of the request and the one
// that a trusted proxy names. A proxy may set the one and pass on what a client wrote into the
// other.
func hostOf(r *http.Request) string {
	return r.Host + " " + auth.ProxiesFrom(r.Context()).Host(r) // no request has a Host with a space
}

// load loads a user with a right password. A user that is gone or inactive is refused as a
// wrong password is.
func (b *Basic) load(ctx context.Context, id string) (auth.User, error) {
	user, err := b.config.LoadUser.Load(ctx, id)
	if auth.KindOf(err) == auth.ErrInvalid {
		return nil, &auth.Error{Kind: auth.ErrInvalid, Detail: "Invalid username/password.", Cause: err}
	}
	return user, err
}

// Backend returns BasicConfig.Name.
func (b *Basic) Backend() string { return b.config.Name }

// Challenges returns the challenge of RFC 7617, or with BasicConfig.Silent one
// that no browser acts on.
func (b *Basic) Challenges() []auth.Challenge {
	if b.config.Silent {
		return []auth.Challenge{{Scheme: "Form", Params: []auth.Param{{Name: "realm", Value: b.config.Realm}}}}
	}
	return []auth.Challenge{basic.Challenge(b.config.Realm)}
}

// OwnTokens returns the scheme Basic: a second backend of it would never be
// asked about a password that this one refuses.
func (b *Basic) OwnTokens() []auth.TokenClass { return []auth.TokenClass{{Scheme: "Basic"}} }

// Vary returns Authorization.
func (b *Basic) Vary() []string { return []string{"Authorization"} }

// ReadsProxies returns true, because BasicConfig.Check may throttle by the
// client's address.
func (b *Basic) ReadsProxies() bool { return true }

// Ambient returns true: a browser that has been told a password sends it with
// every request to the same origin, whichever page caused it.
func (b *Basic) Ambient() bool { return true }

// BasicCredential is a password that was right.
type BasicCredential struct {
	backend string
	at      time.Time
}

var (
	_ auth.Credential   = (*BasicCredential)(nil)
	_ auth.Scoped       = (*BasicCredential)(nil)
	_ auth.Primary      = (*BasicCredential)(nil)
	_ auth.Ambient      = (*BasicCredential)(nil)
	_ auth.AuthInformer = (*BasicCredential)(nil)
)

// Backend returns BasicConfig.Name.
func (c *BasicCredential) Backend() string { return c.backend }

// Scopes returns false: the user has full access.
func (c *BasicCredential) Scopes() (scopes []string, limited bool) { return nil, false }

// Primary returns true: a token may be issued for a password.
func (c *BasicCredential) Primary() bool { return true }

// Ambient returns true, as [Basic.Ambient] does.
func (c *BasicCredential) Ambient() bool { return true }

// AuthInfo returns when the password was checked, and "pwd" (RFC 8176 §2).
func (c *BasicCredential) AuthInfo() auth.AuthInfo {
	return auth.AuthInfo{AuthTime: c.at, AMR: []string{"pwd"}}
}
