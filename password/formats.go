package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// stored is an encoded password that was read.
type stored interface {
	matches(password string) bool
}

// Bounds on what an encoded password may ask for. A store that was tampered
// with must not be able to take all of a server's memory or time.
const (
	maxMemory     = 1 << 20 // KiB
	maxTime       = 64
	maxThreads    = 64
	maxIterations = 20_000_000
	maxBcryptCost = 16
)

// parse reads an encoded password of any format; false is one that matches no
// password.
func parse(encoded string) (stored, bool) {
	algorithm, rest, _ := strings.Cut(encoded, "$")
	switch algorithm {
	case "": // PHC and modular crypt strings start with "$"
		if strings.HasPrefix(rest, "argon2") {
			return parseArgon2(rest, false)
		}
		return parseBcrypt(encoded, false)
	case "argon2":
		return parseArgon2(rest, true)
	case "bcrypt":
		return parseBcrypt(rest, false)
	case "bcrypt_sha256":
		return parseBcrypt(rest, true)
	case "pbkdf2_sha256":
		return parsePBKDF2(rest)
	case "scrypt":
		return parseScrypt(rest)
	}
	return nil, false
}

// argon2Params are the parameters of RFC 9106 §3.1.
type argon2Params struct {
	id      bool // argon2id, else argon2i
	memory  uint32
	time    uint32
	threads uint8
	saltLen int
	keyLen  int
}

func (p argon2Params) bounded() bool {
	return p.memory >= 1 && p.memory <= maxMemory && p.time >= 1 && p.time <= maxTime &&
		p.threads >= 1 && p.threads <= maxThreads && p.saltLen >= 8 && p.saltLen <= 128 && p.keyLen >= 12 && p.keyLen <= 128
}

func (p argon2Params) key(password string, salt []byte) []byte {
	if p.id {
		return argon2.IDKey([]byte(password), salt, p.time, p.memory, p.threads, uint32(p.keyLen))
	}
	return argon2.Key([]byte(password), salt, p.time, p.memory, p.threads, uint32(p.keyLen))
}

func (p argon2Params) encode(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.time, p.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

type argon2Hash struct {
	argon2Params
	django    bool // written as Django does, with "argon2" in front
	salt, sum []byte
}

// parseArgon2 reads argon2id$v=19$m=…,t=…,p=…$salt$hash.
func parseArgon2(text string, django bool) (stored, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 || parts[0] != "argon2id" && parts[0] != "argon2i" || parts[1] != "v=19" {
		return nil, false
	}
	h := argon2Hash{django: django}
	h.id = parts[0] == "argon2id"
	params := strings.Split(parts[2], ",")
	if len(params) != 3 {
		return nil, false
	}
	var values [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(params[i], name)
		value, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return nil, false
		}
		values[i] = value
	}
	if values[2] > maxThreads {
		return nil, false
	}
	h.memory, h.time, h.threads = uint32(values[0]), uint32(values[1]), uint8(values[2])
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.DecodeString(parts[3])
	h.sum, err2 = base64.RawStdEncoding.DecodeString(parts[4])
	h.saltLen, h.keyLen = len(h.salt), len(h.sum)
	return h, err1 == nil && err2 == nil && h.bounded()
}

func (h argon2Hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.key(password, h.salt), h.sum) == 1
}

// bcryptHash is Django's bcrypt (of the password) or bcrypt_sha256 (of the
// SHA-256 of the password in hex, which has no 72 byte limit).
type bcryptHash struct {
	hash   []byte
	sha256 bool
}

func parseBcrypt(text string, prehashed bool) (stored, bool) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || cost > maxBcryptCost || len(text) != 60 {
		return nil, false
	}
	return bcryptHash{[]byte(text), prehashed}, true
}

func (h bcryptHash) matches(password string) bool {
	secret := []byte(password)
	if h.sha256 {
		sum := sha256.Sum256(secret)
		secret = []byte(hex.EncodeToString(sum[:]))
	}
	if len(secret) > 72 {
		secret = secret[:72]
	}
	return bcrypt.CompareHashAndPassword(h.hash, secret) == nil
}

type pbkdf2Hash struct {
	iterations int
	salt       string // the text itself, not base64
	sum        []byte
}

// parsePBKDF2 reads iterations$salt$hash.
func parsePBKDF2(text string) (stored, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 3 {
		return nil, false
	}
	iterations, err1 := strconv.Atoi(parts[0])
	sum, err2 := base64.StdEncoding.DecodeString(parts[2])
	ok := err1 == nil && err2 == nil && iterations >= 1 && iterations <= maxIterations && len(sum) == sha256.Size
	return pbkdf2Hash{iterations, parts[1], sum}, ok
}

func (h pbkdf2Hash) matches(password string) bool {
	key, err := pbkdf2.Key(sha256.New, password, []byte(h.salt), h.iterations, len(h.sum))
	return err == nil && subtle.ConstantTimeCompare(key, h.sum) == 1
}

type scryptHash struct {
	n, r, p int
	salt    string
	sum     []byte
}

// parseScrypt reads N$salt$r$p$hash.
func parseScrypt(text string) (stored, bool) {
	parts := strings.Split(text, "$")
	if len(parts) != 5 {
		return nil, false
	}
	var numbers [3]int
	for i, part := range []string{parts[0], parts[2], parts[3]} {
		number, err := strconv.Atoi(part)
		if err != nil || number < 1 || number > 1<<22 {
			return nil, false
		}
		numbers[i] = number
	}
	sum, err := base64.StdEncoding.DecodeString(parts[4])
	h := scryptHash{numbers[0], numbers[1], numbers[2], parts[1], sum}
	// N must be a power of two (RFC 7914 §2); N*r*128 bytes is the memory.
	ok := err == nil && len(sum) == 64 && h.n > 1 && h.n&(h.n-1) == 0 && h.r <= 64 && h.p <= 64 && h.n*h.r <= maxMemory*8
	return h, ok
}

func (h scryptHash) matches(password string) bool {
	key, err := scrypt.Key([]byte(password), []byte(h.salt), h.n, h.r, h.p, len(h.sum))
	return err == nil && subtle.ConstantTimeCompare(key, h.sum) == 1
}
