package header_test

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
	"github.com/gatewarden/auth/internal/leaktest"
)

func TestUnitSecretsAreNotPrinted(t *testing.T) {
	const hidden = "hunter2-of-the-proxy"
	p := newPeople("alice")
	trust := header.Trust{SecretHeader: "X-Proxy-Secret", Secret: hidden}
	config := header.Config{Header: "X-Username", LoadUser: p.Load, Trust: trust}
	custom := must[*header.Header](t)(header.New(config))
	authority := newAuthority(t, "authority")
	certificates := must[*header.Certificate](t)(header.NewCertificate(header.CertificateConfig{
		Issuers: []*x509.Certificate{authority.certificate}, Identity: header.EmailIdentity, LoadUser: p.Load,
		Forwarded: &header.Forwarded{Trust: trust}}))
	passwords := newBasic(t, header.BasicConfig{Check: newPasswords(p, "alice", hidden).Check, LoadUser: p.Load})
	guard := newGuard(t, custom, certificates, passwords)

	r := request(outside, "X-Username", "alice", "X-Proxy-Secret", hidden)
	if a := ask(t, guard.Require(), r); a.userID != "alice" {
		t.Fatalf("the secret is not trusted: %d", a.status)
	}
	r = request(outside)
	r.SetBasicAuth("alice", hidden)
	if a := ask(t, guard.Require(), r); a.userID != "alice" {
		t.Fatalf("the password is refused: %d", a.status)
	}
	secrets := []string{hidden}
	t.Run("a Header", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *custom) })
	t.Run("a Certificate", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, *certificates) })
	t.Run("a Basic that remembers a password", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, passwords) })
	t.Run("a Guard", func(t *testing.T) { leaktest.CheckAllFields(t, secrets, guard) })
	t.Run("a Trust", func(t *testing.T) { leaktest.CheckExported(t, secrets, trust) })
	t.Run("a Config", func(t *testing.T) { leaktest.CheckExported(t, secrets, config) })
	t.Run("a Forwarded", func(t *testing.T) { leaktest.CheckExported(t, secrets, header.Forwarded{Trust: trust}) })
	t.Run("a CertificateConfig", func(t *testing.T) {
		leaktest.CheckExported(t, secrets, header.CertificateConfig{Forwarded: &header.Forwarded{Trust: trust}})
	})
	t.Run("a Basic keeps the key of its hashes in no field", func(t *testing.T) {
		for i, of := 0, reflect.TypeFor[header.Basic](); i < of.NumField(); i++ {
			if kind := of.Field(i).Type.Kind(); kind == reflect.Array || kind == reflect.Slice {
				t.Errorf("field %s is a %v, want a closure", of.Field(i).Name, of.Field(i).Type)
			}
		}
	})
}

func TestUnitSettingsAreCopied(t *testing.T) {
	p := newPeople("alice")
	trust := header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
	custom := newHeader(t, p, trust)

	authority, other := newAuthority(t, "authority"), newAuthority(t, "other")
	config := header.CertificateConfig{Issuers: []*x509.Certificate{authority.certificate},
		Identity: header.EmailIdentity, LoadUser: p.Load,
		Forwarded: &header.Forwarded{Encoding: header.FormatNginx, Header: "X-Cert",
			Trust: header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}}}
	certificates := must[*header.Certificate](t)(header.NewCertificate(config))
	guard := newGuard(t, custom, certificates)

	trust.Proxies[0] = netip.MustParsePrefix("192.0.2.0/24")
	config.Issuers[0] = other.certificate
	config.Forwarded.Trust.Proxies[0] = netip.MustParsePrefix("192.0.2.0/24")
	config.Forwarded.Header = ""
	guard.StripHeaders()[0] = "X-Changed"
	custom.Vary()[0], custom.StripHeaders()[0] = "X-Changed", "X-Changed"
	certificates.Vary()[0], certificates.StripHeaders()[0] = "X-Changed", "X-Changed"

	for peer, status := range map[string]int{inside: 200, outside: 401} {
		if a := ask(t, guard.Require(), request(peer, "X-Username", "alice")); a.status != status {
			t.Errorf("the header from %s: %d, want %d", peer, a.status, status)
		}
	}
	if got := certificates.StripHeaders(); len(got) != 1 || got[0] != "X-Cert" {
		t.Errorf("the certificate backend strips %q, want X-Cert", got)
	}
	if a := ask(t, guard.Require(), request(outside, "X-Username", "alice")); a.seen["X-Username"] != nil {
		t.Errorf("the handler sees %q", a.seen["X-Username"])
	}
}

