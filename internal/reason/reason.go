// Package reason builds the causes of refusals, for logs: which check failed, what came, and what would have
// passed. The text of a cause is built when it is read, so that a refusal that nothing logs costs little.
package reason

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reason is the cause of a refusal.
type Reason struct {
	// Check says which check failed. It is a constant.
	Check string
	// Came is the value that failed the check. It must not be secret. It is printed in quotes, cut to 200 bytes.
	// Empty prints nothing.
	Came string
	// Want are the values that would have passed. At most 10 of them are printed.
	Want []string
	// See names the setting that is likely wrong, such as "Client.RedirectURIs". Empty prints nothing.
	See string
	// Err is the error behind the refusal, or nil.
	Err error
}

const (
	maxText = 200 // bytes of a value that are printed
	maxWant = 10  // values of Want that are printed
)

// Quote returns text in quotes, with at most its first 200 bytes. Control characters are escaped.
func Quote(text string) string {
	if len(text) <= maxText {
		return strconv.Quote(text)
	}
	cut := maxText
	for cut > maxText-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strconv.Quote(text[:cut]) + "…"
}

// Error returns the check, the value, what would have passed, the setting and the error behind it.
func (r *Reason) Error() string {
	var b strings.Builder
	b.WriteString(r.Check)
	if r.Came != "" {
		b.WriteString(": " + Quote(r.Came))
	}
	for i, want := range r.Want {
		switch {
		case i == maxWant:
			b.WriteString(", and " + strconv.Itoa(len(r.Want)-maxWant) + " more")
		case i > maxWant:
		case i == 0:
			b.WriteString(", want " + Quote(want))
		default:
			b.WriteString(" or " + Quote(want))
		}
	}
	if r.See != "" {
		b.WriteString(", see " + r.See)
	}
	if r.Err != nil {
		b.WriteString(": " + r.Err.Error())
	}
	return b.String()
}

// Unwrap returns Err.
func (r *Reason) Unwrap() error { return r.Err }
