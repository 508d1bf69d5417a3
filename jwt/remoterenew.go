package jwt

import (
	"context"
	"time"
)

// miss is when an identifier was looked for in vain, and for how long it is not
// looked for again.
type miss struct {
	at   time.Time
	wait time.Duration
}

// maxMissing is how many unknown identifiers are remembered.
const maxMissing = 1000

// missingFor is for how many cool-downs, at most, an identifier that was not
// found is not looked for again.
const missingFor = 4

// Renew implements [KeySource]: it fetches, but at most once in CoolDown, and
// not for an identifier that was looked for a while ago. With Patience it waits for the end
// of CoolDown instead. It is an error if the last fetch failed, because such a key may have
// been published since, and if 1,000 requests wait already.
func (k *RemoteKeys) Renew(ctx context.Context, id string, now time.Time) (*KeySet, error) {
	set, err := k.usable(now)
	if err == nil && (set.has(id) || k.isMissing(id, now)) {
		return set, nil
	}
	set, err = k.lookFor(ctx, now, func(set *KeySet) bool { return set.has(id) })
	if err == nil && !set.has(id) {
		k.miss(id, now)
	}
	return set, err
}

// lookFor fetches the keys, at most once in CoolDown, until found says that the one that
// was looked for is there. It returns the keys it has by then.
func (k *RemoteKeys) lookFor(ctx context.Context, now time.Time, found func(*KeySet) bool) (*KeySet, error) {
	under, mine, err := k.begin(ctx, now)
	if err == nil {
		err = k.join(ctx, under)
	}
	if err != nil {
		return nil, err
	}
	set, err := k.usable(now)
	if err != nil || mine || found(set) {
		return set, err
	}
	// The fetch that decided began before the token came. The key may be younger.
	if err := k.waitForNextFetch(ctx, now); err != nil {
		return nil, err
	}
	return k.usable(now)
}

func (k *RemoteKeys) isMissing(id string, now time.Time) bool {
	if k.config.Patience > 0 {
		return false // the caller waits instead
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m, ok := k.missing[id]
	return ok && within(now, m.at, m.wait) && k.failure == nil
}

// miss remembers that there is no such key, if it was looked for just now: for
// CoolDown at first, as the key may be about to be published, and for twice as
// long each time.
func (k *RemoteKeys) miss(id string, now time.Time) {
	if k.config.Patience > 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	m, again := k.missing[id]
	if now.After(k.tried) || again && m.at.Equal(k.tried) { // held back, or counted
		return
	}
	if !again && len(k.missing) >= maxMissing {
		clear(k.missing)
	}
	k.missing[id] = miss{k.tried, min(max(2*m.wait, k.config.CoolDown), missingFor*k.config.CoolDown)}
}
