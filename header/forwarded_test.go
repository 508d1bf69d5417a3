package header_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// sequence is a certificate as RFC 9440 sends it.
func sequence(c tls.Certificate) string { return der(c.Certificate[0]) }

func der(raw []byte) string { return ":" + base64.StdEncoding.EncodeToString(raw) + ":" }

// escaped is a certificate as nginx sends it in $ssl_client_escaped_cert.
func escaped(raw []byte) string {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	return strings.ReplaceAll(url.QueryEscape(string(text)), "+", "%20")
}

// forwarded believes certificates that the proxy forwards.
func forwarded(p *people, issuers ...*authority) header.CertificateConfig {
	config := byEmail(p, issuers...)
	config.Forwarded = &header.Forwarded{Trust: proxy}
	return config
}

// The certificates of RFC 9440 Appendix A: the client's, of the year from
// January 2020, the intermediate and the root.
const (
	rfcLeaf = "MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxB" +
		"IEludGVybWVkaWF0ZSBDQTAeFw0yMDAx" +
		"MTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/" +
		"IncWalRhebrXmckC8vdgJ1p" +
		"5Be5F/" +
		"3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct" +
		"0ZaSED2DAOBgNVHQ8BAf8EBAMC" +
		"BsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/" +
		"r1vaL6G3VliL4/Di6YK0Q6bMje" +
		"SkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk="
	rfcIntermediate = "MIIB5jCCAYugAwIBAgIBFjAKBggqhkjOPQQDAjBWMQswCQYDVQQGEwJVUzEbMBkGA1UECgwSTGV0J3MgQXV0aGVudGljYXRl" +
		"MSowKAYDVQQDDCFMZXQncyBBdXRoZW50" +
		"aWNhdGUgUm9vdCBBdXRob3JpdHkwHhcNMjAwMTE0MjEzMjMwWhcNMzAwMTExMjEzMjMwWjA6MRswGQYDVQQKDBJMZXQncyBB" +
		"dXRoZW50aWNhdGUxGzAZBgNVBAMMEkxB" +
		"IEludGVybWVkaWF0ZSBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJf+aA54RC5pyLAR5yfXVYmNpgd+CGUTDp2KOGhc" +
		"0gK91zxhHesEYkdXkpS2UN8Kati+yHtW" +
		"CV3kkhCngGyv7RqjZjBkMB0GA1UdDgQWBBRm3WjLa38lbEYCuiCPct0ZaSED2DAfBgNVHSMEGDAWgBTEA2Q6eecKu9g9yb5g" +
		"lbkhhVINGDASBgNVHRMBAf8ECDAGAQH/" +
		"AgEAMA4GA1UdDwEB/" +
		"wQEAwIBhjAKBggqhkjOPQQDAgNJADBGAiEA5pLvaFwRRkxomIAtDIwg9D7gC1xzxBl4r28EzmSO1pcCIQCJUShpSXO9HDIQM" +
		"UgH69fNDEMHXD3R" +
		"RX5gP7kuu2KGMg=="
	rfcRoot = "MIICBjCCAaygAwIBAgIJAKS0yiqKtlhoMAoGCCqGSM49BAMCMFYxCzAJBgNVBAYTAlVTMRswGQYDVQQKDBJMZXQncyBBdXRo" +
		"ZW50aWNhdGUxKjAoBgNVBAMMIUxldCdz" +
		"IEF1dGhlbnRpY2F0ZSBSb290IEF1dGhvcml0eTAeFw0yMDAxMTQyMTI1NDVaFw00MDAxMDkyMTI1NDVaMFYxCzAJBgNVBAYT" +
		"AlVTMRswGQYDVQQKDBJMZXQncyBBdXRo" +
		"ZW50aWNhdGUxKjAoBgNVBAMMIUxldCdzIEF1dGhlbnRpY2F0ZSBSb290IEF1dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49" +
		"AwEHA0IABFoaHU+Z5bPKmGzlYXtCf+E6" +
		"HYj62fORaHDOrt+yyh3H/" +
		"rTcs7ynFfGn+gyFsrSP3Ez88rajv+U2NfD0o0uZ4PmjYzBhMB0GA1UdDgQWBBTEA2Q6eecKu9g9yb5glbkhhVINGDAfBgNVHSMEGDAWgBTE" +
		"A2Q6eecKu9g9yb5glbkhhVINGDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/" +
		"wQEAwIBhjAKBggqhkjOPQQDAgNIADBFAiEAmAeg1ycKHriqHnaD4M/UDBpQRpkmdcRF" +
		"YGMg1Qyrkx4CIB4ivz3wQcQkGhcsUZ1SOImd/lq1Q0FLf09rGfLQPWDc"
)

