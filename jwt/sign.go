package jwt

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Sign returns claims as a token that key signs (RFC 7519 §7.1). typ is the
// header parameter "typ", and "" leaves it out. It checks nothing of what the claims
// say: [Tokens] does, and is what services issue with.
func Sign(key *Key, typ string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("jwt: claims: %w", err)
	}
	header, err := json.Marshal(struct {
		Alg Algorithm `json:"alg"`
		Kid string    `json:"kid,omitempty"`
		Typ string    `json:"typ,omitempty"`
	}{key.algorithm, key.id, typ})
	if err != nil {
		return "", fmt.Errorf("jwt: header: %w", err)
	}
	length := base64url.EncodedLen(len(header)) + 1 + base64url.EncodedLen(len(payload)) + 1 +
		base64url.EncodedLen(maxSignature)
	input := make([]byte, 0, length)
	input = base64url.AppendEncode(input, header)
	input = append(input, '.')
	input = base64url.AppendEncode(input, payload)
	signature, err := key.sign(string(input))
	if err != nil {
		return "", err
	}
	input = append(input, '.')
	return string(base64url.AppendEncode(input, signature)), nil
}

// Open returns the claims of a token that a key of the set signed, and its
// header "typ" in lower case, without "application/". It is the counterpart of
// [Sign] and checks nothing of what the claims say, not even whether it has
// expired: a [Verifier] does, and is what protects requests. The only error is
// ErrInvalid.
func Open(set *KeySet, token string) (typ string, claims []byte, err error) {
	var fresh headers
	if len(token) > maxToken {
		return "", nil, unopened(errTooLong)
	}
	u, fault := fresh.splitToken(token)
	if fault == nil {
		fault = u.header.refused
	}
	if fault != nil {
		return "", nil, unopened(fault)
	}
	if _, err := members(u.payload, nil); err != nil {
		return "", nil, unopened(errNotClaims)
	}
	signature, ok := signatureOf(u.signature)
	if !ok {
		return "", nil, unopened(errSignatureText)
	}
	candidates := set.find(u.header.keyID, u.header.algorithm)
	if len(candidates) == 0 {
		return "", nil, unopened(noKey(set, set, u.header))
	}
	if !slices.ContainsFunc(candidates, func(k *Key) bool { return k.verify(u.header.algorithm, u.input, signature) }) {
		return "", nil, unopened(errSignature)
	}
	return u.header.kind, []byte(u.payload), nil
}

// unopened is the error of [Open] for a token that is refused.
func unopened(fault *refusal) error { return saysInvalid.because(fault.cause).inHeader() }
