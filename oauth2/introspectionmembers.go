package oauth2

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatewarden/auth/internal/cause"
)

// members are the members of an answer (RFC 7662 §2.2), without those that are null. They are read
// one by one, so that one of another type costs as little as it can:
//
//   - an optional member is then absent, and goes into ignored
//   - a member that restricts the token or names its holder refuses the token, by fault
//
// It is no outage, because the server said that the token is active, and it will say the same again.
type members struct {
	all     map[string]json.RawMessage
	ignored []string
	fault   *cause.Check // the first one
}

var errNoObject = errors.New("the answer is not a JSON object")

// membersOf reads an answer. Names are compared as they are (RFC 8259 §4): "Active" is not "active".
func membersOf(text []byte) (*members, error) {
	m := new(members)
	if json.Unmarshal(text, &m.all) != nil || m.all == nil {
		return nil, errNoObject
	}
	for name, value := range m.all {
		if string(value) == "null" {
			delete(m.all, name)
		}
	}
	return m, nil
}

// claimsIn returns all members as encoding/json has them. If a number is too large for a float64,
// numbers are of the type [json.Number].
func claimsIn(text []byte) map[string]any {
	var all map[string]any
	if json.Unmarshal(text, &all) == nil {
		return all
	}
	all = nil
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	_ = decoder.Decode(&all) // which membersOf has read
	return all
}

// refuse notes why the token is refused.
func (m *members) refuse(why *cause.Check) {
	if m.fault == nil {
		m.fault = why
	}
}

// unreadable refuses the token by a member of another type.
func (m *members) unreadable(name, problem string) {
	m.refuse(&cause.Check{Name: name, Problem: problem})
}

// flag returns a member that is true or false.
func (m *members) flag(name string) (value, ok bool) {
	return value, json.Unmarshal(m.all[name], &value) == nil
}

// text returns an optional member that is a string, or "".
func (m *members) text(name string) string {
	value, there := m.all[name]
	if !there {
		return ""
	}
	text, ok := unquote(value)
	if !ok {
		m.ignored = append(m.ignored, name)
	}
	return text
}

// identifier returns a member that identifies something: a string or a whole number. there is
// false if the answer does not have it.
func (m *members) identifier(name string) (id string, there bool) {
	value, there := m.all[name]
	if !there {
		return "", false
	}
	if text, ok := unquote(value); ok {
		return text, true
	}
	digits := strings.TrimPrefix(string(value), "-")
	if len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
		m.unreadable(name, "of the answer is not a string or a whole number")
		return "", true
	}
	return string(value), true
}

// maxDigits is how many digits an identifier may have that is a number.
const maxDigits = 20

// list returns an optional member that is a string or an array of strings.
func (m *members) list(name string) []string {
	value, there := m.all[name]
	if !there {
		return nil
	}
	list, ok := stringsOf(value)
	if !ok {
		m.ignored = append(m.ignored, name)
	}
	return list
}

// audience returns "aud". If it is absent, an empty list or empty names, there is no audience.
func (m *members) audience() []string {
	value, there := m.all["aud"]
	if !there {
		return nil
	}
	list, ok := stringsOf(value)
	if !ok {
		m.unreadable("aud", "of the answer is not a string or an array of strings")
	}
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// instant returns an optional member that is an instant, or the zero time.
func (m *members) instant(name string) time.Time {
	value, there := m.all[name]
	if !there {
		return time.Time{}
	}
	at, ok := instantOf(value)
	if !ok {
		m.ignored = append(m.ignored, name)
	}
	return at
}

// requiredInstant is instant for a member that restricts the token: if it cannot be read, the token is refused.
func (m *members) requiredInstant(name string) time.Time {
	value, there := m.all[name]
	if !there {
		return time.Time{}
	}
	at, ok := instantOf(value)
	if !ok {
		m.unreadable(name, "of the answer is not a number of seconds since 1970")
	}
	return at
}

// maxSeconds is the last second of the year 9999.
const maxSeconds = 253402300799

// instantOf reads seconds since 1970, with a fraction if need be, as a number or, as some servers
// write them, as a string of digits.
func instantOf(value json.RawMessage) (time.Time, bool) {
	text := string(value)
	if quoted, ok := unquote(value); ok {
		text = quoted
		if strings.Trim(text, "0123456789.") != "" {
			return time.Time{}, false
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= 0 && seconds <= maxSeconds) {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// unquote returns a string. One with a NUL, which stores do not take, or with characters that
// were replaced, which could make two names the same, is no string.
func unquote(value json.RawMessage) (text string, ok bool) {
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil {
		return "", false
	}
	if !utf8.Valid(value) || strings.ContainsAny(text, "\x00\ufffd") {
		return "", false
	}
	return text, true
}

// stringsOf returns a string, or an array of strings, as a list.
func stringsOf(value json.RawMessage) ([]string, bool) {
	if one, ok := unquote(value); ok {
		return []string{one}, true
	}
	var all []json.RawMessage
	if json.Unmarshal(value, &all) != nil {
		return nil, false
	}
	list := make([]string, 0, len(all))
	for _, each := range all {
		text, ok := unquote(each)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}