func TestExampleOfRFC9440(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := func(text string) *authority {
			raw := must[[]byte](t)(base64.StdEncoding.DecodeString(text))
			return &authority{certificate: must[*x509.Certificate](t)(x509.ParseCertificate(raw))}
		}
		chain := ":" + rfcIntermediate + ":, :" + rfcRoot + ":"
		people := newPeople("bdc@example.com")
		root, intermediate := issuer(rfcRoot), issuer(rfcIntermediate)
		tests := []struct {
			sentence string
			year     int // February of it
			issuer   *authority
			chain    []string
			kind     error
		}{
			{"before its year it is refused", 2019, root, []string{chain}, auth.ErrInvalid},
			{"with the chain it leads to the root", 2020, root, []string{chain}, nil},
			{"with the chain on two lines too", 2020, root, strings.Split(chain, ","), nil},
			{"with the chain it leads to the intermediate", 2020, intermediate, []string{chain}, nil},
			{"without the chain it leads to the intermediate", 2020, intermediate, nil, nil},
			{"without the chain it does not lead to the root", 2020, root, nil, auth.ErrNoCredentials},
			{"after its year it is refused", 2021, root, []string{chain}, auth.ErrInvalid},
			{"when the intermediate ended too", 2031, root, []string{chain}, auth.ErrInvalid},
			{"a stranger's is absent, also then", 2031, newAuthority(t, "LA Intermediate CA"), []string{chain},
				auth.ErrNoCredentials},
		}
		for _, tt := range tests {
			time.Sleep(time.Until(time.Date(tt.year, time.February, 1, 0, 0, 0, 0, time.UTC)))
			backend := newCertificate(t, forwarded(people, tt.issuer))
			r := request(inside, "Client-Cert", ":"+rfcLeaf+":")
			r.Header["Client-Cert-Chain"] = tt.chain
			u, c, err := backend.Authenticate(r)
			if auth.KindOf(err) != tt.kind || tt.kind == nil && u.UserID() != "bdc@example.com" {
				t.Errorf("%s: got %v, %v, want the kind %v", tt.sentence, u, err, tt.kind)
			}
			if err == nil && c.(*header.CertificateCredential).Leaf().Subject.CommonName != "BC" {
				t.Errorf("%s: another leaf", tt.sentence)
			}
		}
	})
}

