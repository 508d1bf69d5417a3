package redisstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/store/transfer"
)

// TestTransferAfterAKill kills the source amid a copy, and then the target. Both copies go on where they were.
func TestTransferAfterAKill(t *testing.T) {
	t.Parallel()
	open := func() (*testserver.Node, *DB) {
		node := testserver.NewRedis(t, testserver.RedisAOF())
		return node, testRedis{optionOf(t, node), "x:"}.open(t, Config{MaxCached: -1, Timeout: 2 * time.Second})
	}
	first, from := open()
	_, between := open()
	last, to := open()
	fillAll(t, from)
	for i := range 300 {
		r := tokenOf(fmt.Sprint("user", i))
		if i%3 == 0 {
			r.ExpiresAt = time.Time{}
		}
		mustAdd(t, Knox(from), r)
	}
	want, err := Transfer(from).Count(t.Context(), transfer.KnoxTokens, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, move := range []struct {
		from, to *DB
		killed   *testserver.Node
	}{{from, between, first}, {between, to, last}} {
		var state transfer.State
		var journal transfer.MemoryJournal
		pages := 0
		_, err := transfer.Copy(t.Context(), Transfer(move.from), Transfer(move.to), transfer.Options{PageSize: 20,
			Journal: &journal, Save: func(s transfer.State) error {
				if s.Kind == transfer.KnoxTokens && s.After != "" {
					if pages++; pages == 5 {
						move.killed.Kill(t)
					}
				}
				state = s
				return nil
			}})
		if err == nil || state.Kind != transfer.KnoxTokens || errors.Is(err, transfer.ErrDiffers) {
			t.Fatalf("got %v in the kind %q, want an outage amid the knox tokens", err, state.Kind)
		}
		move.killed.Start(t)
		eventually(t, "the server answers again", func() bool {
			return errors.Join(move.from.Ping(t.Context()), move.to.Ping(t.Context())) == nil
		})
		report, err := transfer.Copy(t.Context(), Transfer(move.from), Transfer(move.to), transfer.Options{PageSize: 20,
			State: state, Journal: &journal})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range report.Kinds {
			tokens := k.Kind == transfer.KnoxTokens
			if k.Source != k.Target || k.Source == 0 || tokens && (k.Source != want || k.Added == want) {
				t.Errorf("got %+v, want all that the source has, and not all of it in the second run", k)
			}
		}
	}
}
