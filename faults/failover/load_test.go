package failover

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// credential is a token or a refresh token, and what the service acknowledged about it.
type credential struct {
	text  string
	state state
}

// state is what was acknowledged.
type state string

const (
	live    state = "live"
	ended   state = "ended"   // by a logout, or by the use of a refresh token
	unknown state = "unknown" // its end was asked for and not acknowledged, so it may have come or not
)

// ledger is what one user of a load was told.
type ledger struct {
	tokens, refreshes []*credential
}

// load has users that log in, use their tokens, log out and refresh at several instances, until stop.
type load struct {
	services []*service
	ledgers  []*ledger
	stopped  chan struct{}
	// losesSome says that the failover may lose what was acknowledged just before it. A check then has no wrong
	// verdict, and audit counts what is lost.
	losesSome bool
	running   sync.WaitGroup

	mu       sync.Mutex
	requests int
	refused  int           // answers with 503
	wrong    []string      // answers that no outage excuses
	first    time.Time     // when the first of them came
	last     time.Time     // when the last of them came
	slowest  time.Duration // the longest answer
}

// startLoad starts so many users. The load stops with the test at the latest.
func startLoad(t testing.TB, users int, services ...*service) *load {
	t.Helper()
	l := &load{services: services, stopped: make(chan struct{})}
	for i := range users {
		book := &ledger{}
		l.ledgers = append(l.ledgers, book)
		l.running.Go(func() { l.run(fmt.Sprint("user", i), book) })
	}
	t.Cleanup(l.stop)
	return l
}

// stop ends the load, and returns when no request is under way.
func (l *load) stop() {
	l.mu.Lock()
	select {
	case <-l.stopped:
	default:
		close(l.stopped)
	}
	l.mu.Unlock()
	l.running.Wait()
}

// answered returns how many answers came that were no 503.
func (l *load) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests - l.refused
}

// goesOn waits until so many more answers came that are no 503. Each of them may take as long as [until] waits.
func (l *load) goesOn(t testing.TB, more int) {
	t.Helper()
	for goal := l.answered() + more; l.answered() < goal; {
		before := l.answered()
		until(t, "an answer that is no 503", func() bool { return l.answered() > before })
	}
}

// pause is the time between two requests of a user. An outage that is told at once would otherwise make a busy loop.
const pause = 2 * time.Millisecond

// run is one user. Each round does one thing at a random instance.
func (l *load) run(user string, book *ledger) {
	next := time.NewTicker(pause)
	defer next.Stop()
	for {
		select {
		case <-l.stopped:
			return
		case <-next.C:
		}
		s := l.services[rand.N(len(l.services))]
		switch rand.N(8) {
		case 0:
			l.login(s, user, book)
		case 1:
			l.logout(s, book)
		case 2:
			l.pair(s, user, book)
		case 3:
			l.refresh(s, book)
		default:
			if c := pick(book.tokens); c != nil {
				l.wantCheck(s, c, true)
			}
		}
	}
}

// pick returns one of the credentials, or nil.
func pick(all []*credential) *credential {
	if len(all) == 0 {
		return nil
	}
	return all[rand.N(len(all))]
}

// count notes an answer, and reports whether it has a status that is wanted. 503 does not count at all.
func (l *load) count(what string, r reply, want ...int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests++
	l.slowest = max(l.slowest, r.took)
	if r.status == http.StatusServiceUnavailable {
		if l.refused++; l.refused == 1 {
			l.first = time.Now()
		}
		l.last = time.Now()
		return false
	}
	for _, status := range want {
		if r.status == status {
			return true
		}
	}
	l.wrong = append(l.wrong, fmt.Sprintf("%s: got %d %v, want %v or 503", what, r.status, r.body, want))
	return false
}

func (l *load) login(s *service, user string, book *ledger) {
	if r := s.login(user); l.count("login", r, 200) {
		book.tokens = append(book.tokens, &credential{r.text("token"), live})
	}
}

func (l *load) pair(s *service, user string, book *ledger) {
	if r := s.pair(user); l.count("pair", r, 200) {
		book.refreshes = append(book.refreshes, &credential{r.text("refresh"), live})
	}
}

