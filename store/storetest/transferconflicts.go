package storetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/store/transfer"
)

// killedAt makes a run that is killed when it comes to a kind, and returns the state that it left.
func killedAt(t *testing.T, from, to TransferEngine, kind transfer.Kind,
	options transfer.Options) (state transfer.State) {
	t.Helper()
	options.PageSize = 1
	options.Save = func(s transfer.State) error {
		if state = s; s.Kind == kind {
			return errKilled
		}
		return nil
	}
	_, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options)
	if !errors.Is(err, errKilled) {
		t.Fatalf("got %v, want the run to be killed", err)
	}
	return state
}

// wantConflicts makes a final run, which must find conflicts of these kinds.
func wantConflicts(t *testing.T, from, to TransferEngine, options transfer.Options, kinds ...transfer.Kind) error {
	t.Helper()
	options.Final = true
	_, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options)
	if !errors.Is(err, transfer.ErrConflict) {
		t.Fatalf("got %v, want %v", err, transfer.ErrConflict)
	}
	for _, kind := range kinds {
		if !strings.Contains(err.Error(), string(kind)+", key ") {
			t.Errorf("got %v, want a conflict of %s with its key", err, kind)
		}
	}
	return err
}

func transferConflictAfterKill(t *testing.T, from, to TransferEngine) {
	for name, use := range map[string]struct {
		kind transfer.Kind
		do   func(s transferService, m *moved)
	}{
		"a token is revoked": {transfer.KnoxTokens, func(s transferService, m *moved) {
			_, err := s.Knox.Revoke(t.Context(), "alice", m.token.ID(), knox.Ending{At: m.now})
			s.must(err)
		}},
		"a session ends": {transfer.Sessions, func(s transferService, _ *moved) {
			_, err := s.Sessions.RevokeAll(t.Context(), "alice", "")
			s.must(err)
		}},
		"a login is revoked": {transfer.JWTLogins, func(s transferService, m *moved) {
			_, err := s.JWT.Revoke(t.Context(), "alice", m.fresh.SessionID, m.now)
			s.must(err)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			empty(t, from)
			empty(t, to)
			m := serve(t, from, true).fill()
			var journal transfer.MemoryJournal
			state := killedAt(t, from, to, transfer.OAuthGrants, transfer.Options{Journal: &journal})
			use.do(serve(t, to, false), m)
			wantConflicts(t, from, to, transfer.Options{State: state, Journal: &journal}, use.kind)
			after := serve(t, to, false)
			after.wantToken("revoked in the target", m.token.Secret, use.kind != transfer.KnoxTokens)
			after.wantSession("ended in the target", m.cookie, use.kind != transfer.Sessions)
			after.wantAccess("revoked in the target", m.fresh.Access, use.kind != transfer.JWTLogins)
		})
	}
}

// empty removes all records of an engine.
func empty(t *testing.T, engine TransferEngine) {
	t.Helper()
	for _, kind := range transfer.Kinds() {
		page, err := engine.Transfer.Export(t.Context(), kind, "", 1000, time.Time{})
		if err == nil {
			err = engine.Transfer.Remove(t.Context(), kind, page.Records, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func transferConflictOfAsMany(t *testing.T, from, to TransferEngine) {
	before := serve(t, from, true)
	revoked := before.issue("alice", knox.Options{})
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State

	after := serve(t, to, false)
	after.issue("alice", knox.Options{})
	_, err := to.Knox.Revoke(t.Context(), "alice", revoked.ID(), knox.Ending{At: time.Now()})
	after.must(err)
	err = wantConflicts(t, from, to, transfer.Options{State: state, Journal: &journal}, transfer.KnoxTokens)
	for _, about := range []string{"this copy did not write it", "it ended after the copy wrote it"} {
		if !strings.Contains(err.Error(), about) {
			t.Errorf("got %v, want it to say %q", err, about)
		}
	}
	after.wantToken("revoked in the target", revoked.Secret, false)
}

func transferManyConflicts(t *testing.T, from, to TransferEngine) {
	serve(t, from, true)
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State
	after := serve(t, to, false)
	for range 25 {
		after.issue("alice", knox.Options{})
	}
	err := wantConflicts(t, from, to, transfer.Options{State: state, Journal: &journal}, transfer.KnoxTokens)
	if n := strings.Count(err.Error(), "key "); n != 10 || !strings.Contains(err.Error(), "and 15 more") {
		t.Errorf("got %d conflicts that are told, want 10 and a number: %v", n, err)
	}
}

// halfJournal keeps no step of a kind as made.
type halfJournal struct {
	transfer.MemoryJournal
	kind transfer.Kind
}

func (j *halfJournal) Append(entry transfer.Entry) error {
	if entry.Done && entry.Kind == j.kind {
		return errKilled
	}
	return j.MemoryJournal.Append(entry)
}

func transferUnsettled(t *testing.T, from, to TransferEngine) {
	before := serve(t, from, true)
	m := before.fill()
	journal := halfJournal{kind: transfer.KnoxTokens}
	var state transfer.State
	options := transfer.Options{Journal: &journal, Save: func(s transfer.State) error { state = s; return nil }}
	if _, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options); !errors.Is(err, errKilled) {
		t.Fatalf("got %v, want the run to be killed", err)
	}
	journal.kind, options.State = "", state
	options.State = copied(t, from, to, options).State

	// The same for steps that replace and remove.
	_, err := from.Knox.Revoke(t.Context(), "alice", m.token.ID(), knox.Ending{At: m.now})
	before.must(err)
	_, err = from.JWT.Revoke(t.Context(), "alice", m.fresh.SessionID, m.now)
	before.must(err)
	options.Final = true
	for _, kind := range []transfer.Kind{transfer.JWTLogins, transfer.KnoxTokens} {
		journal.kind = kind
		if _, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options); !errors.Is(err, errKilled) {
			t.Fatalf("got %v, want the run to be killed amid %s", err, kind)
		}
		options.State = state
	}
	journal.kind = ""
	copied(t, from, to, options)
	after := serve(t, to, false)
	after.wantToken("revoked at the source", m.token.Secret, false)
	after.wantAccess("revoked at the source", m.fresh.Access, false)
	after.wantToken("of bob", m.sliding.Secret, true)
}

// transferUnsettledConflict revokes what a run wrote that was killed before it could keep that it did. A target that
// writes in parts cannot tell this from what was not written.
func transferUnsettledConflict(t *testing.T, from, to TransferEngine) {
	if !to.Transfer.Whole() {
		return
	}
	m := serve(t, from, true).fill()
	for _, kind := range []transfer.Kind{transfer.KnoxTokens, transfer.Sessions} {
		empty(t, to)
		journal := halfJournal{kind: kind}
		var state transfer.State
		options := transfer.Options{Journal: &journal, Save: func(s transfer.State) error { state = s; return nil }}
		if _, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options); !errors.Is(err, errKilled) {
			t.Fatalf("got %v, want the run to be killed", err)
		}
		after := serve(t, to, false)
		_, err := to.Knox.Revoke(t.Context(), "alice", m.token.ID(), knox.Ending{At: m.now})
		after.must(err)
		journal.kind = ""
		wantConflicts(t, from, to, transfer.Options{Journal: &journal, State: state}, transfer.KnoxTokens)
		after.wantToken("revoked in the target", m.token.Secret, false)
	}
}

// transferClocks copies a token that expired two minutes ago. The clocks of two machines may differ by five minutes, so
// the copy includes it.
func transferClocks(t *testing.T, from, to TransferEngine) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	record := transfer.KnoxToken{Record: &knox.Record{UserID: "alice", ID: backend.NewIDOf("alice"),
		Digest:  backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), ""),
		Created: now.Add(-time.Hour), ExpiresAt: now.Add(-2 * time.Minute)}}
	_, err := from.Transfer.Import(t.Context(), transfer.KnoxTokens, []transfer.Record{record}, now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	copied(t, from, to, transfer.Options{Final: true})
	n, err := to.Transfer.Count(t.Context(), transfer.KnoxTokens, now.Add(-time.Hour))
	if n != 1 || err != nil {
		t.Errorf("got %d tokens, want the one that expired two minutes ago: %v", n, err)
	}
}

