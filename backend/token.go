package backend

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// TokenFormat makes and reads opaque tokens. A token is
//
//	prefix + shard (3) + random (27 or more) + checksum (6)
//
// in base62. The shard comes from a hash of the owner's identifier, so that a
// clustered store can keep all tokens of an owner on one node. The checksum (CRC-32
// of all before it) lets a secret scanner be sure of what it found, and refuses
// garbage before a store is asked. It is no protection against forgery: the random
// part, of at least 160 bits, is. It is safe for concurrent use.
type TokenFormat struct {
	prefix   string
	prefixes []string // longest first
	length   int
}

// NewTokenFormat returns a format. A length of 0 is DefaultTokenLength. accept are
// earlier prefixes. Tokens with them stay good. It is an error if the length is not
// within MinTokenLength and MaxTokenLength, or if a prefix is longer than
// MaxTokenPrefix, has characters that a token cannot have, or is another one
// continued by letters and digits only: their tokens could not be told apart.
func NewTokenFormat(prefix string, length int, accept ...string) (*TokenFormat, error) {
	f := &TokenFormat{prefix: prefix, length: cmp.Or(length, DefaultTokenLength)}
	if f.length < MinTokenLength || f.length > MaxTokenLength {
		return nil, fmt.Errorf("a token length of %d is not within %d and %d", f.length, MinTokenLength, MaxTokenLength)
	}
	f.prefixes = append([]string{prefix}, accept...)
	for _, p := range f.prefixes {
		if len(p) > MaxTokenPrefix || strings.Trim(p, alphabet+"-._+/") != "" {
			return nil, fmt.Errorf("prefix %q is longer than %d or has characters that a token cannot have",
				p, MaxTokenPrefix)
		}
	}
	slices.SortFunc(f.prefixes, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	f.prefixes = slices.Compact(f.prefixes)
	for i, long := range f.prefixes {
		for _, short := range f.prefixes[i+1:] {
			if rest, ok := strings.CutPrefix(long, short); ok && strings.Trim(rest, alphabet) == "" {
				return nil, fmt.Errorf("tokens with prefix %q could be ones with %q: let it end in one of -._+/",
					long, short)
			}
		}
	}
	return f, nil
}

// New returns a token for owner, and the digest by which a store keeps it.
func (f *TokenFormat) New(owner string) (token, digest string) {
	token = NewToken(f.prefix, owner, f.length)
	return token, TokenDigest(token, f.prefix)
}

var (
	errForeignToken error = &auth.Error{Kind: auth.ErrUnrecognized, Cause: errors.New(
		"the token has another prefix, length or alphabet than the tokens of this backend, or a wrong checksum")}
	errBrokenToken error = &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New(
		"the token starts with a prefix of this backend, and its length or checksum is wrong: it was cut or mistyped")}
)

// Read returns the digest of a token. The error is auth.ErrUnrecognized for a token
// that this format did not make, and auth.ErrInvalid for one that starts with a
// prefix of it and has a broken rest: see [auth.KindOf].
func (f *TokenFormat) Read(token string) (digest string, err error) {
	for _, prefix := range f.prefixes {
		if OwnsToken(token, prefix) {
			return TokenDigest(token, prefix), nil
		}
	}
	return "", f.refusal(token)
}

// Check returns nil for a token of this format, and the error of Read for another one. It
// does not allocate.
func (f *TokenFormat) Check(token string) error {
	for _, prefix := range f.prefixes {
		if OwnsToken(token, prefix) {
			return nil
		}
	}
	return f.refusal(token)
}

// Fits reports whether token starts with a prefix of this format and has a length that its
// tokens can have. Check refuses one that does not fit. Fits does not look at the rest, and
// is for asking before a look-up in memory.
func (f *TokenFormat) Fits(token string) bool {
	for _, prefix := range f.prefixes {
		length := len(token) - len(prefix)
		if length >= MinTokenLength && length <= MaxTokenLength && strings.HasPrefix(token, prefix) {
			return true
		}
	}
	return false
}

// refusal returns the error for a token that no prefix owns.
func (f *TokenFormat) refusal(token string) error {
	for _, prefix := range f.prefixes {
		if rest, ok := strings.CutPrefix(token, prefix); ok && prefix != "" && strings.Trim(rest, alphabet) == "" {
			return errBrokenToken
		}
	}
	return errForeignToken
}

// TokenClasses returns the tokens of the format under these schemes, for
// [auth.TokenOwner].
func (f *TokenFormat) TokenClasses(schemes ...string) []auth.TokenClass {
	var classes []auth.TokenClass
	for _, scheme := range schemes {
		for _, prefix := range f.prefixes {
			classes = append(classes, auth.TokenClass{Scheme: scheme, Prefix: prefix})
		}
	}
	return classes
}

