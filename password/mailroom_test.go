package password_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/password"
)

// people are users with stamps. Some of them cannot be loaded.
type people struct {
	mu     sync.Mutex
	stamps map[string]string
	faults map[string]error
}

func newPeople(ids ...string) *people {
	p := &people{stamps: map[string]string{}, faults: map[string]error{}}
	for _, id := range ids {
		p.stamps[id] = "stamp of " + id
	}
	return p
}

func (p *people) load(_ context.Context, id string) (auth.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.faults[id]; err != nil {
		return nil, err
	}
	stamp, ok := p.stamps[id]
	if !ok {
		return nil, auth.ErrUserNotFound
	}
	return stamped{id, stamp}, nil
}

// eventLog is an observer.
type eventLog struct {
	mu     sync.Mutex
	events []auth.Event
}

func (l *eventLog) Observe(_ context.Context, e auth.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take returns what was seen since, as "kind user".
func (l *eventLog) take() (seen []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		seen = append(seen, string(e.Kind)+" "+e.UserID)
	}
	l.events = nil
	return seen
}

// brittle is a store that fails on demand, and counts how often it is asked.
type brittle struct {
	password.OneTimeStore
	fault error
	asked atomic.Int64
	says  password.OneTimeVerdict // if not zero, of Redeem
}

func (b *brittle) hit() error { b.asked.Add(1); return b.fault }

func (b *brittle) Add(ctx context.Context, record *password.OneTimeRecord, limit int, now time.Time) error {
	if err := b.hit(); err != nil {
		return err
	}
	return b.OneTimeStore.Add(ctx, record, limit, now)
}

func (b *brittle) Find(ctx context.Context, digest string) (*password.OneTimeRecord, error) {
	if err := b.hit(); err != nil {
		return nil, err
	}
	return b.OneTimeStore.Find(ctx, digest)
}

func (b *brittle) Redeem(ctx context.Context, digest string, now time.Time) (password.OneTimeVerdict, error) {
	if err := b.hit(); err != nil {
		return 0, err
	}
	if b.says != 0 {
		return b.says, nil
	}
	return b.OneTimeStore.Redeem(ctx, digest, now)
}

func (b *brittle) RemoveUnused(ctx context.Context, userID string) (int, error) {
	if err := b.hit(); err != nil {
		return 0, err
	}
	return b.OneTimeStore.RemoveUnused(ctx, userID)
}

func (b *brittle) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := b.hit(); err != nil {
		return 0, err
	}
	return b.OneTimeStore.Purge(ctx, now, limit)
}

// mailroom is OneTimeTokens with all that they rely on.
type mailroom struct {
	t testing.TB
	*password.OneTimeTokens
	people *people
	store  *brittle
	log    *eventLog
}

func newMailroom(t testing.TB, change func(*password.OneTimeConfig)) *mailroom {
	t.Helper()
	m := &mailroom{t: t, people: newPeople("alice", "bob"),
		store: &brittle{OneTimeStore: password.NewMemoryOneTimeStore()}, log: &eventLog{}}
	config := password.OneTimeConfig{Store: m.store, LoadUser: m.people.load, Observer: m.log}
	if change != nil {
		change(&config)
	}
	var err error
	if m.OneTimeTokens, err = password.NewOneTimeTokens(config); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mailroom) issue(id string, purpose password.Purpose, about string) string {
	m.t.Helper()
	token, err := m.Issue(context.Background(), id, purpose, about)
	if err != nil {
		m.t.Fatal(err)
	}
	return token.Reveal()
}

// good reports whether token is good for a reset.
func (m *mailroom) good(token string) bool {
	m.t.Helper()
	_, _, err := m.Check(context.Background(), password.PurposeReset, token)
	if err != nil && auth.KindOf(err) != auth.ErrInvalid {
		m.t.Fatal(err)
	}
	return err == nil
}
