package faults

import (
	"net/http"
	"time"
)

// A ledger is the credentials of all workers, each with what was acknowledged. What follows compares answers with it.

// checked compares the answer to a check with what is known of the credential.
func (w *worker) checked(c *credential, at *slot, a answer) {
	switch {
	case a.outage():
	case a.status == http.StatusOK && c.state == ended && !w.mayBeStale(c, at, a):
		w.revived(c, "it is accepted %v after its end", a.began.Sub(c.endedAt))
	case a.status == http.StatusUnauthorized && c.state == live:
		w.lost(c, "it is refused: %s", a.body)
		c.end(at, a)
	case a.status == http.StatusUnauthorized && c.state == unsure:
		c.end(at, a)
	}
}

// end notes the end of a credential.
func (c *credential) end(at *slot, a answer) {
	if c.state != ended {
		c.state, c.endedAt, c.endedBy = ended, a.ended, at
	}
}

// mayBeStale reports whether an instance may not have been told yet of an end at another one.
func (w *worker) mayBeStale(c *credential, at *slot, a answer) bool {
	return at != c.endedBy && a.began.Sub(c.endedAt) < w.load.bound
}

// ending compares the answer to a request that ends a credential.
func (w *worker) ending(c *credential, at *slot, a answer) {
	switch {
	case a.unsent():
	case a.outage() && c.state == live:
		c.state = unsure
	case a.outage():
	case a.status == http.StatusUnauthorized && c.refreshUnsure:
		c.state = unsure // the token that should end it was used already
	case a.status == http.StatusUnauthorized && c.state == live:
		w.lost(c, "its end is refused: %s", a.body)
		c.end(at, a)
	case a.status < 300 && c.refreshUnsure && c.kind.endsQuietly:
		c.state = unsure // the answer says nothing of a token that was used already
	default:
		c.end(at, a)
	}
}

// refreshed compares the answer to the use of its refresh token.
func (w *worker) refreshed(c *credential, at *slot, a answer) {
	switch {
	case a.unsent():
	case a.outage():
		if c.refreshUnsure && c.state == live {
			c.state = unsure // if the first use counted, then the second one ended all
		}
		c.refreshUnsure = true
	case a.status == http.StatusOK:
		if c.state == ended {
			w.revived(c, "it was refreshed %v after its end", a.began.Sub(c.endedAt))
		}
		c.refreshUnsure = false
		c.take(a)
		w.load.stats.count(&w.load.stats.refreshes)
	case a.status == c.kind.refused:
		if c.state == live && !c.refreshUnsure {
			w.lost(c, "its refresh token is refused: %s", a.body)
		}
		c.end(at, a)
	}
}

// lost and revived are the two faults that a client notices.
func (w *worker) lost(c *credential, format string, values ...any) {
	w.load.stats.count(&w.load.stats.lost)
	w.load.stats.fault(c.kind.name+" of "+c.user+" that was acknowledged: "+format, values...)
}

func (w *worker) revived(c *credential, format string, values ...any) {
	w.load.stats.count(&w.load.stats.revived)
	w.load.stats.fault(c.kind.name+" of "+c.user+" that has ended: "+format, values...)
}

// check asks for the user of a credential.
func (w *worker) check(c *credential, at *slot) answer {
	r := request{method: "GET", path: "/api/me", header: c.header}
	a := w.send(at, r, "a check of a "+c.kind.name, 200, 401)
	w.checked(c, at, a)
	return a
}

// introspect asks what a token of a machine is good for.
func (w *worker) introspect(c *credential, at *slot) {
	a := w.send(at, introspectRequest("demo-job", c.access), "an introspection", 200)
	if a.status == http.StatusOK {
		var active struct{ Active bool }
		decode(a.body, &active)
		if !active.Active {
			a.status = http.StatusUnauthorized
		}
	}
	w.checked(c, at, a)
}

// stop asks for the end of a credential.
func (w *worker) stop(c *credential, at *slot) {
	statuses := []int{200, 204}
	if c.state != live || c.refreshUnsure {
		statuses = append(statuses, 401)
	}
	c.batch = 0 // from now on it may differ from the others
	w.ending(c, at, w.send(at, c.kind.end(c), "the end of a "+c.kind.name, statuses...))
}

// refresh uses the refresh token of a credential.
func (w *worker) refresh(c *credential, at *slot) {
	a := w.send(at, c.kind.refresh(c.refresh), "a refresh of a "+c.kind.name, 200, c.kind.refused)
	c.batch = 0
	w.refreshed(c, at, a)
}

// twice uses one refresh token at two instances at once. At most one is answered with a successor, and the login ends.
func (w *worker) twice(c *credential) {
	c.batch = 0
	var answers [2]answer
	places := [2]*slot{w.pick(), w.pick()}
	second := make(chan answer)
	use := func(at *slot) answer {
		return w.send(at, c.kind.refresh(c.refresh), "one of two refreshes of a "+c.kind.name, 200, c.kind.refused)
	}
	go func() { second <- use(places[1]) }()
	answers[0], answers[1] = use(places[0]), <-second
	good, unclear := 0, false
	for _, a := range answers {
		if a.status == http.StatusOK {
			good++
		}
		unclear = unclear || a.outage()
	}
	if good > 1 {
		w.revived(c, "one refresh token was used twice")
	}
	if unclear {
		c.refreshUnsure, c.state = true, unsure
		return
	}
	last := answers[0]
	if answers[1].ended.After(last.ended) {
		last = answers[1]
	}
	c.end(nil, last)
}

// stopAll asks for the end of all knox tokens, or of all JWTs, of the worker's user, which no other worker may have.
func (w *worker) stopAll(k *kind, at *slot) {
	var all []*credential
	for _, c := range w.held {
		if c.kind == k && c.state != ended {
			all = append(all, c)
		}
	}
	i := len(all) - 1
	for i >= 0 && all[i].state != live {
		i--
	}
	if i < 0 {
		return
	}
	path := map[*kind]string{knoxKind: "/auth/logoutall/", jwtKind: "/api/token/logoutall/"}[k]
	r := request{method: "POST", path: path, header: all[i].header}
	a := w.send(at, r, "the end of every "+k.name, 200, 204, 401)
	w.load.batches.Add(1)
	batch := int(w.load.batches.Load())
	for _, c := range all {
		switch {
		case a.unsent():
		case a.status == http.StatusUnauthorized:
			w.checked(all[i], at, a)
		case a.outage() && c.state == live:
			c.state, c.batch = unsure, batch
		case a.outage():
			c.batch = 0
		default:
			c.end(at, a)
		}
	}
}

// expired reports whether a credential may have ended by its age, so that no answer is a surprise.
func (c *credential) expired() bool { return time.Since(c.made) > c.kind.lifetime }
