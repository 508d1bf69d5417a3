package redisstore

import (
	"context"

	"github.com/redis/rueidis"
)

// bounded is a client with a bound of calls under way. The client has a ring of 1,024 calls for each connection. A call
// that finds it full, since the server is silent, would wait without a look at its context.
type bounded struct {
	rueidis.Client
	calls chan struct{}
}

// callsAtOnce is less than the ring has, since a round of watch and a ping take a place, too.
const callsAtOnce = 1000

func newBounded(client rueidis.Client) *bounded {
	return &bounded{client, make(chan struct{}, callsAtOnce)}
}

// enter waits until a call may begin, or ctx ends.
func (b *bounded) enter(ctx context.Context) error {
	select {
	case b.calls <- struct{}{}:
		return nil
	default:
	}
	select {
	case b.calls <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Do implements [rueidis.Client].
func (b *bounded) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	if err := b.enter(ctx); err != nil {
		return rueidis.NewErrorResult(err)
	}
	defer func() { <-b.calls }()
	return b.Client.Do(ctx, command)
}

// DoMulti implements [rueidis.Client].
func (b *bounded) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	if err := b.enter(ctx); err != nil {
		results := make([]rueidis.RedisResult, len(commands))
		for i := range results {
			results[i] = rueidis.NewErrorResult(err)
		}
		return results
	}
	defer func() { <-b.calls }()
	return b.Client.DoMulti(ctx, commands...)
}
