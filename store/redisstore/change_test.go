package redisstore

import (
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/oauth2/server"
)

// If the memory of the server is full, the end of a grant removes it. A change that was overtaken by such an end finds
// no grant when it tries again.
func TestUnitAGrantThatGoesBetweenTwoTries(t *testing.T) {
	node := testserver.NewRedis(t)
	place := testRedis{optionOf(t, node), "x:"}
	first, second := place.pair(t, Config{MaxCached: -1})
	one, other, client := newOAuthTest(t, first), OAuth(second), first.client
	// overtake has the second instance end the grant before a call of the first one, which is the commit.
	overtake := func(g *server.Grant, calls int) {
		first.client = &hookedClient{client, onCall(calls, func() {
			node.Do(t, "CONFIG", "SET", "maxmemory", "1")
			if ended, err := other.End(t.Context(), g.ID, one.now); !ended || err != nil {
				t.Errorf("the other end: got %v, %v, want true", ended, err)
			}
			node.Do(t, "CONFIG", "SET", "maxmemory", "0")
		})}
	}
	g, _ := one.start("alice")
	overtake(g, 1)
	if ended, err := one.store.End(t.Context(), g.ID, one.now); ended || err != nil {
		t.Errorf("the end of a grant that another end has removed: got %v, %v, want false", ended, err)
	}
	g, _ = one.start("alice")
	tokens := one.tokens(g)
	overtake(g, 2)
	if added, err := one.store.AddAccess(t.Context(), tokens.Access, one.now); added || err != nil {
		t.Errorf("a token of a grant that was removed: got %v, %v, want false", added, err)
	}
	first.client = client
}
