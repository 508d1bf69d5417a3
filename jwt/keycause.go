package jwt

import (
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/cause"
)

// keyCause is why no key fitted a token. The identifier that the token names is
// not printed, as nothing is proved.
type keyCause struct {
	problem string
	keys    *KeySet
	source  KeySource
	check   string // that the token fails besides, or ""
}

const (
	keyIsUnknown   = "no key has the kid of the header"
	keyIsOther     = "the key with the kid of the header is not for its alg"
	keyIsMissing   = "no key is for the alg of the header"
	keyIsWrong     = "the signature of the token does not hold: another key signed it, or it was changed"
	keyIsElsewhere = "the key of the token does not name its issuer, see Issuer.Shared.AllowKeysWithoutIssuer"
	keyIsUnnamed   = "the header has no kid, and several keys are for its alg"
	keyIsDouble    = "several keys have the kid of the header and are for its alg"
)

// Error builds the text.
func (c *keyCause) Error() string {
	var b strings.Builder
	b.WriteString(c.problem)
	if c.check != "" {
		b.WriteString(", and the token is refused by its " + c.check + ", too (nothing in it is proved)")
	}
	switch n := len(c.keys.keys); n {
	case 1:
		b.WriteString("; 1 key is known")
	default:
		b.WriteString("; " + strconv.Itoa(n) + " keys are known")
	}
	if remote, ok := c.source.(*RemoteKeys); ok {
		b.WriteString(", fetched from " + remote.where() + " at " + remote.Fetched().UTC().Format(time.RFC3339))
	}
	return b.String()
}

// noKey refuses a token for which keys has no key.
func noKey(keys *KeySet, source KeySource, h *joseHeader) *refusal {
	c := &keyCause{problem: keyIsMissing, keys: keys, source: source}
	switch {
	case h.keyID != "" && !keys.has(h.keyID):
		c.problem = keyIsUnknown
	case h.keyID != "" && len(keys.fitting(h.keyID, h.algorithm)) > 0:
		c.problem = keyIsDouble
	case h.keyID != "":
		c.problem = keyIsOther
	case keys.fit(h.algorithm) > 0:
		c.problem = keyIsUnnamed
	}
	return saysInvalid.because(c)
}

// badSignature refuses a token that was not signed by any of the keys it may be of.
func badSignature(keys *KeySet, source KeySource) *refusal {
	if _, ok := source.(*RemoteKeys); !ok {
		return errSignature
	}
	return saysInvalid.because(&keyCause{problem: keyIsWrong, keys: keys, source: source})
}

// fit returns how many keys are for an algorithm.
func (s *KeySet) fit(algorithm Algorithm) (n int) {
	for _, k := range s.keys {
		if k.fits(algorithm) {
			n++
		}
	}
	return n
}

// unprovedRefusal refuses a token of an unknown key that is refused by what it says, too.
// Only the name of the check that failed is told of fault.
func unprovedRefusal(keys *KeySet, source KeySource, fault *refusal) *refusal {
	c := &keyCause{problem: keyIsUnknown, keys: keys, source: source}
	if failed, ok := fault.cause.(*cause.Check); ok {
		c.check = failed.Name
	}
	return saysInvalid.because(c)
}

// where returns the URL of the keys without its query, in which there may be a secret.
func (k *RemoteKeys) where() string {
	k.mu.Lock()
	url := k.jwksURL.Reveal()
	k.mu.Unlock()
	if url == "" {
		return k.name
	}
	url, _, _ = strings.Cut(url, "?")
	return url
}
