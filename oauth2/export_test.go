package oauth2

import "time"

// ParseIntrospection reads an answer to an [Introspection], for the fuzz target.
func ParseIntrospection(i *Introspection, text []byte, now time.Time) (*Token, error) {
	token, _, err := i.rules.read(text, now)
	return token, err
}

// IsToken is isToken.
var IsToken = isToken
