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
	errNoXFCC          = errors.New("header: the value is no list of Envoy's elements, as Forwarded.Encoding says")
	errSeveralElements = errors.New("header: X-Forwarded-Client-Cert has several elements. If Envoy appends to it " +
		"(APPEND_FORWARD), see FormatEnvoyAppended. Otherwise its forward_client_cert_details must be SANITIZE_SET")
	errNoCert = errors.New("header: X-Forwarded-Client-Cert has no certificate. Set cert or chain in Envoy's " +
		"set_current_client_cert_details")
	errHash = errors.New("header: the Hash in X-Forwarded-Client-Cert is missing, or not that of the certificate")
)

// element is an element of X-Forwarded-Client-Cert. Other keys, such as By, Subject and URI, are in the certificate
// too.
type element struct {
	hash  string
	cert  string
	chain string
	seen  map[*string]bool // which of these fields the element has, with a value or an empty one
}

func newElement() *element { return &element{seen: make(map[*string]bool)} }

// parseOneXFCC reads X-Forwarded-Client-Cert (XFCC) of Envoy with exactly one element.
func parseOneXFCC(value string) ([]*x509.Certificate, error) { return parseXFCC(value, false) }

// parseLastXFCC reads the last element of X-Forwarded-Client-Cert, which the nearest Envoy added.
func parseLastXFCC(value string) ([]*x509.Certificate, error) { return parseXFCC(value, true) }

// parseXFCC reads X-Forwarded-Client-Cert: elements that are separated by commas, of keys and
// values that are separated by semicolons. Only the last element counts, and if several
// are not allowed, there must be no other.
func parseXFCC(value string, allowSeveral bool) ([]*x509.Certificate, error) {
	if len(value) > 4*maxChainBytes { // escaped, and with the client's certificate twice
		return nil, errTooLong
	}
	elements, err := splitXFCC(value)
	if err != nil {
		return nil, err
	}
	if len(elements) > 1 && !allowSeveral {
		return nil, errSeveralElements
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

// splitXFCC returns the elements of the value. There is at least one.
func splitXFCC(value string) ([]*element, error) {
	elements := []*element{newElement()}
	for {
		pair, rest, ok := cutPair(value)
		if !ok || !elements[len(elements)-1].set(pair) {
			return nil, errNoXFCC
		}
		if rest == "" {
			return elements, nil
		}
		if rest[0] == ',' {
			if len(elements) == maxElements {
				return nil, errTooMany
			}
			elements = append(elements, newElement())
		}
		value = rest[1:]
	}
}

// set sets the field of a key. It returns false if the element has this key already, or if a certificate is not in
// quotes, since Envoy quotes certificates. Other keys are not read: a certificate may have several of them.
func (e *element) set(p elementPair) bool {
	var field *string
	switch strings.ToLower(p.key) {
	case "hash":
		field = &e.hash
	case "cert":
		field = &e.cert
	case "chain":
		field = &e.chain
	default:
		return true
	}
	if e.seen[field] || !p.quoted && field != &e.hash {
		return false
	}
	*field, e.seen[field] = p.value, true
	return true
}

// elementPair is a key of an element with its value.
type elementPair struct {
	key, value string
	quoted     bool // the value was in quotes
}

// cutPair returns the pair at the start of s, and what is behind it: nothing, or a comma or semicolon and more.
func cutPair(s string) (pair elementPair, rest string, ok bool) {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return pair, "", false
	}
	pair.key = strings.Trim(key, " \t")
	pair.value, rest, pair.quoted, ok = cutValue(strings.TrimLeft(value, " \t"))
	return pair, rest, ok
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
