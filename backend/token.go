// Package opaque makes and reads the tokens that this module issues.
//
// A token is
//
//	prefix + shard (3) + random (27 or more) + checksum (6)
//
// in base62. The shard comes from a hash of the owner's identifier, so that a
// clustered store can keep all of an owner's tokens on one node. The checksum
// (CRC-32 of all before it) lets a secret scanner be sure of what it found, and
// refuses garbage and other systems' tokens before a store is asked. It keeps
// out nobody who reads this; the random part, of at least 160 bits, does.
package backend

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
)

// Lengths in characters, the prefix not counted.
const (
	MinTokenLength     = shardLength + 27 + checksumLength // 160 bits of chance
	DefaultTokenLength = 40                                // 184 bits, and one SHA-256 block with a prefix of up to 15
	MaxTokenLength     = 128
	MaxTokenPrefix     = 10

	shardLength    = 3
	checksumLength = 6
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewToken returns a token for owner. The length must be within MinTokenLength and
// MaxTokenLength, the prefix at most MaxPrefix.
func NewToken(prefix, owner string, length int) string {
	token := make([]byte, 0, len(prefix)+length)
	token = append(token, prefix...)
	token = append(token, Shard(owner)...)
	token = appendRandom(token, length-shardLength-checksumLength)
	return string(appendChecksum(token, crc32.ChecksumIEEE(token)))
}

// Shard returns the shard of an owner.
func Shard(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	n := binary.BigEndian.Uint32(sum[:4])
	return string([]byte{alphabet[n%62], alphabet[n/62%62], alphabet[n/3844%62]})
}

func appendRandom(token []byte, n int) []byte {
	var chunk [64]byte
	for {
		_, _ = rand.Read(chunk[:]) // never fails
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
// since "_" is not base62; it does own those of "acme".
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

// checksum is crc32.ChecksumIEEE of a string, which that would copy to the heap.
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

// base62 tells the characters of the alphabet.
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
