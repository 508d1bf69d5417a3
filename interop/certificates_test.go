package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"context"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/header"
)

// issue returns a certificate with its key, signed by an authority or by itself.
func issue(t *testing.T, by *tls.Certificate, change func(*x509.Certificate)) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: serial.String()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	change(template)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey.(*ecdsa.PrivateKey)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// inPEM writes certificate and key, or the certificate alone, into a file.
func inPEM(t *testing.T, c tls.Certificate, withKey bool) string {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	if withKey {
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	return write(t, "c.pem", string(text))
}

// What nginx, HAProxy and Caddy hand on of a client: its certificate, and with the lines
// of docs/proxies.md its address, scheme and host, whatever the client says itself.
func TestProxiesHandOnTheClient(t *testing.T) {
	t.Parallel()
	authority := issue(t, nil, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	between := issue(t, &authority, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign })
	server := issue(t, nil, func(c *x509.Certificate) { c.DNSNames = []string{"app.example"} })
	client := func(by tls.Certificate) *tls.Certificate {
		c := issue(t, &by, func(c *x509.Certificate) {
			c.EmailAddresses, c.ExtKeyUsage = []string{"alice@corp.example"},
				[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		})
		c.Certificate = append(c.Certificate, between.Certificate[0])
		return &c
	}
	direct, deep := client(authority), client(between)
	ca, own := inPEM(t, authority, false), inPEM(t, server, true)
	for name, proxy := range map[string]struct {
		by     header.Forwarded
		config func(address, service, dir string) string
		run    func(config, dir string) []string
		chain  bool // it hands on what is between
	}{
		"nginx": {header.Forwarded{Encoding: header.FormatNginx, Header: "X-Client-Cert"}, func(address, service,
			dir string) string {
			return "daemon off; master_process off; pid " + dir +
				"/pid; error_log stderr;\nevents {}\nhttp { access_log off;\n" +
				"client_body_temp_path " + dir + "/a; proxy_temp_path " + dir + "/b; fastcgi_temp_path " + dir +
				"/c; uwsgi_temp_path " + dir + "/d; scgi_temp_path " + dir + "/e;\n" +
				"server { listen " + address + " ssl; ssl_certificate " + own + "; ssl_certificate_key " + own +
				"; ssl_client_certificate " + ca + ";\n" +
				"ssl_verify_client optional; ssl_verify_depth 3;\nlocation / { proxy_set_header X-Client-Cert " +
				"$ssl_client_escaped_cert;\n" +
				"proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; " +
				"proxy_set_header X-Forwarded-Host $http_host;\n" +
				"proxy_pass http://" + service + "; } } }\n"
		}, func(config, dir string) []string { return []string{"-p", dir, "-c", config} }, false},
		"haproxy": {header.Forwarded{Encoding: header.FormatHAProxy}, func(address, service, _ string) string {
			return "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\nfrontend f\n " +
				"bind " + address + " ssl crt " + own +
				" ca-file " + ca +
				" verify optional\n option forwardfor\n" +
				" http-request set-header X-Forwarded-Proto https if { ssl_fc }\n" +
				" http-request del-header X-Forwarded-Host\n http-request del-header X-SSL-Client-DER\n" +
				" http-request set-header X-SSL-Client-DER %[ssl_c_der,base64],%[ssl_c_chain_der,base64] if { " +
				"ssl_c_used }\n" +
				" default_backend b\nbackend b\n server s " + service + "\n"
		}, func(config, _ string) []string { return []string{"-db", "-f", config} }, true},
		"caddy": {header.Forwarded{Encoding: header.FormatCaddy}, func(address, service, _ string) string {
			return "{\n\tadmin off\n\tauto_https off\n}\nhttps://" + address + ", https://app.example" +
				address[len("127.0.0.1"):] + " {\n\tbind 127.0.0.1\n\ttls " + own + " " + own +
				" {\n\t\tclient_auth {\n\t\t\tmode verify_if_given\n\t\t\ttrusted_ca_cert_file " + ca +
				"\n\t\t}\n\t}\n\treverse_proxy " + service +
				" {\n\t\theader_up X-SSL-Client-DER {http.request.tls.client.certificate_der_base64}\n\t}\n}\n"
		}, func(config, _ string) []string { return []string{"run", "--config", config, "--adapter", "caddyfile"} },
			false},
	} {
		t.Run(name, func(t *testing.T) {
			by := proxy.by
			by.Trust = header.Trust{Proxies: onLoopback.Trusted}
			certificates,
				err := header.NewCertificate(header.CertificateConfig{Issuers: []*x509.Certificate{authority.Leaf},
				Identity:  header.EmailIdentity,
				LoadUser:  func(_ context.Context, id string) (auth.User, error) { return authtest.User(id), nil },
				Forwarded: &by})
			if err != nil {
				t.Fatal(err)
			}
			guard, err := auth.New(auth.Config{Backends: []auth.Authenticator{certificates}, Proxies: onLoopback,
				Challenges: []auth.Challenge{{Scheme: "Token"}}})
			if err != nil {
				t.Fatal(err)
			}
			service := httptest.NewServer(guard.Optional()(http.HandlerFunc(func(w http.ResponseWriter,
				r *http.Request) {
				p, id := auth.ProxiesFrom(r.Context()), "anonymous"
				if u, ok := auth.UserFrom[auth.User](r.Context()); ok {
					id = u.UserID()
				}
				_, _ = fmt.Fprint(w, id, " ", auth.ClientIP(r), " ", p.Scheme(r), " ", p.Host(r))
			})))
			t.Cleanup(service.Close)
			address, dir := freePort(t), t.TempDir()
			_, port, _ := net.SplitHostPort(address)
			config := write(t, "config", proxy.config(address, service.Listener.Addr().String(), dir))
			runProxy(t, address, name, proxy.run(config, dir)...)
			for sentence, with := range map[string]struct {
				certificate *tls.Certificate
				want        string
			}{
				"with a certificate": {direct, "alice@corp.example"},
				"with one further down": {deep, map[bool]string{true: "alice@corp.example",
					false: "anonymous"}[proxy.chain]},
				"without one, but forged": {nil, "anonymous"},
			} {
				t.Run(sentence, func(t *testing.T) {
					transport := &http.Transport{DisableKeepAlives: true,
						TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "app.example"},
						DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
							return (&net.Dialer{}).DialContext(ctx, network, address)
						}}
					if with.certificate != nil {
						transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (
							*tls.Certificate, error) {
							return with.certificate, nil
						}
					}
					r, err := http.NewRequestWithContext(t.Context(), "GET", "https://app.example:"+port+"/", nil)
					if err != nil {
						t.Fatal(err)
					}
					for name, value := range map[string]string{"X-Forwarded-For": "198.51.100.1",
						"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example",
						"X-SSL-Client-DER": "forged", "X-Client-Cert": "forged"} {
						r.Header.Set(name, value)
					}
					response, err := transport.RoundTrip(r)
					if err != nil {
						t.Fatal(err)
					}
					defer func() { _ = response.Body.Close() }()
					body, _ := io.ReadAll(response.Body)
					// The client is on loopback, which is trusted here: the left end of the list counts,
					// which HAProxy appends to.
					ip := map[bool]string{true: "198.51.100.1", false: "127.0.0.1"}[name == "haproxy"]
					if want := with.want + " " + ip + " https app.example:" + port; string(body) != want {
						t.Errorf("%d %q, want %q", response.StatusCode, body, want)
					}
				})
			}
		})
	}
}
