package header

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
)

var (
	errNoXFCC = errors.New("header: the value is no list of Envoy's elements, as Forwarded.Encoding says")
	errHops   = errors.New("header: X-Forwarded-Client-Cert has several elements. If Envoy appends to it " +
		"(APPEND_FORWARD), see FormatEnvoyAppended. Otherwise its forward_client_cert_details must be SANITIZE_SET")
	errNoCert = errors.New("header: X-Forwarded-Client-Cert has no certificate. Set cert or chain in Envoy's " +
		"set_current_client_cert_details")
	errHash = errors.New("header: the Hash in X-Forwarded-Client-Cert is missing, or not that of the certificate")
)

// element is what an element of X-Forwarded-Client-Cert says. Other keys, such as By,
// Subject and URI, are in the certificate too.
type element struct {
	hash, cert, chain string
	seen              map[*string]bool // which of these it has, with a value or an empty one
}

func parseOneXFCC(value string) ([]*x509.Certificate, error)  { return parseXFCC(value, false) }
func parseLastXFCC(value string) ([]*x509.Certificate, error) { return parseXFCC(value, true) }

// parseXFCC reads X-Forwarded-Client-Cert: elements that are separated by commas, of keys and
// values that are separated by semicolons. Only the last element counts, and if several
// are not allowed, there must be no other.
func parseXFCC(value string, several bool) ([]*x509.Certificate, error) {
	if len(value) > 4*maxChainBytes { // escaped, and with the client's certificate twice
		return nil, errTooLong
	}
	elements, err := splitXFCC(value)
	if err != nil {
		return nil, err
	}
	if len(elements) > 1 && !several {
		return nil, errHops
	}
	last := elements[len(elements)-1]
	var leaf, chain []*x509.Certificate
	if last.cert != "" {
		if leaf, err = parseEscapedLeaf(last.cert); err != nil {
			return nil, err
		}
	}
	if last.chain != "" {
		if chain, err = parseEscapedChain(last.chain); err != nil {
			return nil, err
		}
	}
	switch {
	case len(leaf) == 0 && len(chain) == 0:
		return nil, errNoCert
	case len(leaf) == 0:
		leaf = chain[:1]
	}
	// Whatever else the certificate made Envoy write, this is the one of the handshake.
	sum := sha256.Sum256(leaf[0].Raw)
	if want, err := hex.DecodeString(last.hash); err != nil || !bytes.Equal(want, sum[:]) {
		return nil, errHash
	}
	return append(leaf[:1:1], chain...), nil
}

// maxElements is how many proxies may have added theirs.
const maxElements = 16

// splitXFCC takes the value apart. A key may come once in an element, except for those of
// which a certificate has several, which are not read.
func splitXFCC(value string) ([]*element, error) {
	elements := []*element{{seen: make(map[*string]bool)}}
	for {
		key, rest, ok := strings.Cut(value, "=")
		if !ok {
			return nil, errNoXFCC
		}
		key, rest = strings.Trim(key, " \t"), strings.TrimLeft(rest, " \t")
		text, rest, quoted, ok := cutValue(rest)
		if !ok {
			return nil, errNoXFCC
		}
		last := elements[len(elements)-1]
		var into *string
		switch strings.ToLower(key) {
		case "hash":
			into = &last.hash
		case "cert":
			into = &last.cert
		case "chain":
			into = &last.chain
		}
		if into != nil && (last.seen[into] || !quoted && into != &last.hash) { // Envoy quotes certificates
			return nil, errNoXFCC
		}
		if into != nil {
			*into, last.seen[into] = text, true
		}
		if rest == "" {
			return elements, nil
		}
		if rest[0] == ',' {
			if len(elements) == maxElements {
				return nil, errTooMany
			}
			elements = append(elements, &element{seen: make(map[*string]bool)})
		}
		value = rest[1:]
	}
}

// cutValue returns the value at the start of s, and what is behind it: nothing, or a
// comma or semicolon and more. In quotes, a backslash quotes the next character.
func cutValue(s string) (text, rest string, quoted, ok bool) {
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, ",;")
		if end < 0 {
			end = len(s)
		}
		return strings.Trim(s[:end], " \t"), s[end:], false, !strings.Contains(s[:end], `"`)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			rest = strings.TrimLeft(s[i+1:], " \t")
			return b.String(), rest, true, rest == "" || rest[0] == ',' || rest[0] == ';'
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", true, false
}
