// Package redact keeps secrets out of what package fmt prints of a struct. Package fmt reads
// unexported fields without calling their methods, so a type of text with a method String or
// Format would show its secret there. A [Secret] is a function, of which fmt prints the address.
package redact

import (
	"fmt"
	"io"
)

// Secret is a function that returns a secret. Nil is "".
type Secret func() string

// New returns text as a Secret.
func New(text string) Secret { return func() string { return text } }

// Reveal returns the secret in the clear.
func (s Secret) Reveal() string {
	if s == nil {
		return ""
	}
	return s()
}

// WriteType prints the name of a type in place of its value.
func WriteType(f fmt.State, name string) { _, _ = io.WriteString(f, name+"[redacted]") }
