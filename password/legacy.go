package password

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// The names of HasherConfig.AllowLegacy, as Django has them.
const (
	LegacyPBKDF2SHA1   = "pbkdf2_sha1"   // pbkdf2_sha1$iterations$salt$key
	LegacySHA1         = "sha1"          // sha1$salt$hexadecimal
	LegacyMD5          = "md5"           // md5$salt$hexadecimal
	LegacyUnsaltedSHA1 = "unsalted_sha1" // sha1$$hexadecimal
	LegacyUnsaltedMD5  = "unsalted_md5"  // md5$$hexadecimal, or the 32 digits alone
)

// legacy are the formats of HasherConfig.AllowLegacy.
type legacy map[string]bool

func newLegacy(names []string) (legacy, error) {
	allowed := make(legacy, len(names))
	for _, name := range names {
		switch name {
		case LegacyPBKDF2SHA1, LegacySHA1, LegacyMD5, LegacyUnsaltedSHA1, LegacyUnsaltedMD5:
			allowed[name] = true
		default:
			return nil, fmt.Errorf("password: HasherConfig.AllowLegacy has %q, which is no legacy format", name)
		}
	}
	return allowed, nil
}

// parse returns what encoded says in an allowed format, or nil. Which format it
// is depends on its shape alone, as in Django's identify_hasher: no format is
// taken for another that happens to be allowed.
func (allowed legacy) parse(encoded string) storedHash {
	if len(encoded) > maxEncoded {
		return nil
	}
	name, rest, cut := strings.Cut(encoded, "$")
	if !cut {
		name, rest = LegacyMD5, "$"+encoded // what Django wrote at first
	}
	if name == LegacyPBKDF2SHA1 && allowed[name] {
		return parsePBKDF2(rest, name, sha1.New, sha1.Size)
	}
	salt, sum, ok := strings.Cut(rest, "$")
	if !ok {
		return nil
	}
	d := &digest{salt: salt}
	switch name {
	case LegacyMD5:
		d.name, d.new = LegacyMD5, md5.New
		if salt == "" {
			d.name = LegacyUnsaltedMD5
		}
	case LegacySHA1:
		d.name, d.new = LegacySHA1, sha1.New
		if salt == "" {
			d.name = LegacyUnsaltedSHA1
		}
	default:
		return nil
	}
	if !allowed[d.name] || strings.Trim(sum, "0123456789abcdef") != "" {
		return nil
	}
	var err error
	if d.sum, err = hex.DecodeString(sum); err != nil || len(d.sum) != d.new().Size() {
		return nil
	}
	return d
}

// digest is one round of MD5 or SHA-1 over the salt, which is text and stands
// for itself, and the password.
type digest struct {
	name string
	new  func() hash.Hash
	salt string
	sum  []byte
}

func (d *digest) algorithm() string { return d.name }

func (d *digest) cost() cost { return cost{} }

func (d *digest) matches(password string) (bool, error) {
	h := d.new()
	h.Write([]byte(d.salt + password))
	return subtle.ConstantTimeCompare(h.Sum(nil), d.sum) == 1, nil
}
