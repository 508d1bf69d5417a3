package header_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/header"
)

// escapedByALB is a chain as ALB sends it: in PEM, percent-encoded, with "+", "=" and "/"
// as they are.
func escapedByALB(chain ...[]byte) string {
	var all strings.Builder
	for _, raw := range chain {
		all.WriteString(strings.NewReplacer("%2B", "+", "%3D", "=", "%2F", "/").Replace(escaped(raw)))
	}
	return all.String()
}

// bare is a chain as Traefik sends it: PEM without its delimiters and line breaks,
// separated by commas.
func bare(chain ...[]byte) string {
	var all []string
	for _, raw := range chain {
		text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
		all = append(all, strings.NewReplacer("-----BEGIN CERTIFICATE-----", "", "-----END CERTIFICATE-----", "",
			"\n", "").Replace(text))
	}
	return strings.Join(all, ",")
}

func hashOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// element is an element of Envoy's with all that it can be told to write.
func element(chain ...[]byte) string {
	return `By=spiffe://corp.example/gateway;Hash=` + hashOf(chain[0]) + `;Cert="` + escaped(chain[0]) + `";Chain="` +
		strings.ReplaceAll(escapedByALB(chain...), "+", "%2B") +
		`";Subject="CN=alice,O=\"Corp, Inc.\";x=y";URI=https://alice.example/?a=b;` +
		`DNS=a.example;DNS=b.example`
}