func TestForwardedCertificate(t *testing.T) {
	const (
		absent  = "Authentication credentials were not provided."
		badOne  = "Malformed Client-Cert header."
		badAll  = "Malformed Client-Cert-Chain header."
		expired = "Client certificate has expired or is not yet valid."
	)
	issuer, stranger := newAuthority(t, "issuer"), newAuthority(t, "stranger")
	below := issuer.sub(t, "below")
	deep := []*authority{issuer}
	for range 8 {
		deep = append(deep, deep[len(deep)-1].sub(t, "deeper"))
	}
	chainOf := func(authorities ...*authority) string {
		var items []string
		for i := range authorities {
			items = append(items, der(authorities[len(authorities)-1-i].certificate.Raw))
		}
		return strings.Join(items, ", ")
	}
	alice := sequence(issuer.issue(t, "alice", email("alice@corp.example")))
	throughBelow := sequence(below.issue(t, "alice", email("alice@corp.example")))
	throughEight := sequence(deep[8].issue(t, "alice", email("alice@corp.example")))
	// through is alice's certificate of one life, by an authority of another
	// that an issuer without end signed.
	eternal := (*authority)(nil).sub(t, "eternal", valid(-24*time.Hour, 24*time.Hour))
	through := func(leaf, between func(*x509.Certificate)) []string {
		a := eternal.sub(t, "between", between)
		return []string{"Client-Cert", sequence(a.issue(t, "alice", email("alice@corp.example"), leaf)),
			"Client-Cert-Chain", chainOf(a)}
	}
	unpadded := ":" + strings.Trim(alice, ":=") + ":"
	tests := []struct {
		sentence string
		peer     string
		headers  []string
		status   int
		detail   string
	}{
		{"one of the issuer is its user", inside, []string{"Client-Cert", alice}, 200, ""},
		{"spaces around it are not of it", inside, []string{"Client-Cert", " " + alice + "\t"}, 200, ""},
		{"padding may be missing", inside, []string{"Client-Cert", unpadded}, 200, ""},
		{"an authority between comes in the chain", inside, []string{"Client-Cert", throughBelow, "Client-Cert-Chain",
			chainOf(issuer, below)}, 200, ""},
		{"the root may be left out", inside, []string{"Client-Cert", throughBelow, "Client-Cert-Chain", chainOf(below)},
			200, ""},
		{"an empty chain is none", inside, []string{"Client-Cert", alice, "Client-Cert-Chain", " "}, 200, ""},
		{"a chain of 8 is not too long", inside, []string{"Client-Cert", throughEight, "Client-Cert-Chain",
			chainOf(deep[1:]...)}, 200, ""},
		{"a chain of 9 is refused", inside, []string{"Client-Cert", throughEight, "Client-Cert-Chain",
			chainOf(deep...)}, 400, badAll},
		{"without the chain it is a stranger's", inside, []string{"Client-Cert", throughBelow}, 401, absent},
		{"none is no credential", inside, nil, 401, absent},
		{"an empty one is no credential", inside, []string{"Client-Cert", " "}, 401, absent},
		{"a chain alone is no credential", inside, []string{"Client-Cert-Chain", chainOf(below)}, 401, absent},
		{"from elsewhere it is no credential", outside, []string{"Client-Cert", alice}, 401, absent},
		{"garbage from elsewhere is no credential", outside, []string{"Client-Cert", "x", "Client-Cert", "y"},
			401, absent},
		{"the twin with an underscore is never read", inside, []string{"Client_Cert", alice, "CLIENT_CERT", alice},
			401, absent},
		{"one of another authority is no credential", inside,
			[]string{"Client-Cert", sequence(stranger.issue(t, "alice", email("alice@corp.example")))}, 401, absent},
		{"another authority is not believed in the chain", inside,
			[]string{"Client-Cert", sequence(stranger.issue(t, "alice", email("alice@corp.example"))),
				"Client-Cert-Chain", chainOf(stranger)}, 401, absent},
		{"a self-signed one is no credential", inside,
			[]string{"Client-Cert", sequence((*authority)(nil).issue(t, "alice", email("alice@corp.example")))},
			401, absent},
		{"the issuer's own is no credential", inside, []string{"Client-Cert", der(issuer.certificate.Raw)},
			401, absent},
		{"an expired one is refused", inside,
			[]string{"Client-Cert",
				sequence(issuer.issue(t, "alice", email("alice@corp.example"), valid(-time.Hour, -time.Minute)))},
			401, expired},
		{"an expired one of another authority is no credential", inside,
			[]string{"Client-Cert",
				sequence(stranger.issue(t, "alice", email("alice@corp.example"), valid(-time.Hour, -time.Minute)))},
			401, absent},
		{"one that is valid now, through an authority of now alone, is its user", inside,
			through(valid(-time.Hour, time.Hour), valid(-time.Minute, time.Minute)), 200, ""},
		{"an expired one, through an authority that was renewed, is refused", inside,
			through(valid(-3*time.Hour, -time.Hour), valid(-2*time.Hour, time.Hour)), 401, expired},
		{"an expired one, through an authority that ended before, is refused", inside,
			through(valid(-3*time.Hour, -time.Hour), valid(-4*time.Hour, -2*time.Hour)), 401, expired},
		{"one through an authority that ended is refused", inside,
			through(valid(-time.Hour, time.Hour), valid(-2*time.Hour, -time.Minute)), 401, expired},
		{"one for servers is refused", inside,
			[]string{"Client-Cert",
				sequence(issuer.issue(t, "alice", email("alice@corp.example"), func(c *x509.Certificate) {
					c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
				}))}, 401, "Client certificate is not valid here."},
		{"one by an authority that is none is no credential", inside,
			[]string{"Client-Cert", sequence(issuer.notCA(t).issue(t, "alice", email("alice@corp.example")))},
			401, absent},
		{"an unknown user is refused", inside,
			[]string{"Client-Cert", sequence(issuer.issue(t, "mallory", email("mallory@corp.example")))}, 401,
			"No such user"},
		{"two lines are refused", inside, []string{"Client-Cert", alice, "Client-Cert", alice}, 400,
			"More than one Client-Cert header."},
		{"a list is refused", inside, []string{"Client-Cert", alice + ", " + alice}, 400, badOne},
		{"parameters are refused", inside, []string{"Client-Cert", alice + ";a=b"}, 400, badOne},
		{"no colons are refused", inside, []string{"Client-Cert", strings.Trim(alice, ":")}, 400, badOne},
		{"one colon is refused", inside, []string{"Client-Cert", ":"}, 400, badOne},
		{"nothing between colons is refused", inside, []string{"Client-Cert", "::"}, 400, badOne},
		{"a space inside is refused", inside, []string{"Client-Cert", alice[:20] + " " + alice[20:]}, 400, badOne},
		{"a line break inside is refused", inside, []string{"Client-Cert", alice[:20] + "\n" + alice[20:]},
			400, badOne},
		{"too much padding is refused", inside, []string{"Client-Cert", ":" + strings.Trim(alice, ":=") + "=====:"},
			400, badOne},
		{"base64 for URLs is refused", inside, []string{"Client-Cert", ":" + strings.Repeat("-_", 50) + ":"},
			400, badOne},
		{"bytes after the certificate are refused", inside,
			[]string{"Client-Cert", der(append(append([]byte(nil), issuer.certificate.Raw...), 0))}, 400, badOne},
		{"what is no certificate is refused", inside, []string{"Client-Cert", der([]byte("certificate"))}, 400, badOne},
		{"PEM is refused", inside, []string{"Client-Cert", escaped(issuer.certificate.Raw)}, 400, badOne},
		{"over 16 KiB are refused", inside,
			[]string{"Client-Cert", sequence(issuer.issue(t, "alice", email(strings.Repeat("a", 16<<10))))},
			400, badOne},
		{"garbage in the chain is refused", inside, []string{"Client-Cert", alice, "Client-Cert-Chain", "x"},
			400, badAll},
		{"no certificate in the chain is refused", inside, []string{"Client-Cert", alice, "Client-Cert-Chain",
			der([]byte("x"))}, 400, badAll},
		{"a comma at the end of the chain is refused", inside, []string{"Client-Cert", alice, "Client-Cert-Chain",
			chainOf(below) + ","}, 400, badAll},
		{"a chain of over 64 KiB is refused", inside, []string{"Client-Cert", alice, "Client-Cert-Chain",
			strings.Repeat(" ", 64<<10+1)}, 400, badAll},
	}
	guard := newGuard(t, newCertificate(t, forwarded(newPeople("alice@corp.example"), issuer, eternal)))
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			a := ask(t, guard.Require(), request(tt.peer, tt.headers...))
			if a.status != tt.status || a.detail != tt.detail || a.status == 200 && a.userID != "alice@corp.example" {
				t.Errorf("%d %q, user %q; want %d %q", a.status, a.detail, a.userID, tt.status, tt.detail)
			}
			if a.header.Get("Vary") != "Client-Cert, Client-Cert-Chain" {
				t.Errorf("Vary: %q", a.header["Vary"])
			}
		})
	}
	t.Run("a certificate of the connection is the proxy's, and nobody's", func(t *testing.T) {
		r := request(inside)
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{
			{issuer.issue(t, "gateway", email("alice@corp.example")).Leaf, issuer.certificate}}}
		if a := ask(t, guard.Require(), r); a.status != 401 || a.detail != absent {
			t.Errorf("got %d %q, want 401 %q", a.status, a.detail, absent)
		}
	})
	t.Run("no handler sees the headers, whoever sent them", func(t *testing.T) {
		for _, peer := range []string{inside, outside} {
			a := ask(t, guard.Optional(), request(peer, "Client-Cert", alice, "Client-Cert-Chain", chainOf(below),
				"client-cert", alice, "Client_Cert", alice, "CLIENT_CERT_CHAIN", "x"))
			if !a.reached || len(a.seen) != 0 {
				t.Errorf("%s: %d, the handler saw %v", peer, a.status, a.seen)
			}
		}
	})
}

