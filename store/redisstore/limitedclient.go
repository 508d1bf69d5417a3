package redisstore

import (
	"context"

	"github.com/redis/rueidis"
)

// limitedClient is a client that limits the number of calls at once. The client has a ring of 1,024 calls for each
// connection. A call that finds it full, since the server is silent, would wait without a look at its context. If a
// context ends, its call keeps its place in the ring until it is answered or the connection is given up, and so it
// counts until then.
type limitedClient struct {
	rueidis.Client
	calls chan struct{}
}

// callsAtOnce is less than the ring has, since a round of watch and a ping take a place, too.
const callsAtOnce = 1000

func newLimitedClient(client rueidis.Client) *limitedClient {
	return &limitedClient{client, make(chan struct{}, callsAtOnce)}
}

// enter waits until a call may begin, or ctx ends. A context that has ended already lets no call begin, so that nothing
// is changed for a caller that has gone.
func (b *limitedClient) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
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
func (b *limitedClient) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	results := b.call(ctx, 1, func(ctx context.Context) []rueidis.RedisResult {
		return []rueidis.RedisResult{b.Client.Do(ctx, command)}
	})
	return results[0]
}

// DoMulti implements [rueidis.Client].
func (b *limitedClient) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	return b.call(ctx, len(commands), func(ctx context.Context) []rueidis.RedisResult {
		return b.Client.DoMulti(ctx, commands...)
	})
}

// call makes a call of n commands, and returns when it is answered or ctx ends.
func (b *limitedClient) call(ctx context.Context, n int,
	do func(ctx context.Context) []rueidis.RedisResult) []rueidis.RedisResult {
	failed := func(err error) []rueidis.RedisResult {
		results := make([]rueidis.RedisResult, n)
		for i := range results {
			results[i] = rueidis.NewErrorResult(err)
		}
		return results
	}
	if err := b.enter(ctx); err != nil {
		return failed(err)
	}
	answered := make(chan []rueidis.RedisResult, 1)
	go func() {
		defer func() { <-b.calls }()
		answered <- do(context.WithoutCancel(ctx))
	}()
	select {
	case results := <-answered:
		return results
	case <-ctx.Done():
		return failed(ctx.Err())
	}
}
