// Package cause has the errors that tell the log why a request was refused: what it had, and which
// setting wants what. The text of an error is built when it is read, because most are never read.
package cause

import (
	"strconv"
	"strings"
	"time"
)

// Check is a check that failed: "aud is "other", want "api"; see Issuer.Audience".
//
// Came is what the credential says. It must be nil unless the credential is
// proved, because a stranger could otherwise write lines into the log.
type Check struct {
	Name    string        // of the claim, header parameter or setting that was checked
	Problem string        // a constant, such as "is missing"; if "", Came is the problem
	By      time.Duration // how far an instant is off; 0 is not told
	Came    []string
	Want    []string // what is accepted, of our own configuration
	Owner   string   // the configuration that has Setting, such as "Issuer"
	Setting string   // what is likely wrong, or ""
	Err     error    // what the check returned, or nil
}

// Error builds the text.
func (c *Check) Error() string {
	var b strings.Builder
	b.WriteString(c.Name)
	switch {
	case c.Problem == "":
		b.WriteString(" is " + list(c.Came))
	case c.Came != nil:
		b.WriteString(" " + list(c.Came) + " " + c.Problem)
	default:
		b.WriteString(" " + c.Problem)
	}
	if c.By != 0 {
		b.WriteString(" by " + c.By.String())
	}
	switch {
	case len(c.Want) == 1:
		b.WriteString(", want " + list(c.Want))
	case len(c.Want) > 1:
		b.WriteString(", want one of " + list(c.Want))
	}
	if c.Setting != "" {
		b.WriteString("; see " + c.Owner + "." + c.Setting)
	}
	if c.Err != nil {
		b.WriteString(": " + c.Err.Error())
	}
	return b.String()
}

// Unwrap returns Err.
func (c *Check) Unwrap() error { return c.Err }

// Under returns the cause with a setting of another configuration, for a package that
// wraps the one which checked. An empty setting names no setting.
func (c *Check) Under(owner, setting string) *Check {
	renamed := *c
	renamed.Owner, renamed.Setting = owner, setting
	return &renamed
}

const (
	maxText = 200 // bytes of one value that are printed
	maxList = 10  // values of a list that are printed
)

// Quote returns text in quotes, without control characters, and cut after 200 bytes.
func Quote(text string) string {
	if len(text) > maxText {
		return strconv.Quote(text[:maxText]) + "…"
	}
	return strconv.Quote(text)
}

// list returns one value in quotes, or several in brackets.
func list(values []string) string {
	if len(values) == 1 {
		return Quote(values[0])
	}
	var quoted []string
	for _, value := range values[:min(len(values), maxList)] {
		quoted = append(quoted, Quote(value))
	}
	if more := len(values) - maxList; more > 0 {
		quoted = append(quoted, "and "+strconv.Itoa(more)+" more")
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
