package jwt

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// member is a member of a JSON object, its value as it was written.
type member struct{ name, value string }

var (
	errJSON      = errors.New("jwt: not a JSON object")
	errDuplicate = errors.New("jwt: a member twice")
)

// maxDepth is how deep objects and arrays may be nested, maxMembers how many
// members an object may have that is read.
const (
	maxDepth   = 32
	maxMembers = 200
)

// members appends the members of the JSON object that text is (RFC 8259 §4) to
// into. It takes what encoding/json does, but UTF-8 only, and no name twice:
// RFC 7519 §4 lets readers choose, and two programs that choose differently
// read two different tokens. Names are compared as they are: "EXP" is not
// "exp". Nothing is copied but names that are written with escapes.
func members(text string, into []member) ([]member, error) {
	if !utf8.ValidString(text) {
		return into, errJSON
	}
	s := scanner{text: text}
	s.space()
	if !s.take('{') {
		return into, errJSON
	}
	s.space()
	if s.take('}') {
		return into, s.end()
	}
	for more := true; more; {
		m, ok := s.member()
		if !ok || len(into) == maxMembers {
			return into, errJSON
		}
		into = append(into, m)
		if more, ok = s.comma('}'); !ok {
			return into, errJSON
		}
	}
	if err := s.end(); err != nil {
		return into, err
	}
	return into, duplicates(into)
}

// duplicates compares each with each where there are few, as there are.
func duplicates(all []member) error {
	if len(all) > 24 {
		names := make([]string, len(all))
		for i, m := range all {
			names[i] = m.name
		}
		slices.Sort(names)
		if len(slices.Compact(names)) < len(all) {
			return errDuplicate
		}
		return nil
	}
	for i := range all {
		for j := range i {
			if all[i].name == all[j].name {
				return errDuplicate
			}
		}
	}
	return nil
}

// lookup returns the value of a member, or "" without one.
func lookup(all []member, name string) string {
	for i := range all {
		if all[i].name == name {
			return all[i].value
		}
	}
	return ""
}

// unquote returns what a JSON string says.
func unquote(value string) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if inner := value[1 : len(value)-1]; strings.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var text string
	err := json.Unmarshal([]byte(value), &text)
	// Half a surrogate pair becomes a RuneError. NUL is more than stores take.
	return text, err == nil && !strings.ContainsRune(text, utf8.RuneError) && strings.IndexByte(text, 0) < 0
}

// stringsOf reads a string or an array of strings, as "aud" may be either.
func stringsOf(value string) ([]string, bool) {
	if one, ok := unquote(value); ok {
		return []string{one}, true
	}
	var all []json.RawMessage
	if json.Unmarshal([]byte(value), &all) != nil || all == nil {
		return nil, false
	}
	texts := make([]string, len(all))
	for i, each := range all {
		text, ok := unquote(string(each))
		if !ok {
			return nil, false
		}
		texts[i] = text
	}
	return texts, true
}

// The seconds that are read: after the zero time.Time, which means that there
// is no time, up to the last one of the year 9999.
const (
	minSeconds = -62135596799
	maxSeconds = 253402300799
)

// secondsOf reads a NumericDate (RFC 7519 §2): seconds since 1970, with
// fractions if need be, which are cut off, of the years 1 to 9999.
func secondsOf(value string) (int64, bool) {
	if len(value) > 0 && len(value) < 12 && strings.Trim(value, "0123456789") == "" {
		var n int64
		for i := range len(value) {
			n = 10*n + int64(value[i]-'0')
		}
		return n, true // no number of 11 digits is above maxSeconds
	}
	if value == "" || value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return 0, false // a string, null, an object
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds < minSeconds || seconds > maxSeconds {
		return 0, false
	}
	return int64(seconds), true
}

// scanner walks over JSON and says whether it is some (RFC 8259).
type scanner struct {
	text string
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) end() error {
	if s.space(); s.at != len(s.text) {
		return errJSON
	}
	return nil
}

// value takes a value that is in depth objects and arrays.
func (s *scanner) value(depth int) bool {
	if s.at == len(s.text) {
		return false
	}
	switch c := s.text[s.at]; c {
	case '"':
		return s.string()
	case '{':
		return depth < maxDepth && s.nested('}', depth, true)
	case '[':
		return depth < maxDepth && s.nested(']', depth, false)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

// nested takes an object, of which members are named, or an array.
func (s *scanner) nested(closing byte, depth int, named bool) bool {
	s.at++
	s.space()
	if s.take(closing) {
		return true
	}
	for more := true; more; {
		if named {
			if _, ok := s.name(); !ok {
				return false
			}
		}
		if !s.value(depth + 1) {
			return false
		}
		var ok bool
		if more, ok = s.comma(closing); !ok {
			return false
		}
	}
	return true
}

// member takes a member of the outermost object.
func (s *scanner) member() (m member, ok bool) {
	quoted, ok := s.name()
	if !ok {
		return m, false
	}
	if m.name, ok = unquote(quoted); !ok {
		return m, false
	}
	start := s.at
	ok = s.value(1)
	m.value = s.text[start:s.at]
	return m, ok
}

// name takes the name of a member and the colon behind it, and returns the name as it was written.
func (s *scanner) name() (quoted string, ok bool) {
	start := s.at
	if !s.string() {
		return "", false
	}
	quoted = s.text[start:s.at]
	s.space()
	ok = s.take(':')
	s.space()
	return quoted, ok
}

// comma takes what is behind a value: a comma, after which there is more, or the closing bracket.
func (s *scanner) comma(closing byte) (more, ok bool) {
	s.space()
	if s.take(closing) {
		return false, true
	}
	ok = s.take(',')
	s.space()
	return ok, ok
}

func (s *scanner) literal(text string) bool {
	if !strings.HasPrefix(s.text[s.at:], text) {
		return false
	}
	s.at += len(text)
	return true
}

func (s *scanner) string() bool {
	if !s.take('"') {
		return false
	}
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return true
		case c < 0x20:
			return false
		case c == '\\':
			if s.at++; s.at == len(s.text) {
				return false
			}
			switch s.text[s.at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				s.at++
			case 'u':
				if len(s.text)-s.at < 5 || strings.Trim(s.text[s.at+1:s.at+5], "0123456789abcdefABCDEF") != "" {
					return false
				}
				s.at += 5
			default:
				return false
			}
		default:
			s.at++
		}
	}
	return false
}

// number takes a number (RFC 8259 §6). A zero in front ends its integer.
func (s *scanner) number() bool {
	s.take('-')
	switch {
	case s.take('0'):
	case !s.digits():
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		return s.digits()
	}
	return true
}

// digits takes at least one.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}
