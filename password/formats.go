package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"math"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// storedHash is a parsed string of some format, with parameters that make sense: matches
// does not panic. It compares in constant time. It must not be called if cost is more than
// [HashLimits] allow.
type storedHash interface {
	algorithm() string
	cost() cost
	matches(password string) (bool, error)
}

const (
	minKey     = 16 // bytes: a short key matches by chance, an empty one always
	maxKey     = 64
	maxEncoded = 512
)

// parse returns what encoded says in a format that is always read, or nil if it
// can match no password.
func parse(encoded string) storedHash {
	if len(encoded) > maxEncoded {
		return nil
	}
	name, rest, ok := strings.Cut(encoded, "$")
	if !ok {
		return nil
	}
	switch name {
	case "": // PHC and crypt(3) start with "$"
		if strings.HasPrefix(rest, "2") {
			return parseBcrypt(encoded, false)
		}
		return parseArgon2(rest, false)
	case "argon2":
		return parseArgon2(rest, true)
	case "pbkdf2_sha256":
		return parsePBKDF2(rest, name, sha256.New, sha256.Size)
	case "bcrypt_sha256":
		return parseBcrypt(rest, true)
	case "bcrypt":
		return parseBcrypt(rest, false)
	case "scrypt":
		return parseScrypt(rest)
	}
	return nil
}

// argon2Hash is argon2id or argon2i (RFC 9106).
type argon2Hash struct {
	independent bool // argon2i
	django      bool // with Django's "argon2" in front
	memory      uint32
	time        uint32
	threads     uint8
	salt        []byte
	key         []byte
}

// parseArgon2 reads argon2id$v=19$m=…,t=…,p=…$salt$key.
func parseArgon2(text string, django bool) storedHash {
	part := strings.Split(text, "$")
	// Version 0x10 is another function under the same name.
	if len(part) != 5 || part[1] != "v=19" {
		return nil
	}
	hash := &argon2Hash{django: django}
	switch part[0] {
	case "argon2id":
	case "argon2i":
		hash.independent = true
	default:
		return nil
	}
	params := strings.Split(part[2], ",")
	if len(params) != 3 {
		return nil
	}
	var value [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(params[i], name)
		if !ok {
			return nil
		}
		if value[i] = number(digits, 1<<32-1); value[i] == 0 {
			return nil
		}
	}
	if value[2] > 255 {
		return nil
	}
	hash.memory, hash.time, hash.threads = uint32(value[0]), uint32(value[1]), uint8(value[2])
	hash.salt = unbase64(base64.RawStdEncoding, part[3], 8, maxKey) // RFC 9106 §3.1: 8 or more
	hash.key = unbase64(base64.RawStdEncoding, part[4], minKey, maxKey)
	if hash.salt == nil || hash.key == nil || !hash.valid() {
		return nil
	}
	return hash
}

// valid reports whether the parameters are those of RFC 9106 §3.1. The package argon2
// panics on no passes or lanes, and quietly takes more memory than is asked for if that is
// less than 8 KiB a lane.
func (a *argon2Hash) valid() bool {
	return a.time >= 1 && a.threads >= 1 && a.memory >= 8*uint32(a.threads)
}

func (a *argon2Hash) cost() cost {
	return cost{uint64(a.memory), estimate(uint64(a.memory)*uint64(a.time), argon2Rate)}
}

func (a *argon2Hash) algorithm() string {
	if a.independent {
		return "argon2i"
	}
	return "argon2id"
}

func (a *argon2Hash) matches(password string) (bool, error) {
	derive := argon2.IDKey
	if a.independent {
		derive = argon2.Key
	}
	key := derive([]byte(password), a.salt, a.time, a.memory, a.threads, uint32(len(a.key)))
	return subtle.ConstantTimeCompare(key, a.key) == 1, nil
}

// pbkdf2Hash is Django's PBKDF2 (RFC 8018 §5.2) with HMAC.
type pbkdf2Hash struct {
	name       string
	new        func() hash.Hash
	iterations uint64
	salt       []byte
	key        []byte
}

// parsePBKDF2 reads iterations$salt$key. The salt is text and stands for itself,
// the key has the size of the hash.
func parsePBKDF2(text, name string, new func() hash.Hash, size int) storedHash {
	part := strings.Split(text, "$")
	if len(part) != 3 || part[1] == "" {
		return nil
	}
	iterations := number(part[0], math.MaxUint32)
	key := unbase64(base64.StdEncoding, part[2], size, size)
	if iterations == 0 || key == nil {
		return nil
	}
	return &pbkdf2Hash{name, new, iterations, []byte(part[1]), key}
}

func (p *pbkdf2Hash) algorithm() string { return p.name }

