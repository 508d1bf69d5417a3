package redisstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/store/storetest"
)

// jwtModel makes the same random calls of a store in memory and of one in Redis, and compares the answers.
type jwtModel struct {
	*testing.T
	random        *rand.Rand
	memory, redis jwt.Store
	now           time.Time
	tokens        []*jwt.Refresh          // that were added and may still be known
	foreign       map[string]*jwt.Refresh // of other systems, by user
	families      []*jwt.Session
	made          int
}

func TestJWTAnswersAsInMemory(t *testing.T) {
	for range 5 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			first, second := pairOf(t, Config{MaxCached: -1})
			m := &jwtModel{T: t, random: rand.New(rand.NewPCG(seed, 0)), memory: jwt.NewMemoryStore(),
				redis:   storetest.JWTPair(JWT(first), JWT(second)),
				foreign: map[string]*jwt.Refresh{}, now: time.Now().UTC().Truncate(time.Second)}
			for step := 0; step < 400 && !t.Failed(); step++ {
				m.step()
			}
		})
	}
}

// step makes one call, at once or after some time.
func (m *jwtModel) step() {
	m.now = m.now.Add(time.Duration(m.random.IntN(2)*m.random.IntN(120)) * time.Second)
	m.tokens = slices.DeleteFunc(m.tokens, func(r *jwt.Refresh) bool {
		return !m.now.Before(r.ExpiresAt.Add(jwt.KeepExpired))
	})
	calls := []func(){m.start, m.start, m.adopt, m.rotate, m.rotate, m.rotate, m.use, m.find, m.list, m.end, m.revoked,
		m.revoked, m.revoked}
	if m.random.IntN(20) == 0 {
		calls = []func(){m.endAll, m.purge, m.purge}
	}
	calls[m.random.IntN(len(calls))]()
}

// compare fails the test if the answers of the two stores to a call differ.
func (m *jwtModel) compare(name string, call func(s jwt.Store) (any, error)) {
	m.Helper()
	want, wantErr := call(m.memory)
	got, err := call(m.redis)
	if (err != nil) != (wantErr != nil) || !reflect.DeepEqual(got, want) {
		m.Errorf("%s:\ngot  %+v, %v\nwant %+v, %v", name, got, err, want, wantErr)
	}
}

func (m *jwtModel) user() string { return []string{"alice", "bob"}[m.random.IntN(2)] }

func (m *jwtModel) token() *jwt.Refresh {
	if len(m.tokens) == 0 {
		return &jwt.Refresh{Digest: "unknown", SessionID: "unknown"}
	}
	if m.random.IntN(2) == 0 { // one of the last, which may be used again within the grace
		return m.tokens[max(0, len(m.tokens)-1-m.random.IntN(4))]
	}
	return m.tokens[m.random.IntN(len(m.tokens))]
}

// newToken returns a token that lives for some minutes.
func (m *jwtModel) newToken(familyID string) *jwt.Refresh {
	m.made++
	r := &jwt.Refresh{Digest: fmt.Sprint(m.made, " digest"), SessionID: familyID, Issued: m.now,
		ExpiresAt: m.now.Add(time.Duration(5+m.random.IntN(20)) * time.Minute)}
	if m.random.IntN(2) == 0 {
		r.Sealed = []byte(r.Digest)
	}
	return r
}

func (m *jwtModel) newFamily(user string) *jwt.Session {
	m.made++
	f := &jwt.Session{ID: fmt.Sprintf("%04d", m.made), UserID: user, Created: m.now, LastUsed: m.now}
	m.families = append(m.families, f)
	return f
}

func (m *jwtModel) start() { m.startWith(m.user(), nil) }

// adopt starts a family with a token of another system, which may have been adopted before.
func (m *jwtModel) adopt() {
	user := m.user()
	r := m.foreign[user]
	if r == nil || m.random.IntN(3) == 0 || !m.now.Before(r.ExpiresAt) {
		m.made++
		r = &jwt.Refresh{Digest: fmt.Sprint(m.made, " adopted"), Issued: m.now,
			ExpiresAt: m.now.Add(time.Duration(1+m.random.IntN(90)) * time.Minute)}
		m.foreign[user] = r
	}
	m.startWith(user, r)
}

