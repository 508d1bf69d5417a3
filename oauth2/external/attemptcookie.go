package external

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/seal"
)

// maxAttempts is how many a browser has under way, in as many tabs.
const maxAttempts = 5

// maxCookies is the most that the cookies of all attempts take of a request, in bytes, with their names. Any page can
// make a browser begin attempts, and many servers refuse a request with 8 KiB of headers. Without the limit, a stranger
// could lock a visitor out of the whole site until the cookies expire. One cookie may take all of it, since browsers
// keep cookies of 4096 bytes.
const maxCookies = 4000

// maxNext is the longest address to lead to that is looked at, in bytes. How much fits depends on its text: 3500 bytes
// of base64url do, which is more than the longest ReturnTo of package oauth2/server.
const maxNext = 6 << 10

// packed is the first byte of an attempt that is compressed. One that is not starts with "{".
const packed = 1

// pack makes an attempt smaller. Huffman codes alone store base64url in its six bits a character, and do not depend on
// text that is repeated, so the length tells nothing about the secrets in it.
func pack(text []byte) []byte {
	var b bytes.Buffer
	b.WriteByte(packed)
	w, _ := flate.NewWriter(&b, flate.HuffmanOnly) // the level is a good one
	_, _ = w.Write(text)                           // to memory
	_ = w.Close()
	return b.Bytes()
}

// unpack returns what pack was given.
func unpack(text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != packed {
		return text, nil
	}
	const most = 16 << 10 // four times a cookie
	return io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(text[1:])), most))
}

// setAttemptCookie sets the cookie of an attempt, and clears the oldest ones that do not fit beside it. The error says
// that the attempt alone is too long.
func (l *Logins) setAttemptCookie(w http.ResponseWriter, r *http.Request, p *provider, a *attempt) error {
	c := l.cookie(p, a.State[:idLength])
	value := seal.Seal(l.seals, pack(a.encode()), l.sealContext(c.FullName()))
	left := maxCookies - cookieSize(c.FullName(), value)
	if left < 0 {
		return failedValue("the address to come back to does not fit into the cookie of the attempt",
			strconv.Itoa(len(a.Next))+" bytes", "about 3500")
	}
	others := l.attempts(r)
	for i := len(others) - 1; i >= 0; i-- { // browsers send older ones first (RFC 6265 §5.4)
		if left -= cookieSize(others[i].Name, others[i].Value); left < 0 || len(others)-i >= maxAttempts {
			l.cookie(p, others[i].Name[len(others[i].Name)-idLength:]).Clear(w.Header())
		}
	}
	c.Set(w.Header(), value, l.config.Cookie.TTL)
	return nil
}

// cookieSize returns how many bytes a cookie has in the Cookie header of a request.
func cookieSize(name, value string) int { return len(name) + len("=") + len(value) + len("; ") }

// attempts returns the cookies of attempts.
func (l *Logins) attempts(r *http.Request) (all []*http.Cookie) {
	prefix := backend.Cookie{Name: l.config.Cookie.Name + "-", Insecure: l.config.Cookie.Insecure}.FullName()
	for _, c := range r.Cookies() {
		if id, ok := strings.CutPrefix(c.Name, prefix); ok && len(id) == idLength {
			all = append(all, c)
		}
	}
	return all
}

var errLongNext = errors.New("next is longer than 6144 bytes")
