package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// meddled is a target that does something else before it adds sessions.
type meddled struct {
	transfer.Target
	meddle func()
}

func (m meddled) Import(ctx context.Context, kind transfer.Kind, records []transfer.Record,
	now time.Time) (int, error) {
	if kind == transfer.Sessions {
		m.meddle()
	}
	return m.Target.Import(ctx, kind, records, now)
}

// forgetful is a target that says it added what it did not.
type forgetful struct{ transfer.Target }

func (f forgetful) Import(ctx context.Context, kind transfer.Kind, records []transfer.Record,
	now time.Time) (int, error) {
	n, err := f.Target.Import(ctx, kind, records[1:], now)
	return n + 1, err
}

func transferWatches(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	s.fill()
	lost := forgetful{to.Transfer}
	if _, err := transfer.Copy(t.Context(), from.Transfer, lost, transfer.Options{Final: true}); !errors.Is(err,
		transfer.ErrDiffers) {
		t.Errorf("got %v from a target that loses records, want %v", err, transfer.ErrDiffers)
	}

	var state transfer.State
	running := meddled{to.Transfer, func() { s.issue("alice", knox.Options{}) }}
	options := transfer.Options{Final: true, State: transfer.State{Began: time.Now().Add(-time.Minute)},
		Save: func(at transfer.State) error { state = at; return nil }}
	_, err := transfer.Copy(t.Context(), from.Transfer, running, options)
	if !errors.Is(err, transfer.ErrSourceUsed) || state.Finished {
		t.Errorf("got %v and the state %+v, want %v", err, state, transfer.ErrSourceUsed)
	}
	options.State = state
	report, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options)
	if err != nil || !report.State.Finished {
		t.Errorf("got %v and the state %+v, want the run after the service stopped to be the last", err, report.State)
	}
}
