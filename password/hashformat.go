package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Format is how [Hasher.Hash] writes passwords. Verify reads every format, whichever is set.
type Format string

const (
	// FormatPHC is argon2id as the PHC string format has it: $argon2id$v=19$m=…,t=…,p=…$salt$hash.
	FormatPHC Format = ""
	// FormatDjangoArgon2 is argon2id as Django's Argon2PasswordHasher stores it:
	// argon2$argon2id$v=19$m=…,t=…,p=…$salt$hash. Django then needs argon2-cffi, and that
	// hasher among its PASSWORD_HASHERS.
	FormatDjangoArgon2 Format = "argon2"
	// FormatDjangoPBKDF2 is PBKDF2 with HMAC-SHA-256 as Django's PBKDF2PasswordHasher, the
	// first by default, stores it: pbkdf2_sha256$iterations$salt$hash. Against a thief of
	// the table it protects less than argon2id.
	FormatDjangoPBKDF2 Format = "pbkdf2_sha256"
)

const (
	saltLen = 16 // RFC 9106 §3.1 recommends 16 bytes
	keyLen  = 32 // 256 bits, as RFC 9106 §4 chooses, argon2-cffi, and the size of SHA-256

	// djangoSaltLen is how many letters and digits Django wants in a salt: 128 bits.
	djangoSaltLen = 22
)

// hashFormat makes the strings of one Format, with the parameters of a Hasher. It is safe for concurrent use.
type hashFormat interface {
	algorithm() string
	// cost is what it takes to verify a string that encode makes.
	cost() cost
	// encode makes a string to store.
	encode(password string) (string, error)
	// isCurrent reports whether a stored string has this format and these parameters.
	isCurrent(hash storedHash) bool
	// decoy returns a string that costs as much to verify as any other, and has no password.
	decoy() storedHash
}

// argon2Format makes argon2id (RFC 9106).
type argon2Format struct {
	django  bool
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

func (*argon2Format) algorithm() string { return "argon2id" }

func (a *argon2Format) cost() cost { return a.decoy().cost() }

func (a *argon2Format) encode(password string) (string, error) {
	salt, prefix := make([]byte, saltLen), ""
	_, _ = rand.Read(salt) // never fails, says crypto/rand
	if a.django {
		salt, prefix = djangoSalt(), "argon2"
	}
	key := argon2.IDKey([]byte(password), salt, a.time, a.memory, a.threads, keyLen)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("%s$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", prefix, argon2.Version, a.memory, a.time, a.threads,
		b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

func (a *argon2Format) isCurrent(hash storedHash) bool {
	h, ok := hash.(*argon2Hash)
	if !ok || h.independent || h.django != a.django || len(h.key) != keyLen {
		return false
	}
	if a.django && len(h.salt) < djangoSaltLen || !a.django && len(h.salt) != saltLen {
		return false
	}
	return h.memory == a.memory && h.time == a.time && h.threads == a.threads
}

func (a *argon2Format) decoy() storedHash {
	return &argon2Hash{memory: a.memory, time: a.time, threads: a.threads,
		salt: make([]byte, saltLen), key: make([]byte, keyLen)}
}

// pbkdf2Format makes Django's PBKDF2 with HMAC-SHA-256.
type pbkdf2Format struct{ iterations uint64 }

func (*pbkdf2Format) algorithm() string { return string(FormatDjangoPBKDF2) }

func (p *pbkdf2Format) cost() cost { return p.decoy().cost() }

func (p *pbkdf2Format) encode(password string) (string, error) {
	salt := djangoSalt()
	key, err := pbkdf2.Key(sha256.New, password, salt, int(p.iterations), keyLen)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s$%d$%s$%s", FormatDjangoPBKDF2, p.iterations, salt, base64.StdEncoding.EncodeToString(key)),
		nil
}

func (p *pbkdf2Format) isCurrent(hash storedHash) bool {
	h, ok := hash.(*pbkdf2Hash)
	return ok && h.name == string(FormatDjangoPBKDF2) && h.iterations == p.iterations && len(h.salt) >= djangoSaltLen
}

func (p *pbkdf2Format) decoy() storedHash {
	salt, key := make([]byte, djangoSaltLen), make([]byte, keyLen)
	return &pbkdf2Hash{string(FormatDjangoPBKDF2), sha256.New, p.iterations, salt, key}
}

// djangoSalt returns a salt as Django wants it: letters and digits, 130 random bits.
func djangoSalt() []byte { return []byte(rand.Text()) }