// notCA is a certificate of a's that signs although it is no authority.
func (a *authority) notCA(t testing.TB) *authority {
	return a.sub(t, "not an authority", func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage = false, x509.KeyUsageDigitalSignature
	})
}

func TestEscapedCertificate(t *testing.T) {
	issuer, stranger := newAuthority(t, "issuer"), newAuthority(t, "stranger")
	raw := issuer.issue(t, "alice", email("alice@corp.example")).Certificate[0]
	alice := escaped(raw)
	decoded := must[string](t)(url.PathUnescape(alice))
	const absent, bad = "Authentication credentials were not provided.", "Malformed X-Client-Cert header."
	tests := []struct {
		sentence string
		peer     string
		headers  []string
		status   int
		detail   string
	}{
		{"as nginx sends it", inside, []string{"X-Client-Cert", alice}, 200, ""},
		{"a plus that is not escaped is a plus", inside,
			[]string{"X-Client-Cert", strings.ReplaceAll(alice, "%2B", "+")}, 200, ""},
		{"CRLF in PEM", inside, []string{"X-Client-Cert", strings.ReplaceAll(alice, "%0A", "%0D%0A")}, 200, ""},
		{"empty is no credential", inside, []string{"X-Client-Cert", ""}, 401, absent},
		{"from elsewhere it is no credential", outside, []string{"X-Client-Cert", alice}, 401, absent},
		{"Client-Cert is not read", inside, []string{"Client-Cert", der(raw)}, 401, absent},
		{"one of another authority is no credential", inside,
			[]string{"X-Client-Cert", escaped(stranger.issue(t, "alice", email("alice@corp.example")).Certificate[0])},
			401, absent},
		{"two lines are refused", inside, []string{"X-Client-Cert", alice, "X-Client-Cert", alice}, 400,
			"More than one X-Client-Cert header."},
		{"two certificates are refused", inside, []string{"X-Client-Cert", alice + alice}, 400, bad},
		{"text before it is refused", inside, []string{"X-Client-Cert", "x%0A" + alice}, 400, bad},
		{"text after it is refused", inside, []string{"X-Client-Cert", alice + "x"}, 400, bad},
		{"a broken escape is refused", inside, []string{"X-Client-Cert", alice + "%0"}, 400, bad},
		{"another block is refused", inside,
			[]string{"X-Client-Cert", strings.ReplaceAll(alice, "CERTIFICATE", "PUBLIC%20KEY")}, 400, bad},
		{"another block after a broken one is refused", inside,
			[]string{"X-Client-Cert", "-----BEGIN%20CERTIFICATE-----%0A" + strings.ReplaceAll(alice, "CERTIFICATE",
				"PUBLIC%20KEY")}, 400, bad},
		{"headers in PEM are refused", inside,
			[]string{"X-Client-Cert", url.PathEscape(strings.Replace(decoded, "-----\n", "-----\nA: b\n\n", 1))}, 400,
			bad},
		{"no end is refused", inside, []string{"X-Client-Cert", strings.Split(alice, "-----END")[0]}, 400, bad},
		{"a Byte Sequence is refused", inside, []string{"X-Client-Cert", der(raw)}, 400, bad},
		{"over 48 KiB are refused", inside, []string{"X-Client-Cert", alice + strings.Repeat("%0A", 16<<10)}, 400, bad},
	}
	config := forwarded(newPeople("alice@corp.example"), issuer)
	config.Forwarded.Encoding, config.Forwarded.Header = header.FormatNginx, "x-client-cert"
	backend := newCertificate(t, config)
	config.Forwarded.Header, config.Forwarded.Trust = "", header.Trust{} // is the caller's again
	guard := newGuard(t, backend)
	for _, tt := range tests {
		t.Run(tt.sentence, func(t *testing.T) {
			a := ask(t, guard.Require(), request(tt.peer, tt.headers...))
			if a.status != tt.status || a.detail != tt.detail || a.status == 200 && a.userID != "alice@corp.example" {
				t.Errorf("%d %q, user %q; want %d %q", a.status, a.detail, a.userID, tt.status, tt.detail)
			}
			if a.seen["X-Client-Cert"] != nil || a.header.Get("Vary") != "X-Client-Cert" {
				t.Errorf("the handler saw %v; Vary: %q", a.seen, a.header["Vary"])
			}
		})
	}
}