func (m *jwtModel) startWith(user string, adopted *jwt.Refresh) {
	f := m.newFamily(user)
	first := m.newToken(f.ID)
	if adopted != nil && m.random.IntN(3) == 0 { // it stays good
		first.Digest, first.ExpiresAt = adopted.Digest, adopted.ExpiresAt
		adopted = first
	}
	f.ExpiresAt = first.ExpiresAt.Add(-time.Duration(m.random.IntN(3)) * time.Minute)
	limit, evict := m.random.IntN(4), m.random.IntN(2) == 0
	m.compare(fmt.Sprint("Start ", f.ID), func(s jwt.Store) (any, error) {
		return s.Start(context.Background(), f, first, adopted, limit, evict)
	})
	m.tokens = append(m.tokens, first)
	if adopted != nil && adopted != first {
		m.tokens = append(m.tokens, adopted)
	}
}

func (m *jwtModel) rotate() {
	old := m.token()
	next := m.newToken(old.SessionID)
	if old.SessionID == "" {
		next.SessionID = "none"
	}
	grace := []time.Duration{0, time.Minute}[m.random.IntN(2)]
	m.compare("Rotate "+old.Digest, func(s jwt.Store) (any, error) {
		return s.Rotate(context.Background(), old.Digest, m.now, grace, next)
	})
	m.tokens = append(m.tokens, next)
}

func (m *jwtModel) use() {
	old, ends := m.token(), m.now.Add(time.Duration(m.random.IntN(30))*time.Minute)
	m.compare("Use "+old.Digest, func(s jwt.Store) (any, error) {
		return s.Use(context.Background(), old.Digest, m.now, ends)
	})
}

func (m *jwtModel) find() {
	digest := m.token().Digest
	m.compare("Find "+digest, func(s jwt.Store) (any, error) {
		r, f, err := s.Find(context.Background(), digest)
		return []any{r, f}, err
	})
}

func (m *jwtModel) list() {
	user, limit := m.user(), m.random.IntN(4)
	m.compare("List "+user, func(s jwt.Store) (any, error) {
		all, err := s.List(context.Background(), user, "", limit, m.now)
		return append([]*jwt.Session{}, all...), err
	})
}

func (m *jwtModel) family() *jwt.Session {
	if len(m.families) == 0 {
		return m.newFamily("alice")
	}
	return m.families[max(0, len(m.families)-1-m.random.IntN(8))]
}

func (m *jwtModel) end() {
	f, user := m.family(), m.user()
	m.compare("End "+f.ID, func(s jwt.Store) (any, error) { return s.Revoke(context.Background(), user, f.ID, m.now) })
}

func (m *jwtModel) endAll() {
	user, kept := m.user(), []string{"", m.family().ID}[m.random.IntN(2)]
	m.compare("EndAll "+user+" but "+kept, func(s jwt.Store) (any, error) {
		ids, err := s.RevokeAll(context.Background(), user, kept, fmt.Sprint("stamp", m.made), m.now)
		return slices.Sorted(slices.Values(ids)), err
	})
}

func (m *jwtModel) revoked() {
	c := jwt.Claimed{UserID: m.user(), Generation: int64(m.random.IntN(3) - 1),
		IssuedAt: m.now.Add(-time.Duration(m.random.IntN(600)) * time.Second),
		Grace:    time.Duration(m.random.IntN(120)) * time.Second}
	r := m.token()
	if m.random.IntN(2) == 0 {
		c.SessionID = []string{m.family().ID, r.SessionID}[m.random.IntN(2)]
	}
	if m.random.IntN(2) == 0 {
		c.Digest = r.Digest
	}
	m.compare(fmt.Sprintf("Revoked %+v", c), func(s jwt.Store) (any, error) {
		return s.Revoked(context.Background(), c, m.now)
	})
}

func (m *jwtModel) purge() {
	m.compare("Purge", func(s jwt.Store) (any, error) { return s.Purge(context.Background(), m.now, 1000) })
}
