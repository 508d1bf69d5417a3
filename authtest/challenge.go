package authtest

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gatewarden/auth"
)

// ParseChallenges reads the WWW-Authenticate lines of h by the grammar of RFC
// 9110 §11.6.1: several challenges in a line, or several lines, which are one
// list (§5.3). Quoted values come back without quotes and backslashes. A
// token68, as in "Negotiate YII=", is a single Param without a name.
//
// Anything else is an error, and so is a parameter that occurs twice in one
// challenge (§11.2). No line is no challenge and no error.
func ParseChallenges(h http.Header) ([]auth.Challenge, error) {
	var p parser
	for _, line := range h.Values("WWW-Authenticate") {
		p.rest = line
		if err := p.line(); err != nil {
			return nil, fmt.Errorf("authtest: WWW-Authenticate %q, %d bytes before the end: %w", line, len(p.rest), err)
		}
	}
	return p.challenges, nil
}

// parser keeps the challenges across lines, and what is left of this line.
type parser struct {
	challenges []auth.Challenge
	rest       string
}

func (p *parser) line() error {
	for {
		p.rest = strings.TrimLeft(p.rest, " \t,") // empty list elements: §5.6.1.2
		if p.rest == "" {
			return nil
		}
		if err := p.element(); err != nil {
			return err
		}
		p.space()
		if p.rest != "" && p.rest[0] != ',' {
			return fmt.Errorf("want a comma or the end of the line")
		}
	}
}

// element reads a challenge with its first parameter, or one more parameter of
// the challenge before.
func (p *parser) element() error {
	name := p.token()
	if name == "" {
		return fmt.Errorf("want a token")
	}
	if after := strings.TrimLeft(p.rest, " \t"); strings.HasPrefix(after, "=") {
		return p.param(name)
	}
	p.challenges = append(p.challenges, auth.Challenge{Scheme: name})
	if p.rest == "" || p.rest[0] == ',' {
		return nil
	}
	if p.rest[0] != ' ' {
		return fmt.Errorf("want a space after the scheme")
	}
	p.space()
	if p.rest == "" || p.rest[0] == ',' {
		return nil
	}
	if value, ok := p.token68(); ok {
		last := &p.challenges[len(p.challenges)-1]
		last.Params = []auth.Param{{Value: value}}
		return nil
	}
	if name = p.token(); name == "" {
		return fmt.Errorf("want a parameter")
	}
	return p.param(name)
}

// param reads what follows the name of a parameter.
func (p *parser) param(name string) error {
	if len(p.challenges) == 0 {
		return fmt.Errorf("parameter %q before any scheme", name)
	}
	last := &p.challenges[len(p.challenges)-1]
	for _, have := range last.Params {
		if have.Name == "" {
			return fmt.Errorf("parameter %q after a token68", name)
		}
		if strings.EqualFold(have.Name, name) {
			return fmt.Errorf("parameter %q occurs twice", name)
		}
	}
	p.space()
	if !strings.HasPrefix(p.rest, "=") {
		return fmt.Errorf("want = after parameter %q", name)
	}
	p.rest = p.rest[1:]
	p.space()
	var value string
	if strings.HasPrefix(p.rest, `"`) {
		var err error
		if value, err = p.quoted(); err != nil {
			return err
		}
	} else if value = p.token(); value == "" {
		return fmt.Errorf("want a value of parameter %q", name)
	}
	last.Params = append(last.Params, auth.Param{Name: name, Value: value})
	return nil
}

// quoted reads a quoted-string (RFC 9110 §5.6.4).
func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		if c == '"' {
			p.rest = p.rest[i+1:]
			return b.String(), nil
		}
		if c == '\\' {
			if i++; i == len(p.rest) {
				break
			}
			c = p.rest[i]
		}
		if c != '\t' && c < ' ' || c == 0x7f {
			return "", fmt.Errorf("control character in a quoted-string")
		}
		b.WriteByte(c)
	}
	return "", fmt.Errorf("quoted-string without an end")
}

// token68 reads a token68 if it is followed by a comma or the end.
func (p *parser) token68() (string, bool) {
	end := span(p.rest, func(c byte) bool { return isAlnum(c) || strings.IndexByte("-._~+/", c) >= 0 })
	if end == 0 {
		return "", false
	}
	end += span(p.rest[end:], func(c byte) bool { return c == '=' })
	if after := strings.TrimLeft(p.rest[end:], " \t"); after != "" && after[0] != ',' {
		return "", false
	}
	value := p.rest[:end]
	p.rest = p.rest[end:]
	return value, true
}

func (p *parser) token() string {
	end := span(p.rest, func(c byte) bool { return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 })
	token := p.rest[:end]
	p.rest = p.rest[end:]
	return token
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// span returns how many bytes at the start of s are in a set.
func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
