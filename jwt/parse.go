package jwt

import (
	"strings"
	"sync"

	"github.com/gatewarden/auth"
)

// joseHeader is what of a token's header is used (RFC 7515 §4.1).
type joseHeader struct {
	algorithm Algorithm
	keyID     string
	typ       string // as it was written
	kind      string // "typ" in lower case, without "application/" (RFC 7515 §4.1.9)
	// refused says why a header is not acted upon: it has "crit", of which no
	// extension is understood, or a key or a place to get one, which anybody
	// can write there, or a member of another type than it must have.
	refused *refusal
}

// unverifiedToken is a token that was split into its parts (RFC 7515 §3.1). Its signature is not verified yet.
type unverifiedToken struct {
	input     string // what is signed
	signature string // in base64url
	segment   string // the header, in base64url
	header    *joseHeader
	known     bool // a good token had this header
	payload   string
	twice     bool // a claim is there twice
}

// splitToken reads the parts of a token (RFC 7515 §7.1). It refuses what is no JWS in the compact serialization, such
// as the five parts of a JWE.
func (h *headers) splitToken(token string) (u unverifiedToken, fault *refusal) {
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	if first <= 0 || last <= first+1 || last == len(token)-1 {
		return u, errNotThreeParts
	}
	payload := token[first+1 : last]
	// Package base64 would skip line breaks.
	if strings.IndexByte(payload, '.') >= 0 || strings.IndexByte(token, '\n') >= 0 ||
		strings.IndexByte(token, '\r') >= 0 {
		return u, errNotThreeParts
	}
	var ok bool
	u = unverifiedToken{input: token[:last], signature: token[last+1:], segment: token[:first]}
	if u.header, u.known, ok = h.get(u.segment); !ok {
		return u, errHeaderNotJSON
	}
	if u.payload, ok = decode(payload); !ok {
		return u, errNotThreeParts
	}
	return u, nil
}

// decode decodes base64url text without line breaks to a string. The string is all that it
// allocates.
func decode(text string) (string, bool) {
	var room [1024]byte
	if base64url.DecodedLen(len(text)) > len(room) {
		return decodeLong(text)
	}
	n, err := base64url.Decode(room[:], []byte(text)) // which does not copy text
	return string(room[:n]), err == nil
}

// decodeLong decodes text that the room of decode is too small for.
func decodeLong(text string) (string, bool) {
	decoded, err := base64url.DecodeString(text)
	return string(decoded), err == nil
}

// parseHeader reads a header. False is one that is no JSON object with an "alg".
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
	h := &joseHeader{}
	if err != nil {
		h.refused = errTwiceInHeader
	}
	for _, m := range all {
		h.read(m)
	}
	return h, lookup(all, "alg") != ""
}

// read reads one parameter of a header.
func (h *joseHeader) read(m member) {
	switch m.name {
	case "alg":
		h.algorithm = Algorithm(h.text(m)).canonical()
	case "kid":
		if isThere(m.value) { // some issuers write null for what they leave out
			h.keyID = h.text(m)
		}
	case "typ":
		if isThere(m.value) {
			h.typ = h.text(m)
			h.kind = mediaType(h.typ)
		}
	case "crit":
		h.refused = errCritical
	case "jwk", "jku", "x5u", "x5c":
		h.refused = errKeyInHeader
	case "enc", "zip":
		h.refused = errEncrypted
	}
}

// text returns what a parameter says that must be a string.
func (h *joseHeader) text(m member) string {
	text, ok := unquote(m.value)
	if !ok {
		h.refused = errHeaderType
	}
	return text
}

// mediaType makes values of "typ" comparable (RFC 7515 §4.1.9).
func mediaType(typ string) string {
	typ = strings.ToLower(typ)
	if rest, ok := strings.CutPrefix(typ, "application/"); ok && !strings.Contains(rest, "/") {
		return rest
	}
	return typ
}

// headers remembers headers of tokens with a good signature: an issuer writes
// few, and strangers cannot add any.
type headers struct {
	mu    sync.RWMutex
	known map[string]*joseHeader // by the segment
}

const (
	maxHeaders      = 64
	maxHeaderLength = 2048 // in base64, longer ones carry certificates, which are refused
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

// maxToken is the longest token that is made, and looked at unless
// VerifierConfig.MaxLength says more, in bytes.
const maxToken = auth.MaxAuthorization

// signatureOf decodes a signature, if it is no longer than one can be.
func signatureOf(text string) ([]byte, bool) {
	if base64url.DecodedLen(len(text)) > maxSignature {
		return nil, false
	}
	signature, err := base64url.DecodeString(text)
	return signature, err == nil
}

// maxSignature is the length of one by the largest key, in bytes.
const maxSignature = maxRSA / 8
