package header_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/header"
)

// directory knows everybody but mallory, is down for lost, and calls carol
// inactive.
func directory(_ context.Context, id string) (auth.User, error) {
	switch id {
	case "mallory":
		return nil, auth.ErrUserNotFound
	case "carol":
		return nil, auth.ErrUserInactive
	case "lost":
		return nil, errors.New("the directory is down")
	}
	return authtest.User(id), nil
}

// notProved are the challenges of a guard with a backend that has no challenge.
var notProved = []auth.Challenge{{Scheme: "Bearer"}}

func TestUnitHeaderKeepsTheContractOfABackend(t *testing.T) {
	const secret = "0123456789abcdef"
	byPeer := header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	bySecret := header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}
	for name, trust := range map[string]header.Trust{"by address": byPeer, "by a secret": bySecret} {
		t.Run(name, func(t *testing.T) {
			backend := must[*header.Header](t)(header.New(header.Config{Header: "X-Username", Groups: "X-Groups",
				LoadUser: directory, Trust: trust}))
			says := func(headers ...string) authtest.Request {
				return func() *http.Request {
					return request("192.0.2.1:1234", append(headers, "X-Proxy-Secret", secret)...)
				}
			}
			authtest.Backend(t, backend, authtest.Cases{
				Good: []authtest.Good{
					{Request: says("X-Username", "alice"), User: "alice"},
					{Request: says("X-Username", "bob", "X-Groups", "staff,admins"), User: "bob"},
				},
				Absent: []authtest.Request{says(), says("X-Username", ""), func() *http.Request {
					return request("203.0.113.1:1234", "X-Username", "alice")
				}},
				Invalid: []authtest.Request{says("X-Username", "mallory"), says("X-Username", "carol")},
				Malformed: []authtest.Request{says("X-Username", "alice", "X-Username", "bob"),
					says("X-Username", "a\x00")},
				Outage:     []authtest.Request{says("X-Username", "lost")},
				Challenges: notProved,
			})
		})
	}
}

// verifier knows two keys and is down for a third.
func verifier(_ context.Context, key string) (auth.User, auth.Credential, error) {
	switch key {
	case "gw_alice":
		return authtest.User("alice"), authtest.Credential{Name: "keys"}, nil
	case "gw_reader":
		return authtest.User("reader"), authtest.Credential{Name: "keys", Scope: []string{"read"}}, nil
	case "gw_expired":
		return nil, nil, auth.ErrInvalid
	case "gw_lost":
		return nil, nil, errors.New("the store is down")
	}
	return nil, nil, auth.ErrUnrecognized
}

func TestUnitAPIKeyKeepsTheContractOfABackend(t *testing.T) {
	keys := must[*header.APIKey](t)(header.NewAPIKey(header.APIKeyConfig{
		Header: "X-API-Key", Verifier: auth.TokenVerifierFunc(verifier), Name: "keys"}))
	key := func(text string) authtest.Request { return authtest.RequestWith("X-API-Key", text) }
	authtest.Backend(t, keys, authtest.Cases{
		Good: []authtest.Good{
			{Request: key("gw_alice"), User: "alice"},
			{Request: key("gw_reader"), User: "reader", Scopes: []string{"read"}},
		},
		Absent:       []authtest.Request{key(""), authtest.RequestWith("Authorization", "Bearer gw_alice")},
		Invalid:      []authtest.Request{key("gw_expired")},
		Malformed:    []authtest.Request{key("a key with spaces")},
		Unrecognized: []authtest.Request{key("other_key")},
		Outage:       []authtest.Request{key("gw_lost")},
	})
}

