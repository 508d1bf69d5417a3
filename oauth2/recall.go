package oauth2

import (
	"context"
	"time"
)

// LookupFunc returns what [Source.Inspect] returns, with two differences. It takes now, so that it need
// not read a clock. A LookupFunc that waits, as for a store or a key, reads the clock once more after
// that, and refuses a token that has expired meanwhile. And token may have any characters, up to
// auth.Config.MaxAuthorization bytes: LookupFunc must not accept a token with characters outside b64token
// (RFC 6750 §2.1), and must not ask another program about it. If it has not looked at the characters, LookupFunc
// returns nil and nil. The [Resource] then looks at them and calls Inspect.
type LookupFunc func(ctx context.Context, token string, now time.Time) (*Token, error)

// TokenLookup is an optional interface of a [Source] that finds tokens faster than it can check
// their characters, such as one that has them in memory. A [Resource] calls its LookupFunc first.
type TokenLookup interface {
	// Lookup returns the LookupFunc, or nil if source is another value than the receiver. A
	// type that embeds a source and has an Inspect of its own has this method too. The LookupFunc
	// would pass that Inspect by, so the Resource goes without.
	Lookup(source Source) LookupFunc
}

// lookupOf returns the LookupFunc of a source, or nil.
func lookupOf(source Source) LookupFunc {
	if by, ok := source.(TokenLookup); ok {
		return by.Lookup(source)
	}
	return nil
}
