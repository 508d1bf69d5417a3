package password

import (
	"context"
	"slices"
	"time"
)

// outcome is a try that has ended: what was found out about it, and then what became of it as it
// was written.
type outcome struct {
	try    *try
	userID string // of the user with that name, or "" if there is none
	right  bool   // the password is the user's
	now    time.Time

	keys  []counterKey // those of the try first, and then of the user and the known address
	user  int          // the index in keys of the counter of the user, or -1 if it does not count
	known int          // the index in keys of the counter of the known address, or -1 if it stays as it is

	// What write says of it. The last call counts.
	blocked *block // a counter of the try was blocked meanwhile
	hidden  *block // the counter of the user is blocked
	budgets []int  // of the keys of the try by now
}

// decide writes the outcome of a try: whether the password was right, and of which user,
// where userID is "" if there is no user of that name. It returns an error if a counter was
// blocked meanwhile, whatever the password, and nil if the outcome stands.
func (t *throttle) decide(ctx context.Context, tr *try, userID string, right bool) error {
	o := t.outcomeOf(tr, userID, right)
	read := t.queue.beginRead(tr.keys)
	defer t.queue.endRead(read)
	err := t.store.Update(ctx, storeKeys(o.keys), o.now, func(counters []Counter) { t.write(o, counters) })
	if err != nil {
		if right {
			t.queue.leave(tr.queued)
		} else {
			t.queue.endLater(tr.queued, t.limits.MaxDelay)
		}
		return outage("throttle store", err)
	}
	t.queue.settled(tr.queued, read, o.budgets, o.failed())
	return o.refusal()
}

// outcomeOf returns the outcome of a try that ends now, before it is written.
func (t *throttle) outcomeOf(tr *try, userID string, right bool) *outcome {
	o := &outcome{try: tr, userID: userID, right: right, now: storeNow(), user: -1, known: -1,
		keys: slices.Clone(tr.keys), budgets: make([]int, len(tr.keys))}
	if tr.counts(byName) {
		o.user = len(o.keys)
		o.keys = append(o.keys, t.user(tr.source, userID))
	}
	if key, ok := t.known(tr.source); ok && right {
		if o.known = slices.Index(o.keys, key); o.known < 0 {
			o.known = len(o.keys)
			o.keys = append(o.keys, key)
		}
	}
	return o
}

// write changes the counters of o.keys as the outcome says. A try that was blocked meanwhile
// changes nothing.
func (t *throttle) write(o *outcome, counters []Counter) {
	o.blocked, o.hidden = nil, nil
	for i, k := range o.try.keys {
		o.blocked = t.later(o.blocked, k.kind, counters[i], o.now)
	}
	if o.user >= 0 {
		o.hidden = t.later(nil, byUser, counters[o.user], o.now)
	}
	if o.failed() {
		t.countFailure(o, counters)
	} else if o.blocked == nil {
		t.forgive(o, counters)
	}
	for i, k := range o.try.keys {
		o.budgets[i] = t.budget(k.kind, counters[i], o.now)
	}
}

// failed reports whether the try counts as a failure. A right password counts as one, too, if the
// counter of its user is blocked.
func (o *outcome) failed() bool { return o.blocked == nil && (!o.right || o.hidden != nil) }

// refusal returns the error for a try that was blocked, or nil.
func (o *outcome) refusal() error {
	switch {
	case o.blocked != nil:
		return o.blocked.refusal(o.now)
	case o.hidden != nil:
		return o.hidden.hidden(o.userID)
	}
	return nil
}

// countFailure counts a failure in all counters but that of the known address, which a try with a
// right password has, and that of the user if it is blocked.
func (t *throttle) countFailure(o *outcome, counters []Counter) {
	for i, k := range o.keys {
		if i == o.known || i == o.user && o.hidden != nil {
			continue
		}
		counters[i] = t.failed(k.kind, counters[i], o.now)
	}
}

// forgive is what a login does: its address is known from now on, and the failures are forgiven
// that were counted for this user at this address or on this device. All others stay.
// Strangers may have made those of the account, and somebody with an account of their own could
// clear those of an address between guesses at others'.
func (t *throttle) forgive(o *outcome, counters []Counter) {
	for i, k := range o.keys {
		switch {
		case i == o.known:
			counters[i] = t.nowKnown(counters[i], o.now)
		case k.kind == byDevice:
			counters[i] = Counter{}
		}
	}
}

// user returns the key of the counter of a user. Names of no user have one, too, so that the
// store is asked the same of all.
func (t *throttle) user(s source, id string) counterKey {
	if id == "" {
		return t.counterOf(byUser, "no user:"+s.folded())
	}
	return t.counterOf(byUser, "id:"+id)
}

func (tr *try) counts(kind counterKind) bool {
	return slices.ContainsFunc(tr.keys, func(k counterKey) bool { return k.kind == kind })
}