// Lengths in characters, the prefix not counted.
const (
	MinTokenLength     = shardLength + 27 + checksumLength // 160 random bits
	DefaultTokenLength = 40                                // 184 bits, and one SHA-256 block with a prefix of up to 15
	MaxTokenLength     = 128
	MaxTokenPrefix     = 10

	shardLength    = 3
	checksumLength = 6
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewToken returns a token for owner. The length must be within MinTokenLength and
// MaxTokenLength, the prefix at most MaxTokenPrefix.
func NewToken(prefix, owner string, length int) string {
	return newToken(prefix, owner, length, func(chunk []byte) { _, _ = rand.Read(chunk) }) // which never fails
}

// DeriveToken is NewToken for a token that can be made again: it is the same for the same arguments, and for others it
// looks random to everybody without the key, of at least 32 random bytes. The label must name the one use of
// the token.
func DeriveToken(prefix, owner string, length int, key, label string) string {
	mac := hmac.New(sha256.New, []byte(key))
	var block []byte
	return newToken(prefix, owner, length, func(chunk []byte) { // as HKDF-Expand (RFC 5869 §2.3)
		for i := 0; i < len(chunk); i += len(block) {
			mac.Reset()
			mac.Write(block)
			mac.Write([]byte(label + "\x00" + prefix + "\x00" + owner))
			block = mac.Sum(nil)
			copy(chunk[i:], block)
		}
	})
}

func newToken(prefix, owner string, length int, read func(chunk []byte)) string {
	token := make([]byte, 0, len(prefix)+length)
	token = append(token, prefix...)
	token = append(token, Shard(owner)...)
	token = appendRandom(token, length-shardLength-checksumLength, read)
	return string(appendChecksum(token, crc32.ChecksumIEEE(token)))
}

// Shard returns the shard of an owner.
func Shard(owner string) string { return shardText(shardNumber(owner)) }

// allShards is how many shards there are.
const allShards = 62 * 62 * 62

func shardNumber(owner string) uint32 {
	sum := sha256.Sum256([]byte(owner))
	return binary.BigEndian.Uint32(sum[:4]) % allShards
}

func shardText(n uint32) string {
	return string([]byte{alphabet[n%62], alphabet[n/62%62], alphabet[n/3844%62]})
}

func appendRandom(token []byte, n int, read func(chunk []byte)) []byte {
	var chunk [64]byte
	for {
		read(chunk[:])
		for _, b := range chunk {
			if n == 0 {
				return token
			}
			if b < 4*62 { // the rest would favour some characters
				token = append(token, alphabet[b%62])
				n--
			}
		}
	}
}

func appendChecksum(token []byte, sum uint32) []byte {
	for range checksumLength {
		token = append(token, alphabet[sum%62])
		sum /= 62
	}
	return token
}

// OwnsToken reports whether token has the shape of one that NewToken made with this
// prefix, of whatever length. With the prefix "" it does not own those of "acme_",
// since "_" is not base62. It does own those of "acme".
func OwnsToken(token, prefix string) bool {
	length := len(token) - len(prefix)
	if length < MinTokenLength || length > MaxTokenLength || !strings.HasPrefix(token, prefix) {
		return false
	}
	end := len(token) - checksumLength
	for i := len(prefix); i < end; i++ {
		if !base62[token[i]] {
			return false
		}
	}
	sum := checksum(token[:end])
	for i := end; i < len(token); i++ {
		if token[i] != alphabet[sum%62] {
			return false
		}
		sum /= 62
	}
	return true
}

// checksum is crc32.ChecksumIEEE for a string, without a copy on the heap.
// It takes eight bytes at a time ("slicing-by-8"): byte by byte it was the
// slowest part of a request.
func checksum(text string) uint32 {
	sum := ^uint32(0)
	for ; len(text) >= 8; text = text[8:] {
		sum ^= uint32(text[0]) | uint32(text[1])<<8 | uint32(text[2])<<16 | uint32(text[3])<<24
		sum = crcTables[7][sum&0xff] ^ crcTables[6][sum>>8&0xff] ^ crcTables[5][sum>>16&0xff] ^ crcTables[4][sum>>24] ^
			crcTables[3][text[4]] ^ crcTables[2][text[5]] ^ crcTables[1][text[6]] ^ crcTables[0][text[7]]
	}
	for i := range len(text) {
		sum = crcTables[0][byte(sum)^text[i]] ^ sum>>8
	}
	return ^sum
}

// crcTables[n] is what a byte followed by n zero bytes adds to a checksum.
var crcTables = func() (crcTables [8][256]uint32) {
	for i := range 256 {
		sum := crc32.IEEETable[i]
		for n := range 8 {
			crcTables[n][i] = sum
			sum = crc32.IEEETable[byte(sum)] ^ sum>>8
		}
	}
	return crcTables
}()

// base62 reports which bytes are in the alphabet.
var base62 = func() (is [256]bool) {
	for i := range len(alphabet) {
		is[alphabet[i]] = true
	}
	return is
}()

// TokenDigest returns what a store keeps instead of a token that OwnsToken accepted: the
// shard and the SHA-256 of the whole token, in URL-safe base64.
func TokenDigest(token, prefix string) string {
	var buf [MaxTokenPrefix + MaxTokenLength]byte // OwnsToken admits no longer one
	sum := sha256.Sum256(buf[:copy(buf[:], token)])
	var digest [shardLength + 43]byte
	copy(digest[:], token[len(prefix):len(prefix)+shardLength])
	base64.RawURLEncoding.Encode(digest[shardLength:], sum[:])
	return string(digest[:])
}