func TestForwardedSecretIsStripped(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	config := forwarded(newPeople("alice@corp.example"), issuer)
	config.Forwarded.Trust = header.Trust{SecretHeader: "X-Proxy-Secret", Secret: secret}
	guard := newGuard(t, newCertificate(t, config))
	alice := sequence(issuer.issue(t, "alice", email("alice@corp.example")))
	a := ask(t, guard.Require(), request(outside, "Client-Cert", alice, "X-Proxy-Secret", secret))
	if a.userID != "alice@corp.example" || len(a.seen) != 0 || strings.Contains(a.header.Get("Vary"), "Secret") {
		t.Errorf("%d %q, the handler saw %v; Vary: %q", a.status, a.detail, a.seen, a.header["Vary"])
	}
	if a := ask(t, guard.Require(), request(outside, "Client-Cert", alice, "X-Proxy-Secret",
		"0123456789abcdeF")); a.status != 401 {
		t.Errorf("a wrong secret: %d", a.status)
	}
}

// A proxy that terminates TLS, as RFC 9440 §2.4 wants it, and the service
// behind it.
func TestCertificateThroughAProxy(t *testing.T) {
	issuer := newAuthority(t, "issuer")
	below := issuer.sub(t, "below")
	for name, by := range map[string]header.Forwarded{
		"RFC 9440": {}, "as nginx does": {Encoding: header.FormatNginx, Header: "X-Client-Cert"},
	} {
		t.Run(name, func(t *testing.T) {
			config := forwarded(newPeople("alice@corp.example"), issuer, below)
			by.Trust = header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"),
				netip.MustParsePrefix("::1/128")}}
			config.Forwarded = &by
			service := httptest.NewServer(newGuard(t, newCertificate(t, config)).Require()(http.HandlerFunc(tell)))
			defer service.Close()
			target := must[*url.URL](t)(url.Parse(service.URL))
			front := serve(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(target)
				for _, name := range []string{"Client-Cert", "Client-Cert-Chain", "X-Client-Cert"} {
					r.Out.Header.Del(name)
				}
				if len(r.In.TLS.VerifiedChains) == 0 {
					return
				}
				chain := r.In.TLS.VerifiedChains[0]
				r.Out.Header.Set("X-Client-Cert", escaped(chain[0].Raw))
				r.Out.Header.Set("Client-Cert", der(chain[0].Raw))
				for _, c := range chain[1:] {
					r.Out.Header.Add("Client-Cert-Chain", der(c.Raw))
				}
			}}, issuer)
			defer front.Close()
			alice := with(below.issue(t, "alice", email("alice@corp.example")), below)
			if got := get(t, front, alice); got.status != 200 || got.User != "alice@corp.example" {
				t.Errorf("with a certificate: %d %q, user %q", got.status, got.Detail, got.User)
			}
			if got := get(t, front); got.status != 401 {
				t.Errorf("without one: %d", got.status)
			}
			r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, front.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Client-Cert", sequence(alice))
			r.Header.Set("X-Client-Cert", escaped(alice.Certificate[0]))
			response, err := client(front).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != 401 {
				t.Errorf("with another's in a header: %d", response.StatusCode)
			}
		})
	}
}