func (l *load) logout(s *service, book *ledger) {
	c := pick(book.tokens)
	if c == nil || c.state != live {
		return
	}
	c.state = unknown
	want := []int{204}
	if l.losesSome {
		want = []int{204, 401}
	}
	if r := s.logout(c.text); l.count("logout", r, want...) && r.status == 204 {
		c.state = ended
	}
}

func (l *load) refresh(s *service, book *ledger) {
	c := pick(book.refreshes)
	if c == nil || c.state != live {
		return
	}
	c.state = unknown
	want := []int{200}
	if l.losesSome {
		want = []int{200, 401}
	}
	if r := s.refresh(c.text); l.count("refresh", r, want...) && r.status == 200 {
		c.state = ended
		book.refreshes = append(book.refreshes, &credential{r.text("refresh"), live})
	}
}

// wantCheck checks a token. What it finds out about an unknown one holds from then on, if learn is set.
func (l *load) wantCheck(s *service, c *credential, learn bool) {
	want := map[state][]int{live: {200}, ended: {401}, unknown: {200, 401}}[c.state]
	if l.losesSome {
		want = []int{200, 401}
	}
	r := s.check(c.text)
	if !l.count("check of a token that is "+string(c.state), r, want...) || c.state != unknown || !learn {
		return
	}
	if c.state = ended; r.status == 200 {
		c.state = live
	}
}

// losses is what was acknowledged and is not so any more.
type losses struct {
	checked  int
	lost     int // live tokens that are refused
	revived  int // tokens that were ended and are good
	families int // live refresh tokens that are refused
	reusable int // refresh tokens that were used and give a successor again
}

func (l losses) String() string {
	return fmt.Sprintf("of %d checked: %d logins, %d ends of tokens, %d refresh tokens, %d uses of refresh tokens",
		l.checked, l.lost, l.revived, l.families, l.reusable)
}

// audit stops the load and compares every credential with what was acknowledged, at all instances in turn. It uses up
// the refresh tokens. An outage is an error.
func (l *load) audit(t testing.TB) losses {
	t.Helper()
	l.stop()
	var found losses
	next := func() *service { return l.services[found.checked%len(l.services)] }
	answer := func(r reply, yes int) bool {
		t.Helper()
		found.checked++
		if r.status != yes && r.status != 401 {
			t.Errorf("got %d %v, want %d or 401", r.status, r.body, yes)
		}
		return r.status == yes
	}
	for _, book := range l.ledgers {
		for _, c := range book.tokens {
			switch good := answer(next().check(c.text), 200); {
			case c.state == live && !good:
				found.lost++
			case c.state == ended && good:
				found.revived++
			}
		}
		for _, c := range book.refreshes { // a used one ends its family, so those that are live come first
			if c.state == live && !answer(next().refresh(c.text), 200) {
				found.families++
			}
		}
		for _, c := range book.refreshes {
			if c.state == ended && answer(next().refresh(c.text), 200) {
				found.reusable++
			}
		}
	}
	return found
}

// wantNothingLost fails the test unless all that was acknowledged is still so.
func (l *load) wantNothingLost(t testing.TB) {
	t.Helper()
	found := l.audit(t)
	if found != (losses{checked: found.checked}) || found.checked == 0 {
		t.Errorf("got %+v, want that nothing is lost", found)
	}
}

// report fails the test if an answer was wrong, and returns a line of the table.
func (l *load) report(t testing.TB) string {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, wrong := range l.wrong {
		if i == 10 {
			t.Errorf("and %d more", len(l.wrong)-i)
			break
		}
		t.Error(wrong)
	}
	if l.slowest > answerIn+time.Second {
		t.Errorf("an answer took %v, want at most %v", l.slowest, answerIn)
	}
	return fmt.Sprintf("%d requests, %d of them 503 within %v, slowest answer %v", l.requests, l.refused,
		l.last.Sub(l.first).Round(time.Millisecond), l.slowest.Round(time.Millisecond))
}