func TestUnitCapabilities(t *testing.T) {
	p := newPeople("alice")
	t.Run("credentials that prove a user or a machine have full access", func(t *testing.T) {
		for _, credential := range []auth.Credential{header.Credential{}, &header.BasicCredential{},
			&header.CertificateCredential{}} {
			scoped, ok := auth.As[auth.Scoped](credential)
			if !ok {
				t.Errorf("%T is not auth.Scoped, so it would be limited to nothing", credential)
				continue
			}
			if scopes, limited := scoped.Scopes(); limited || scopes != nil {
				t.Errorf("%T: scopes %q, limited %v; want full access", credential, scopes, limited)
			}
		}
	})
	t.Run("a key owns what its verifier owns, in its header", func(t *testing.T) {
		tokens := newTokens(t, p)
		keys := newAPIKey(t, tokens)
		other := must[*header.APIKey](t)(
			header.NewAPIKey(header.APIKeyConfig{Header: "X-Other-Key", Verifier: tokens, Name: "other"}))
		var want []auth.TokenClass
		for _, own := range tokens.OwnTokens() {
			want = append(want, auth.TokenClass{Scheme: "ApiKey", Prefix: "X-Api-Key: " + own.Prefix})
		}
		if got := keys.OwnTokens(); len(got) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("owns %q, want %q", got, want)
		}
		if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{tokens, keys, other}}); err != nil {
			t.Errorf("two headers beside Authorization are refused: %v", err)
		}
		again := must[*header.APIKey](t)(
			header.NewAPIKey(header.APIKeyConfig{Header: "X-API-Key", Verifier: tokens, Name: "again"}))
		if _, err := auth.New(auth.Config{Backends: []auth.Authenticator{keys, again}}); err == nil {
			t.Error("two backends for the same keys in the same header were accepted")
		}
	})
	t.Run("a key of a verifier that does not tell owns its whole header", func(t *testing.T) {
		keys := newAPIKey(t, auth.TokenVerifierFunc(newTokens(t, p).VerifyToken))
		if got := keys.OwnTokens(); !reflect.DeepEqual(
			got, []auth.TokenClass{{Scheme: "ApiKey", Prefix: "X-Api-Key: "}}) {
			t.Errorf("owns %q", got)
		}
	})
	t.Run("Basic passes the proxies on to Check", func(t *testing.T) {
		var address string
		passwords := newBasic(t,
			header.BasicConfig{Remember: -1, Check: func(r *http.Request, _, _ string) (auth.User, error) {
				address = auth.ClientIP(r).String()
				return plainUser("alice"), nil
			}})
		guard := must[*auth.Guard](t)(auth.New(auth.Config{Backends: []auth.Authenticator{passwords},
			Proxies: auth.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}}))
		r := request(inside, "X-Forwarded-For", "198.51.100.7")
		r.SetBasicAuth("alice", "secret")
		if a := ask(t, guard.Require(), r); a.status != 200 || address != "198.51.100.7" {
			t.Errorf("%d, and Check saw %s, want that of the client", a.status, address)
		}
	})
}

func TestUnitAllMistakesAreToldAtOnce(t *testing.T) {
	_, err := header.New(header.Config{Header: "Cookie"})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, says := range []string{"Config.LoadUser is missing", "Cookie has a meaning of its own",
		"Trust has no rule"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not told: %v", says, err)
		}
	}
}
