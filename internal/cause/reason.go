package cause

import (
	"strconv"
	"strings"
)

// Reason is the cause of a refused request, as a sentence with the value that failed. It prints values that clients
// sent, where [Check] is for tokens.
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

// Error returns the check, the value, what would have passed, the setting and the error behind it.
func (r *Reason) Error() string {
	var b strings.Builder
	b.WriteString(r.Check)
	if r.Came != "" {
		b.WriteString(": " + Quote(r.Came))
	}
	for i, want := range r.Want {
		switch {
		case i == maxList:
			b.WriteString(", and " + strconv.Itoa(len(r.Want)-maxList) + " more")
		case i > maxList:
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