func TestUnitCertificateFormats(t *testing.T) {
	issuer, stranger := newAuthority(t, "issuer"), newAuthority(t, "stranger")
	below := issuer.sub(t, "below")
	alice := issuer.issue(t, "alice", email("alice@corp.example")).Certificate[0]
	deep := below.issue(t, "alice", email("alice@corp.example")).Certificate[0]
	other := stranger.issue(t, "alice", email("alice@corp.example")).Certificate[0]
	bob := issuer.issue(t, "bob", email("bob@corp.example")).Certificate[0]
	between := below.certificate.Raw
	long := slices.Concat([][]byte{deep}, slices.Repeat([][]byte{between}, 9))
	const xfcc = "X-Forwarded-Client-Cert"
	type row struct {
		sentence string
		value    string
		status   int
		cause    string // of a 400
	}
	for _, format := range []struct {
		name    string
		by      header.Forwarded
		reads   string
		rows    []row
		invalid string // no value of it
	}{
		{"nginx", header.Forwarded{Encoding: header.FormatNginx, Header: "x-client-cert"}, "X-Client-Cert", []row{
			{"one certificate", escaped(alice), 200, ""},
			{"a second one is refused", escaped(alice) + escaped(bob), 400, "more certificates"},
		}, bare(alice)},
		{"ALB in passthrough mode", header.Forwarded{Encoding: header.FormatALB}, "X-Amzn-Mtls-Clientcert", []row{
			{"one certificate", escapedByALB(alice), 200, ""},
			{"a chain", escapedByALB(deep, between), 200, ""},
			{"a chain without the one between is a stranger's", escapedByALB(deep), 401, ""},
			{"the first one counts", escapedByALB(other, alice), 401, ""},
			{"ten are refused", escapedByALB(long...), 400, "more certificates"},
			{"a broken one behind it is refused", escapedByALB(alice) + "-----BEGIN%20CERTIFICATE-----%0Ax", 400,
				"no PEM"},
			{"text between is refused", escapedByALB(deep) + "x%0A" + escapedByALB(between), 400, "no PEM"},
		}, bare(alice)},
		{"ALB in verify mode", header.Forwarded{Encoding: header.FormatALB, Header: "X-Amzn-Mtls-Clientcert-Leaf"},
			"X-Amzn-Mtls-Clientcert-Leaf", []row{
				{"one certificate", escapedByALB(alice), 200, ""},
			}, element(alice)},
		{"Traefik", header.Forwarded{Encoding: header.FormatTraefik}, "X-Forwarded-Tls-Client-Cert", []row{
			{"one certificate", bare(alice), 200, ""},
			{"a chain", bare(deep, between), 200, ""},
			{"escaped, as older versions have it", url.QueryEscape(bare(deep, between)), 200, ""},
			{"the first one counts", bare(other, alice), 401, ""},
			{"ten are refused", bare(long...), 400, "more certificates"},
			{"a line break is refused", bare(alice)[:40] + "\n" + bare(alice)[40:], 400, "base64"},
			{"over 64 KiB are refused", bare(alice) + strings.Repeat(",", 64<<10), 400, "too long"},
			{"over 192 KiB with escapes are refused", strings.Repeat("%2C", 64<<10) + "%", 400, "too long"},
			{"a broken escape is refused", bare(alice) + "%2", 400, "base64"},
			{"a comma first is refused", "," + bare(alice), 400, "no certificate"},
			{"what is no certificate is refused", base64.StdEncoding.EncodeToString([]byte("x")), 400,
				"no certificate"},
		}, escaped(alice)},
		{"HAProxy", header.Forwarded{Encoding: header.FormatHAProxy}, "X-Ssl-Client-Der", []row{
			{"one certificate", bare(alice), 200, ""},
			{"an empty chain behind it", bare(alice) + ",", 200, ""},
			{"a chain as one value behind it", bare(deep) + "," + bare(append(slices.Clone(between),
				issuer.certificate.Raw...)), 200, ""},
			{"in quotes", `"` + bare(alice) + `"`, 200, ""},
		}, "x"},
		{"Caddy", header.Forwarded{Encoding: header.FormatCaddy}, "X-Ssl-Client-Der", []row{
			{"one certificate", bare(alice), 200, ""},
			{"the name of the placeholder is no credential", "{http.request.tls.client.certificate_der_base64}", 401,
				""},
			{"another placeholder is refused", "{http.request.tls.client.certificate_pem}", 400, "base64"},
		}, `"`},
		{"Envoy", header.Forwarded{Encoding: header.FormatEnvoy}, xfcc, []row{
			{"all that it can write", element(deep, between), 200, ""},
			{"the certificate alone", "Hash=" + hashOf(alice) + `;Cert="` + escaped(alice) + `"`, 200, ""},
			{"the chain alone", "Hash=" + hashOf(deep) + `;Chain="` + escaped(deep) + escaped(between) + `"`, 200,
				""},
			{"keys in any case", "hash=" + strings.ToUpper(hashOf(alice)) + `;CERT="` + escaped(alice) + `"`, 200,
				""},
			{"spaces around what is in it", "Hash = " + hashOf(alice) + ` ; Cert = "` + escaped(alice) + `" `, 200,
				""},
			{"without a certificate it is refused", "By=http://frontend.example;Hash=" + hashOf(alice) +
				`;Subject="CN=alice";URI=`, 400, "set_current_client_cert_details"},
			{"without a hash it is refused", `Cert="` + escaped(alice) + `"`, 400, "Hash"},
			{"with the hash of another it is refused", "Hash=" + hashOf(bob) + `;Cert="` + escaped(alice) + `"`, 400,
				"Hash"},
			{"an appended element is refused", element(bob) + "," + element(alice), 400, "SANITIZE_SET"},
			{"an element in the URI of a certificate is refused",
				"Hash=" + hashOf(bob) + `;Cert="` + escaped(bob) + `";URI=https://x,` + element(alice), 400,
				"SANITIZE_SET"},
			{"a certificate in the URI of one is refused",
				"Hash=" + hashOf(bob) + `;Chain="` + escaped(bob) + `";URI=https://x;Hash=` + hashOf(alice) +
					`;Cert="` + escaped(alice) + `"`, 400, "elements"},
			{"another certificate than the first of the chain in the URI of one is refused",
				"Hash=" + hashOf(bob) + `;Chain="` + escaped(bob) + `";URI=https://x;Cert="` + escaped(alice) + `"`,
				400, "Hash"},
			{"two certificates are refused", element(alice) + `;Cert="` + escaped(alice) + `"`, 400, "elements"},
			{"an empty hash and another one are refused", "Hash=;" + element(alice), 400, "elements"},
			{"a hash and an empty one are refused", element(alice) + ";hash=", 400, "elements"},
			{"an empty certificate and another one are refused", `Cert="";` + element(alice), 400, "elements"},
			{"a certificate without quotes is refused", "Hash=" + hashOf(alice) + ";Cert=" + escaped(alice), 400,
				"elements"},
			{"a quote inside a value is refused", `URI=a"b;` + element(alice), 400, "elements"},
			{"text behind quotes is refused", `Subject="a"b;` + element(alice), 400, "elements"},
			{"a quote without an end is refused", `Subject="a\`, 400, "elements"},
			{"a key without a value is refused", element(alice) + ";By", 400, "elements"},
			{"a semicolon at the end is refused", element(alice) + ";", 400, "elements"},
			{"a broken chain is refused", "Hash=" + hashOf(alice) + `;Cert="` + escaped(alice) + `";Chain="x"`, 400,
				"PEM"},
			{"over 256 KiB are refused", element(alice) + ";URI=" + strings.Repeat("x", 256<<10), 400, "too long"},
		}, "x"},
		{"Envoy that appends", header.Forwarded{Encoding: header.FormatEnvoyAppended}, xfcc, []row{
			{"one element", element(alice), 200, ""},
			{"the last element counts", element(bob) + "," + element(alice), 200, ""},
			{"the one before it does not", element(alice) + "," + element(other), 401, ""},
			{"without a certificate in the last it is refused", element(alice) + ",By=x;Hash=" + hashOf(alice), 400,
				"set_current"},
			{"17 elements are refused", strings.Repeat("By=x,", 16) + element(alice), 400, "more"},
		}, "=,"},
	} {
		t.Run(format.name, func(t *testing.T) {
			config := forwarded(newPeople("alice@corp.example"), issuer)
			format.by.Trust = proxy
			config.Forwarded = &format.by
			backend := newCertificate(t, config)
			guard := newGuard(t, backend)
			rows := append(format.rows, row{"another format is refused", format.invalid, 400, ""},
				row{"RFC 9440 is refused", der(alice), 400, ""}, row{"an empty value is no credential", " ", 401, ""})
			for _, tt := range rows {
				t.Run(tt.sentence, func(t *testing.T) {
					r := request(inside, format.reads, tt.value)
					a := ask(t, guard.Require(), r)
					if a.status != tt.status || a.status == 200 && a.userID != "alice@corp.example" {
						t.Errorf("%d %q, user %q; want %d", a.status, a.detail, a.userID, tt.status)
					}
					if len(a.seen) != 0 || a.header.Get("Vary") != format.reads {
						t.Errorf("the handler saw %v; Vary: %q", a.seen, a.header["Vary"])
					}
					if tt.status != 400 {
						return
					}
					_, _, err := backend.Authenticate(r)
					var stated *auth.Error
					if !errors.As(err, &stated) || stated.Cause == nil || !strings.Contains(stated.Cause.Error(),
						tt.cause) {
						t.Errorf("%v, want a cause with %q", err, tt.cause)
					}
				})
			}
			t.Run("from elsewhere it is no credential", func(t *testing.T) {
				if a := ask(t, guard.Require(), request(outside, format.reads,
					format.rows[0].value)); a.status != 401 {
					t.Errorf("got status %d, want 401", a.status)
				}
			})
			t.Run("two lines are refused", func(t *testing.T) {
				value := format.rows[0].value
				if a := ask(t, guard.Require(), request(inside, format.reads, value, format.reads,
					value)); a.status != 400 {
					t.Errorf("got status %d, want 400", a.status)
				}
			})
		})
	}
	for sentence, by := range map[string]header.Forwarded{
		"a format that is none":                 {Trust: proxy, Encoding: 99},
		"a negative format":                     {Trust: proxy, Encoding: -1},
		"nginx without a header":                {Trust: proxy, Encoding: header.FormatNginx},
		"RFC 9440 in another header":            {Trust: proxy, Header: "X-Client-Cert"},
		"Traefik in a header that others write": {Trust: proxy, Encoding: header.FormatTraefik, Header: "Cookie"},
	} {
		config := forwarded(newPeople(), issuer)
		config.Forwarded = &by
		if c, err := header.NewCertificate(config); err == nil || c != nil {
			t.Errorf("%s: accepted", sentence)
		}
	}
}

// Whatever a proxy forwards in any format: only the very certificate is let in.
func FuzzCertificateFormats(f *testing.F) {
	issuer := newAuthority(f, "issuer")
	below := issuer.sub(f, "below")
	leaf, between := below.issue(f, "alice", email("alice@corp.example")).Certificate[0], below.certificate.Raw
	formats := []header.CertificateFormat{header.FormatNginx, header.FormatALB, header.FormatTraefik,
		header.FormatHAProxy,
		header.FormatEnvoy, header.FormatEnvoyAppended}
	var guards []*auth.Guard
	for _, format := range formats {
		config := forwarded(newPeople("alice@corp.example"), issuer, below)
		config.Forwarded = &header.Forwarded{Trust: proxy, Encoding: format, Header: "X-Cert"}
		guards = append(guards, newGuard(f, newCertificate(f, config)))
	}
	for i := range formats {
		for _, seed := range []string{"", ",", `"`, `""`, "%", escaped(leaf), escapedByALB(leaf, between), bare(leaf,
			between), `"` + bare(leaf) + `",`,
			element(leaf, between), element(between) + "," + element(leaf), `a="\"";b=c,d=`, "=", "Hash=;Cert=\"\"",
			`Chain="` + escaped(leaf) + `"`} {
			f.Add(i, seed, true)
			f.Add(i, seed, false)
		}
	}
	f.Fuzz(func(t *testing.T, i int, value string, trusted bool) {
		peer, guard := outside, guards[uint(i)%uint(len(guards))]
		if trusted {
			peer = inside
		}
		a := ask(t, guard.Optional(), request(peer, "X-Cert", value))
		c, proved := a.credential.(*header.CertificateCredential)
		switch {
		case proved && (!trusted || !bytes.Equal(c.Leaf().Raw, leaf) || a.userID != "alice@corp.example"):
			t.Fatalf("%q: let in as %q", value, a.userID)
		case !trusted && !a.reached || a.seen["X-Cert"] != nil:
			t.Fatalf("%q: %d, the handler saw %v", value, a.status, a.seen)
		case !a.reached && a.status != 400 && a.status != 401:
			t.Fatalf("%q: got status %d, want the handler, 400 or 401", value, a.status)
		}
	})
}
