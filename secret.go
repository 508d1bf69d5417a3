package auth

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a string that does not show itself: however it is printed, logged
// or marshalled, it reads "[redacted]". Reveal returns what it hides.
//
// Two things get past it: package fmt reads the unexported fields of a struct
// without asking them, and encoding/json writes the keys of a map as they are.
// A struct that keeps a Secret in an unexported field needs a Format method of
// its own, and a Secret is no key.
type Secret string

// Reveal returns the secret in the clear.
func (s Secret) Reveal() string { return string(s) }

// String returns "[redacted]".
func (Secret) String() string { return redacted }

// GoString returns "[redacted]".
func (Secret) GoString() string { return redacted }

// Format writes "[redacted]" whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
