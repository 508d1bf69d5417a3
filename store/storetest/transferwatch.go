package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// meddled is a target that does something else before it adds records of a kind.
type meddled struct {
	transfer.Target
	kind   transfer.Kind
	meddle func()
}

func (m meddled) Import(ctx context.Context, kind transfer.Kind, records []transfer.Record,
	now time.Time) (int, error) {
	if kind == m.kind {
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

func transferLoses(t *testing.T, from, to TransferEngine) {
	serve(t, from, true).fill()
	lost := forgetful{to.Transfer}
	if _, err := transfer.Copy(t.Context(), from.Transfer, lost, transfer.Options{Final: true}); !errors.Is(err,
		transfer.ErrDiffers) {
		t.Errorf("got %v from a target that loses records, want %v", err, transfer.ErrDiffers)
	}
}

func transferWatches(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	s.fill()
	var state transfer.State
	running := meddled{to.Transfer, transfer.Sessions, func() { s.issue("alice", knox.Options{}) }}
	options := transfer.Options{Final: true, Journal: &transfer.MemoryJournal{},
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

// transferWatchesChanges has a service that changes one of many records, and no number of them.
func transferWatchesChanges(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	m := s.fill()
	for range 30 {
		s.issue("alice", knox.Options{})
	}
	for name, meddle := range map[string]struct {
		kind transfer.Kind
		do   func()
	}{
		"a login is used": {transfer.JWTLogins, func() { s.refresh("of alice", m.fresh.Refresh, true) }},
		"a token is exchanged": {transfer.KnoxTokens, func() {
			_, err := from.Knox.Revoke(t.Context(), "alice", m.token.ID(), knox.Ending{At: m.now})
			s.must(err)
			s.issue("alice", knox.Options{})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			empty(t, to)
			running := meddled{to.Transfer, transfer.ThrottleCounts, meddle.do}
			_, err := transfer.Copy(t.Context(), from.Transfer, running, transfer.Options{Final: true, Samples: 1})
			if !errors.Is(err, transfer.ErrSourceUsed) || !strings.Contains(err.Error(), string(meddle.kind)+", key ") {
				t.Errorf("got %v, want %v with one of the %s", err, transfer.ErrSourceUsed, meddle.kind)
			}
		})
	}
}