// forgetting is an engine that forgets its counters when it is asked for sessions.
type forgetting struct {
	transfer.Target
	t        *testing.T
	counters []transfer.Record
}

func (f forgetting) Export(ctx context.Context, kind transfer.Kind, after string, limit int,
	now time.Time) (transfer.Page, error) {
	if kind == transfer.Sessions {
		if err := f.Remove(ctx, transfer.ThrottleCounts, f.counters, now); err != nil {
			f.t.Fatal(err)
		}
	}
	return f.Target.Export(ctx, kind, after, limit, now)
}

func transferForgotten(t *testing.T, from, to TransferEngine) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	counters := []transfer.Record{&transfer.ThrottleCount{Digest: "a counter", Counter: password.Counter{Failures: 3,
		Until: now.Add(time.Minute), ExpiresAt: now.Add(2 * time.Minute)}}}
	_, err := from.Transfer.Import(t.Context(), transfer.ThrottleCounts, counters, now)
	if err != nil {
		t.Fatal(err)
	}
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State
	if err := to.Transfer.Remove(t.Context(), transfer.ThrottleCounts, counters, now); err != nil {
		t.Fatal(err)
	}
	state = copied(t, from, to, transfer.Options{State: state, Journal: &journal}).State
	source := from
	source.Transfer = forgetting{from.Transfer, t, counters}
	copied(t, source, to, transfer.Options{State: state, Journal: &journal, Final: true})
}

// registering is a source whose service registers a client before consents are read.
type registering struct {
	transfer.Target
	register func()
}

func (r *registering) Export(ctx context.Context, kind transfer.Kind, after string, limit int,
	now time.Time) (transfer.Page, error) {
	if kind == transfer.OAuthConsents && r.register != nil {
		r.register()
		r.register = nil
	}
	return r.Target.Export(ctx, kind, after, limit, now)
}

func transferLateClient(t *testing.T, from, to TransferEngine) {
	s := serve(t, from, true)
	m := &moved{now: time.Now().UTC().Truncate(time.Microsecond)}
	running := from
	running.Transfer = &registering{from.Transfer, func() {
		s.fillOAuthClient(m)
		m.grant, _ = s.approve(m, "alice")
	}}
	var journal transfer.MemoryJournal
	state := copied(t, running, to, transfer.Options{Journal: &journal}).State
	consent, err := to.OAuth.Consent(t.Context(), "alice", movedClient)
	if consent == nil || err != nil {
		t.Errorf("got no consent, want it beside its client: %v", err)
	}
	if grant, err := to.OAuth.Grant(t.Context(), m.grant.ID); grant == nil || !grant.Live(m.now) || err != nil {
		t.Errorf("got the grant %+v, want it to live: %v", grant, err)
	}
	copied(t, from, to, transfer.Options{State: state, Journal: &journal, Final: true})
}