func (p *pbkdf2Hash) cost() cost { return cost{0, estimate(p.iterations, pbkdf2Rate)} }

func (p *pbkdf2Hash) matches(password string) (bool, error) {
	// Fails in FIPS 140-only mode if the salt is short.
	key, err := pbkdf2.Key(p.new, password, p.salt, int(p.iterations), len(p.key))
	return err == nil && subtle.ConstantTimeCompare(key, p.key) == 1, err
}

// bcryptHash is bcrypt, of the password or of its SHA-256 in hexadecimal.
type bcryptHash struct {
	encoded []byte
	sha256  bool
	rounds  uint64
}

const (
	bcryptLen     = 60 // of $2b$12$ + 22 characters of salt + 31 of hash
	maxBcryptCost = 31
	bcryptReads   = 72 // bytes of a password: more does not fit into the Blowfish key
)

// parseBcrypt reads $2a$…, $2b$… and $2y$…, which are one function: the letter
// says which bug of an implementation is not meant. $2x$ is such a bug.
func parseBcrypt(text string, sha256 bool) storedHash {
	if len(text) != bcryptLen || text[6] != '$' {
		return nil
	}
	switch text[:4] {
	case "$2a$", "$2b$", "$2y$":
	default:
		return nil
	}
	exponent := number(strings.TrimPrefix(text[4:6], "0"), maxBcryptCost) // of two digits
	if exponent < uint64(bcrypt.MinCost) {
		return nil
	}
	for _, c := range []byte(text[7:]) {
		if c != '.' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return nil
		}
	}
	return &bcryptHash{[]byte(text), sha256, 1 << exponent}
}

func (b *bcryptHash) algorithm() string {
	if b.sha256 {
		return "bcrypt_sha256"
	}
	return "bcrypt"
}

func (b *bcryptHash) cost() cost { return cost{0, estimate(b.rounds, bcryptRate)} }

// readsAll reports whether all of password is looked at.
func (b *bcryptHash) readsAll(password string) bool { return b.sha256 || len(password) <= bcryptReads }

func (b *bcryptHash) matches(password string) (bool, error) {
	given := []byte(password)
	if b.sha256 {
		sum := sha256.Sum256(given)
		given = hex.AppendEncode(nil, sum[:])
	}
	if len(given) > bcryptReads {
		given = given[:bcryptReads]
	}
	err := bcrypt.CompareHashAndPassword(b.encoded, given)
	// bcrypt ends and repeats the password at a NUL, so "a\x00a" passes for "a".
	return err == nil && strings.IndexByte(string(given), 0) < 0, nil
}

// scryptHash is Django's scrypt (RFC 7914).
type scryptHash struct {
	n    uint64
	r    uint64
	p    uint64
	salt []byte
	key  []byte
}

// parseScrypt reads N$salt$r$p$key. The salt is text and stands for itself.
func parseScrypt(text string) storedHash {
	part := strings.Split(text, "$")
	if len(part) != 5 || part[1] == "" {
		return nil
	}
	const largest = math.MaxUint32
	n, r, p := number(part[0], largest), number(part[2], largest), number(part[3], largest)
	key := unbase64(base64.StdEncoding, part[4], minKey, maxKey)
	// RFC 7914 §2: N is a power of 2. The package scrypt wants r p less than 2^30.
	if n < 2 || n&(n-1) != 0 || r == 0 || p == 0 || r*p >= 1<<30 || key == nil {
		return nil
	}
	return &scryptHash{n, r, p, []byte(part[1]), key}
}

func (*scryptHash) algorithm() string { return "scrypt" }

// cost counts the table of 128 N r bytes, a buffer of 128 r p bytes, and one of 256 r bytes in
// which the package scrypt mixes blocks.
func (s *scryptHash) cost() cost {
	return cost{(s.n+s.p+2)*s.r/8 + 1, estimate(s.n*s.r*s.p/8, scryptRate)}
}

func (s *scryptHash) matches(password string) (bool, error) {
	key, err := scrypt.Key([]byte(password), s.salt, int(s.n), int(s.r), int(s.p), len(s.key))
	return err == nil && subtle.ConstantTimeCompare(key, s.key) == 1, err
}

// number reads decimal digits of 1 to limit without a zero before them. 0 is anything else.
func number(digits string, limit uint64) uint64 {
	if strings.HasPrefix(digits, "0") {
		return 0
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n > limit {
		return 0
	}
	return n
}

// unbase64 returns least to most bytes, or nil. Package base64 reads over line ends.
func unbase64(encoding *base64.Encoding, text string, least, most int) []byte {
	if strings.ContainsAny(text, "\r\n") {
		return nil
	}
	data, err := encoding.Strict().DecodeString(text)
	if err != nil || len(data) < least || len(data) > most {
		return nil
	}
	return data
}