func TestUnitBasicKeepsTheContractOfABackend(t *testing.T) {
	check := func(r *http.Request, username, password string) (auth.User, error) {
		if password != "sesame" {
			return nil, auth.ErrInvalid
		}
		return directory(r.Context(), username)
	}
	for name, remember := range map[string]time.Duration{"that remembers": time.Minute, "that does not remember": -1} {
		t.Run(name, func(t *testing.T) {
			backend := must[*header.Basic](t)(header.NewBasic(header.BasicConfig{Check: check, LoadUser: directory,
				Remember: remember}))
			with := func(text string) authtest.Request {
				return authtest.RequestWith("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
			}
			authtest.Backend(t, backend, authtest.Cases{
				Good: []authtest.Good{{Request: with("alice:sesame"), User: "alice"},
					{Request: with("bob:sesame"), User: "bob"}},
				Absent:    []authtest.Request{authtest.RequestWith("Authorization", "Bearer abc")},
				Invalid:   []authtest.Request{with("alice:wrong"), with("carol:sesame")},
				Malformed: []authtest.Request{with("alice"), authtest.RequestWith("Authorization", "Basic a b")},
				Outage:    []authtest.Request{with("lost:sesame")},
			})
		})
	}
}

func TestUnitCertificateKeepsTheContractOfABackend(t *testing.T) {
	people, strangers := newAuthority(t, "people"), newAuthority(t, "strangers")
	config := header.CertificateConfig{Issuers: []*x509.Certificate{people.certificate}, Identity: header.EmailIdentity,
		LoadUser: func(ctx context.Context, id string) (auth.User, error) {
			if id == "mallory@corp.example" {
				return nil, auth.ErrUserNotFound
			}
			return authtest.User(id), nil
		}}
	over := func(issuer *authority, leaf tls.Certificate) authtest.Request {
		return func() *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf.Leaf},
				VerifiedChains: [][]*x509.Certificate{{leaf.Leaf, issuer.certificate}}}
			return r
		}
	}
	alice := people.issue(t, "alice", email("alice@corp.example"))
	mallory := people.issue(t, "mallory", email("mallory@corp.example"))
	expired := people.issue(t, "alice", email("alice@corp.example"), valid(-2*time.Hour, -time.Hour))
	stranger := strangers.issue(t, "alice", email("alice@corp.example"))
	t.Run("over TLS", func(t *testing.T) {
		authtest.Backend(t, newCertificate(t, config), authtest.Cases{
			Good:       []authtest.Good{{Request: over(people, alice), User: "alice@corp.example"}},
			Absent:     []authtest.Request{over(strangers, stranger)},
			Invalid:    []authtest.Request{over(people, mallory), over(people, expired)},
			Challenges: notProved,
		})
	})
	t.Run("of a machine", func(t *testing.T) {
		machines := config
		machines.LoadUser = nil
		machines.LoadMachine = func(_ context.Context, id string) (auth.Machine, error) {
			return auth.Machine{ID: id}, nil
		}
		authtest.Backend(t, newCertificate(t, machines), authtest.Cases{
			Good:       []authtest.Good{{Request: over(people, alice), User: "client:alice@corp.example"}},
			Challenges: notProved,
		})
	})
	t.Run("from a proxy", func(t *testing.T) {
		forwarded := config
		near := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		forwarded.Forwarded = &header.Forwarded{Trust: header.Trust{Proxies: near}}
		sent := func(peer string, lines ...string) authtest.Request {
			var headers []string
			for _, line := range lines {
				headers = append(headers, "Client-Cert", line)
			}
			return func() *http.Request { return request(peer, headers...) }
		}
		field := func(leaf tls.Certificate) string { // RFC 9440 §2.1
			return ":" + base64.StdEncoding.EncodeToString(leaf.Leaf.Raw) + ":"
		}
		authtest.Backend(t, newCertificate(t, forwarded), authtest.Cases{
			Good:    []authtest.Good{{Request: sent("192.0.2.1:1", field(alice)), User: "alice@corp.example"}},
			Absent:  []authtest.Request{sent("203.0.113.1:1", field(alice)), sent("192.0.2.1:1", field(stranger))},
			Invalid: []authtest.Request{sent("192.0.2.1:1", field(mallory)), sent("192.0.2.1:1", field(expired))},
			Malformed: []authtest.Request{sent("192.0.2.1:1", "no certificate"),
				sent("192.0.2.1:1", field(alice), field(alice))},
			Challenges: notProved,
		})
	})
}