// Behind a proxy that terminates TLS and sends Client-Cert (RFC 9440), for
// services that are known by their SPIFFE ID.
func ExampleNewCertificate_forwarded() {
	t := inExample{}
	issuer := newAuthority(t, "Services of example") // read from a file in earnest
	services := map[string]string{"spiffe://corp.example/billing": "billing"}
	certificates, err := header.NewCertificate(header.CertificateConfig{
		Issuers:  []*x509.Certificate{issuer.certificate},
		Identity: header.URIIdentity,
		LoadMachine: func(_ context.Context, id string) (auth.Machine, error) {
			name, ok := services[id]
			if !ok {
				return auth.Machine{}, auth.ErrUserNotFound
			}
			return auth.Machine{ID: name}, nil
		},
		Forwarded: &header.Forwarded{
			Trust: header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32")}},
		},
	})
	if err != nil {
		panic(err)
	}
	guard, err := auth.New(auth.Config{
		Backends:   []auth.Authenticator{certificates},
		Challenges: []auth.Challenge{{Scheme: "Token"}}, // of the token backend one has besides
	})
	if err != nil {
		panic(err)
	}
	hello := guard.Require(auth.AllowMachines)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		u, _ := auth.UserFrom[auth.User](r.Context())
		fmt.Println("hello,", u.UserID())
	}))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "10.0.0.7:4711"
	r.Header.Set("Client-Cert", sequence(issuer.issue(t, "billing", uri(t, "spiffe://corp.example/billing"))))
	hello.ServeHTTP(httptest.NewRecorder(), r)
	// Output: hello, client:billing
}
