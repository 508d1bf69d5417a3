package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatewarden/auth/internal/cause"
)

const (
	maxJWKS = 1 << 20
	maxKeys = 100
	// maxNotes is how many keys of a set are named in a log.
	maxNotes = 10
)

// ParseJWKS reads a JWK Set of public keys (RFC 7517 §5). Keys of unknown
// types, for encryption, weak or broken are left out, as §5 asks for, and so
// are symmetric ones, which must not be published. Of private ones only the public
// part is taken, and 100 keys at most. An optional member of a key that is null or of another
// type than RFC 7517 §4 says counts as absent. It is an error if the text is no JWK Set or
// longer than 1 MiB, not if no key is left.
func ParseJWKS(text []byte) (*KeySet, error) {
	set, _, err := readJWKS(text)
	return set, err
}

// setNotes are what of a set is not taken, for a log.
type setNotes struct{ ignored, leftOut notes }

// readJWKS is ParseJWKS with what is not taken.
func readJWKS(text []byte) (*KeySet, *setNotes, error) {
	if len(text) > maxJWKS {
		return nil, nil, fmt.Errorf("jwt: a JWK Set has at most %d bytes", maxJWKS)
	}
	var set map[string]json.RawMessage
	var list []json.RawMessage
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, errors.New("jwt: a JWK Set is a JSON object")
	}
	if err := json.Unmarshal(set["keys"], &list); err != nil || list == nil {
		return nil, nil, errors.New("jwt: a JWK Set has an array, keys")
	}
	keys, said := make([]*Key, 0, min(len(list), maxKeys)), &setNotes{}
	for n, text := range list {
		if len(keys) == maxKeys {
			said.leftOut.add(n, "", fmt.Sprintf("and the %d behind it: a set has at most %d keys", len(list)-n-1,
				maxKeys))
			break
		}
		if k := readPublished(n, text, said); k != nil {
			keys = append(keys, k)
		}
	}
	return newKeySet(nil, keys), said, nil
}

// readPublished returns the public part of a key of a set, or nil if it is left out.
func readPublished(n int, text []byte, said *setNotes) *Key {
	r := jwkReader{lenient: true}
	if json.Unmarshal(text, &r.members) != nil || r.members == nil {
		said.leftOut.add(n, "", "is no JSON object")
		return nil
	}
	delete(r.members, "d") // is no secret any more, and costs time to check
	k, err := r.key()
	var kid string
	_ = json.Unmarshal(r.members["kid"], &kid)
	switch {
	case err != nil:
		said.leftOut.add(n, kid, strings.TrimPrefix(err.Error(), "jwt: "))
		return nil
	case k.public() == nil:
		said.leftOut.add(n, kid, "is symmetric, and such a key must not be published")
		return nil
	}
	for _, why := range r.ignored {
		said.ignored.add(n, kid, why)
	}
	return k.Public()
}

// notes are lines about keys of a set, at most maxNotes. Their length is bounded, as others
// write the set.
type notes struct {
	lines []string
	more  int
}

// add adds a line about the key at position n.
func (a *notes) add(n int, kid, why string) {
	if len(a.lines) == maxNotes {
		a.more++
		return
	}
	name := "key " + strconv.Itoa(n+1)
	if kid != "" {
		name += " (" + cause.Quote(kid) + ")"
	}
	a.lines = append(a.lines, name+": "+why)
}

// String returns the lines, or "" without any.
func (a *notes) String() string {
	text := strings.Join(a.lines, "; ")
	if a.more > 0 {
		text += "; and " + strconv.Itoa(a.more) + " more"
	}
	return text
}
