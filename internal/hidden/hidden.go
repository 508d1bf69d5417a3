// Package hidden keeps secrets in structs that package fmt may be asked to print.
// It reads unexported fields without calling their methods, so that a type with a
// method String or Format hides nothing there. For a function it prints an address.
package hidden

import (
	"fmt"
	"io"
)

// String is a function that returns a secret. Nil is "".
type String func() string

// Of returns text as a String.
func Of(text string) String { return func() string { return text } }

// Reveal returns the secret in the clear.
func (s String) Reveal() string {
	if s == nil {
		return ""
	}
	return s()
}

// Write prints the name of a type in place of its value.
func Write(f fmt.State, name string) { _, _ = io.WriteString(f, name+"[redacted]") }
