package backend

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Cookie is a cookie that holds a secret. It is HttpOnly, and Secure with the
// prefix "__Host-", so that no page of a sibling domain can plant one (RFC
// 6265bis §4.1.3.2), unless Insecure is set.
type Cookie struct {
	Name     string // without the prefix
	Insecure bool   // for plain http to another machine: no Secure, no prefix
	// SameSite is zero for Lax. Check refuses the value None with Insecure.
	SameSite http.SameSite
}

// Check returns an error if the name cannot be that of a cookie, or has a prefix
// already, or if browsers would not keep the cookie. Call it before the others.
func (c Cookie) Check() error {
	if strings.HasPrefix(c.Name, "__") {
		return fmt.Errorf("cookie %q must not have a prefix, because it gets one", c.Name)
	}
	if c.SameSite == http.SameSiteNoneMode && c.Insecure {
		return fmt.Errorf("cookie %q is SameSite=None, which browsers take with Secure only", c.Name)
	}
	if err := (&http.Cookie{Name: c.FullName(), Value: "x"}).Valid(); err != nil {
		return fmt.Errorf("cookie %q: %w", c.Name, err)
	}
	return nil
}

// FullName returns the name with its prefix.
func (c Cookie) FullName() string {
	if c.Insecure {
		return c.Name
	}
	return "__Host-" + c.Name
}

// Set sets the cookie, in place of one of its name that h sets already. A cookie
// with a life of 0 ends with the browser, others after life, at least a second.
func (c Cookie) Set(h http.Header, value string, life time.Duration) {
	maxAge := 0
	if life != 0 {
		maxAge = int(max(life/time.Second, 1))
	}
	c.write(h, value, maxAge)
}

// Clear makes the browser forget the cookie.
func (c Cookie) Clear(h http.Header) { c.write(h, "", -1) }

func (c Cookie) write(h http.Header, value string, maxAge int) {
	sameSite := c.SameSite
	if sameSite == 0 {
		sameSite = http.SameSiteLaxMode
	}
	name := c.FullName()
	line := (&http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: !c.Insecure,
		SameSite: sameSite, MaxAge: maxAge}).String()
	kept := make([]string, 0, len(h["Set-Cookie"])+1)
	for _, other := range h["Set-Cookie"] {
		if !strings.HasPrefix(other, name+"=") {
			kept = append(kept, other)
		}
	}
	h["Set-Cookie"] = append(kept, line)
}

// Value returns the value of the cookie and how many there are of its name. If
// there are two, one of them may be planted: refuse both. It does not allocate.
func (c Cookie) Value(r *http.Request) (value string, count int) {
	return CookieValue(r, c.FullName())
}

// CookieValue is Value of a cookie with this whole name (RFC 6265 §4.2.1).
func CookieValue(r *http.Request, fullName string) (value string, count int) {
	for _, line := range r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line = cutPair(line)
			if !strings.HasPrefix(pair, fullName) {
				continue // without a look at the rest of it
			}
			name, text := pair, ""
			if end := strings.IndexByte(pair, '='); end >= 0 {
				name, text = pair[:end], pair[end+1:]
			}
			if trimBlanks(name) != fullName {
				continue
			}
			if count == 0 {
				value = unquote(trimBlanks(text))
			}
			count++
		}
	}
	return value, count
}

// cutPair returns the first pair of a Cookie line, without the blanks before it, and what
// follows its semicolon.
func cutPair(line string) (pair, rest string) {
	pair = line
	if end := strings.IndexByte(line, ';'); end >= 0 {
		pair, rest = line[:end], line[end+1:]
	}
	for pair != "" && (pair[0] == ' ' || pair[0] == '\t') {
		pair = pair[1:]
	}
	return pair, rest
}

// unquote returns the value of a cookie without the quotes around it.
func unquote(value string) string {
	if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
		return value[1 : n-1]
	}
	return value
}

// trimBlanks is strings.Trim(text, " \t"), which makes a set of the two first.
func trimBlanks(text string) string {
	for text != "" && (text[0] == ' ' || text[0] == '\t') {
		text = text[1:]
	}
	for text != "" && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t') {
		text = text[:len(text)-1]
	}
	return text
}
