package oauth2

import (
	"context"
	"time"
)

// Recall returns what [Source.Inspect] returns, with two differences. It takes now, so that it need
// not read a clock. A Recall that waits, as for a store or a key, reads the clock once more after
// that, and refuses a token that has expired meanwhile. And token may have any characters, up to
// auth.Config.MaxAuthorization bytes: Recall must not accept a token with characters outside b64token
// (RFC 6750 §2.1), and must not ask another program about it. If it has not looked at the characters, Recall
// returns nil and nil. The [Resource] then looks at them and calls Inspect.
type Recall func(ctx context.Context, token string, now time.Time) (*Token, error)

// Recaller is an optional interface of a [Source] that finds tokens faster than it can check
// their characters, such as one that has them in memory. A [Resource] calls its Recall first.
type Recaller interface {
	// Recaller returns the Recall, or nil if source is another value than the receiver. A
	// type that embeds a source and has an Inspect of its own has this method too. The Recall
	// would pass that Inspect by, so the Resource goes without.
	Recaller(source Source) Recall
}

// recallOf returns the Recall of a source, or nil.
func recallOf(source Source) Recall {
	if by, ok := source.(Recaller); ok {
		return by.Recaller(source)
	}
	return nil
}
