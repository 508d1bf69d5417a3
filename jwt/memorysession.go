package jwt

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/gatewarden/auth/internal/expiry"
)

// A million sessions in a MemoryStore are a million of what is here, so these records are
// linked to each other and have no maps and slices of their own.

// storedSession is a session with its tokens.
type storedSession struct {
	session    *Session // replaced, never changed
	of         *owner
	prev, next *storedSession // of the same owner
	oldest     *token         // the first one that was put
	newest     *token         // the last one
	until      time.Time      // from then on, the session and its tokens can be of no use: see Store.Purge
	adopted    time.Time      // until then, an adopted token must be known again, zero without one
}

// token is a refresh token of a session.
type token struct {
	refresh *Refresh // replaced, never changed
	of      *storedSession
	next    *token // the one that was put after it
}

// owner is a user with sessions, or with something that is void.
type owner struct {
	sessions   *storedSession // all, in no order
	count      int            // of sessions
	generation int64
	voided     time.Time // everything until then is void that is of no generation
}

// List implements [Store].
func (s *MemoryStore) List(ctx context.Context, userID, after string, limit int, now time.Time) ([]*Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []*Session
	for l := range s.owners[userID].live(now) {
		if after == "" || l.session.ID < after {
			page = append(page, l.session)
		}
	}
	slices.SortFunc(page, func(a, b *Session) int { return cmp.Compare(b.ID, a.ID) })
	return slices.Clone(page[:min(limit, len(page))]), nil
}

// Revoke implements [Store].
func (s *MemoryStore) Revoke(ctx context.Context, userID, id string, now time.Time) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.sessions[id]
	if l == nil || l.session.UserID != userID || !l.session.Live(now) {
		return false, nil
	}
	s.end(l, now)
	return true, nil
}

// RevokeAll implements [Store].
func (s *MemoryStore) RevokeAll(ctx context.Context, userID, kept, stamp string, now time.Time) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.owner(userID)
	var ids []string
	for l := range o.live(now) {
		if l.session.ID == kept {
			stamped := *l.session
			stamped.Stamp = stamp
			l.session = &stamped
			continue
		}
		s.end(l, now)
		ids = append(ids, l.session.ID)
	}
	if o.voided = now; kept == "" {
		o.generation++
	}
	return ids, nil
}

// Purge implements [Store]. Others have their turn meanwhile.
func (s *MemoryStore) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return expiry.PurgeAll(ctx, limit, expiry.Step(&s.mu, s.queue, now, func(id string) { s.remove(s.sessions[id]) }))
}

// live returns the sessions that are live at now. The nil owner has no sessions.
func (o *owner) live(now time.Time) iter.Seq[*storedSession] {
	return func(yield func(*storedSession) bool) {
		if o == nil {
			return
		}
		for l := o.sessions; l != nil; l = l.next {
			if l.session.Live(now) && !yield(l) {
				return
			}
		}
	}
}

// surplus returns the sessions that must end so that one more makes at most limit, the
// oldest first. A limit of 0 is no limit.
func (o *owner) surplus(now time.Time, limit int) []*storedSession {
	if o == nil || limit <= 0 || o.count < limit {
		return nil
	}
	live := slices.Collect(o.live(now))
	if len(live) < limit {
		return nil
	}
	slices.SortFunc(live, func(a, b *storedSession) int {
		return cmp.Or(a.session.Created.Compare(b.session.Created), cmp.Compare(a.session.ID, b.session.ID))
	})
	return live[:len(live)-limit+1]
}

// end ends a session, if it has not ended yet. It is then kept for a shorter time.
func (s *MemoryStore) end(l *storedSession, now time.Time) {
	if !l.session.RevokedAt.IsZero() {
		return
	}
	ended := *l.session
	ended.RevokedAt = now
	l.session = &ended
	until := now.Add(KeepEnded)
	if l.adopted.After(until) {
		until = l.adopted
	}
	if until.Before(l.until) {
		l.until = until
		s.queue.Add(ended.ID)
	}
}

// replace sets the session.
func (l *storedSession) replace(session *Session) {
	l.session = session
	l.keep(session.ExpiresAt)
}

// keep has the session stay until then, at least.
func (l *storedSession) keep(until time.Time) {
	if until.After(l.until) {
		l.until = until
	}
}

// generation returns the generation of a user.
func (s *MemoryStore) generation(userID string) int64 {
	if o := s.owners[userID]; o != nil {
		return o.generation
	}
	return 0
}

// owner returns the owner with this identifier, a new one if need be.
func (s *MemoryStore) owner(userID string) *owner {
	o := s.owners[userID]
	if o == nil {
		o = &owner{}
		s.owners[userID] = o
	}
	return o
}

// add adds a session without tokens.
func (s *MemoryStore) add(session *Session) *storedSession {
	o := s.owner(session.UserID)
	l := &storedSession{of: o, next: o.sessions}
	l.replace(session)
	if o.sessions != nil {
		o.sessions.prev = l
	}
	o.sessions = l
	o.count++
	s.sessions[session.ID] = l
	return l
}

// put adds a token to a session.
func (s *MemoryStore) put(l *storedSession, r *Refresh) {
	t := &token{refresh: r, of: l}
	if l.newest == nil {
		l.oldest = t
	} else {
		l.newest.next = t
	}
	l.newest = t
	s.tokens[r.Digest] = t
	l.keep(r.ExpiresAt.Add(KeepExpired))
}

// forget removes tokens of a session that are of no use any more: the oldest ones, which
// are the first to expire. Looking at all of them would cost more with every refresh.
func (s *MemoryStore) forget(l *storedSession, now time.Time) {
	for l.oldest != nil && !now.Before(l.oldest.refresh.ExpiresAt.Add(KeepExpired)) {
		delete(s.tokens, l.oldest.refresh.Digest)
		l.oldest = l.oldest.next
	}
	if l.oldest == nil {
		l.newest = nil
	}
}

// remove removes a session and its tokens. What is void for its owner stays.
func (s *MemoryStore) remove(l *storedSession) {
	for t := l.oldest; t != nil; t = t.next {
		delete(s.tokens, t.refresh.Digest)
	}
	o := l.of
	if l.next != nil {
		l.next.prev = l.prev
	}
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		o.sessions = l.next
	}
	o.count--
	delete(s.sessions, l.session.ID)
	if o.sessions == nil && o.generation == 0 && o.voided.IsZero() {
		delete(s.owners, l.session.UserID)
	}
}
