package jwt

import (
	"encoding/base64"
	"strings"
	"sync"

	"github.com/gatewarden/auth"
)

// joseHeader is what of a token's header is used (RFC 7515 §4.1).
type joseHeader struct {
	algorithm Algorithm
	keyID     string
	kind      string // "typ" in lower case, without "application/" (RFC 7515 §4.1.9)
	// refused is a header that is not acted upon: with "crit", of which no
	// extension is understood, with a key or a place to get one, which anybody
	// can write there, or with a member of another type than it must have.
	refused bool
}

// parts are the three parts of a token in the compact serialization (RFC 7515
// §3.1). Nothing in them is proved.
type parts struct {
	header    string
	payload   string
	signature string
	input     string // what is signed
}

// split takes a token apart. It refuses five parts, which are a JWE, and
// newlines, which package base64 would skip.
func split(token string) (p parts, ok bool) {
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first <= 0 || last <= first+1 || last == len(token)-1 {
		return p, false
	}
	p = parts{header: token[:first], payload: token[first+1 : last], signature: token[last+1:], input: token[:last]}
	if strings.IndexByte(p.payload, '.') >= 0 || strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return p, false
	}
	return p, true
}

// decode decodes base64url text to a string.
func decode(text string) (string, bool) {
	decoded, err := base64url.DecodeString(text)
	return string(decoded), err == nil
}

// parseHeader reads a header; false is one that is no JSON object with an "alg".
func parseHeader(segment string) (*joseHeader, bool) {
	if len(segment) > maxHeaderLength {
		return nil, false
	}
	text, ok := decode(segment)
	if !ok {
		return nil, false
	}
	var room [8]member
	all, err := members(text, room[:0])
	if err != nil && err != errDuplicate {
		return nil, false
	}
	h := &joseHeader{refused: err != nil}
	for _, m := range all {
		switch m.name {
		case "alg", "kid", "typ":
			text, ok := unquote(m.value)
			if !ok {
				h.refused = true
			}
			switch m.name {
			case "alg":
				h.algorithm = Algorithm(text)
			case "kid":
				h.keyID = text
			case "typ":
				h.kind = mediaType(text)
			}
		case "crit", "jwk", "jku", "x5u", "x5c", "enc", "zip":
			h.refused = true
		}
	}
	return h, lookup(all, "alg") != ""
}

// mediaType makes values of "typ" comparable (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	typ = strings.ToLower(typ)
	if rest, ok := strings.CutPrefix(typ, "application/"); ok && !strings.Contains(rest, "/") {
		return rest
	}
	return typ
}

// headers remembers headers of tokens whose signature was good: an issuer writes
// few. Strangers can add none.
type headers struct {
	mu    sync.RWMutex
	known map[string]*joseHeader // by the segment
}

const (
	maxHeaders      = 64
	maxHeaderLength = 2048 // in base64; longer ones carry certificates, which are refused
)

// get returns a header, parsed now if it is not remembered.
func (h *headers) get(segment string) (header *joseHeader, known, ok bool) {
	h.mu.RLock()
	header = h.known[segment]
	h.mu.RUnlock()
	if header != nil {
		return header, true, true
	}
	header, ok = parseHeader(segment)
	return header, false, ok
}

// has reports whether a header is remembered.
func (h *headers) has(segment string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.known[segment] != nil
}

func (h *headers) keep(segment string, header *joseHeader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil || len(h.known) >= maxHeaders {
		h.known = make(map[string]*joseHeader)
	}
	h.known[strings.Clone(segment)] = header
}

// maxToken is the longest token that is looked at, in bytes.
const maxToken = auth.MaxAuthorization

// signatureOf decodes the signature into room, if it fits.
func signatureOf(text string, room []byte) ([]byte, bool) {
	if base64.RawURLEncoding.DecodedLen(len(text)) > len(room) {
		return nil, false
	}
	n, err := base64url.Decode(room, []byte(text))
	return room[:n], err == nil
}

// maxSignature is the length of one by the largest key, in bytes.
const maxSignature = maxRSA / 8
