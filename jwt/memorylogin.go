package jwt

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// A million logins in a MemoryStore are a million of what is here, so these records are
// linked to each other and have no maps and slices of their own.

// login is a family with its tokens.
type login struct {
	family     *Family // replaced, never changed
	of         *owner
	prev, next *login    // of the same owner
	oldest     *token    // the first one that was put
	newest     *token    // the last one
	until      time.Time // from then on, the login and its tokens can be of no use: see Store.Purge
	adopted    time.Time // until then, an adopted token must be known again, zero without one
}

// token is a refresh token of a login.
type token struct {
	refresh *Refresh // replaced, never changed
	of      *login
	next    *token // the one that was put after it
}

// owner is a user with logins, or with something that is void.
type owner struct {
	logins     *login // all, in no order
	count      int    // of logins
	generation int64
	voided     time.Time // everything until then is void that is of no generation
}

// live returns the logins that are live at now. The nil owner has no logins.
func (o *owner) live(now time.Time) iter.Seq[*login] {
	return func(yield func(*login) bool) {
		if o == nil {
			return
		}
		for l := o.logins; l != nil; l = l.next {
			if l.family.Live(now) && !yield(l) {
				return
			}
		}
	}
}

// surplus returns the logins that must end so that one more makes at most limit, the
// oldest first. A limit of 0 is no limit.
func (o *owner) surplus(now time.Time, limit int) []*login {
	if o == nil || limit <= 0 || o.count < limit {
		return nil
	}
	live := slices.Collect(o.live(now))
	if len(live) < limit {
		return nil
	}
	slices.SortFunc(live, func(a, b *login) int {
		return cmp.Or(a.family.Created.Compare(b.family.Created), cmp.Compare(a.family.ID, b.family.ID))
	})
	return live[:len(live)-limit+1]
}

// end ends a login, if it has not ended yet. It is then kept for a shorter time.
func (s *MemoryStore) end(l *login, now time.Time) {
	if !l.family.RevokedAt.IsZero() {
		return
	}
	ended := *l.family
	ended.RevokedAt = now
	l.family = &ended
	until := now.Add(KeepEnded)
	if l.adopted.After(until) {
		until = l.adopted
	}
	if until.Before(l.until) {
		l.until = until
		s.queue.Add(ended.ID)
	}
}

// replace sets the family.
func (l *login) replace(family *Family) {
	l.family = family
	l.keep(family.ExpiresAt)
}

// keep has the login stay until then, at least.
func (l *login) keep(until time.Time) {
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

// add adds a login without tokens.
func (s *MemoryStore) add(family *Family) *login {
	o := s.owner(family.UserID)
	l := &login{of: o, next: o.logins}
	l.replace(family)
	if o.logins != nil {
		o.logins.prev = l
	}
	o.logins = l
	o.count++
	s.logins[family.ID] = l
	return l
}

// put adds a token to a login.
func (s *MemoryStore) put(l *login, r *Refresh) {
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

// forget removes tokens of a login that are of no use any more: the oldest ones, which
// are the first to expire. Looking at all of them would cost more with every refresh.
func (s *MemoryStore) forget(l *login, now time.Time) {
	for l.oldest != nil && !now.Before(l.oldest.refresh.ExpiresAt.Add(KeepExpired)) {
		delete(s.tokens, l.oldest.refresh.Digest)
		l.oldest = l.oldest.next
	}
	if l.oldest == nil {
		l.newest = nil
	}
}

// remove removes a login and its tokens. What is void for its owner stays.
func (s *MemoryStore) remove(l *login) {
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
		o.logins = l.next
	}
	o.count--
	delete(s.logins, l.family.ID)
	if o.logins == nil && o.generation == 0 && o.voided.IsZero() {
		delete(s.owners, l.family.UserID)
	}
}
