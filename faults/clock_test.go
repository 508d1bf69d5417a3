package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// fastDemo is a demo with a clock that is ahead. Go asks the kernel for the time without a library that could be
// replaced, and Linux gives no process another time of day. So the binary is built with another time.Now. Its timers
// are those of the machine.
var fastDemo = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "gatewarden-clock-")
	if err != nil {
		return "", err
	}
	removeAfterTests(folder)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	begin := regexp.MustCompile(`func Now\(\) Time \{\n\tsec, nsec, mono := \w+\(\)\n`).FindIndex(text)
	if begin == nil {
		return "", errors.New("time.Now of this version of Go reads the clock in another way")
	}
	ahead := string(text[:begin[1]]) + fmt.Sprintf("\tsec += %d\n", skew/time.Second) + string(text[begin[1]:])
	changed, overlay := filepath.Join(folder, "time.go"), filepath.Join(folder, "overlay.json")
	names, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	err = errors.Join(err, os.WriteFile(changed, []byte(ahead), 0o600), os.WriteFile(overlay, names, 0o600))
	if err != nil {
		return "", err
	}
	return buildDemo("-overlay", overlay)
})

const (
	skew   = 120 * time.Second
	leeway = skew + 5*time.Second
	ttl    = 10 * time.Second
)

// withFast starts an instance, and another one on the same database with a clock that is ahead. It is for the long
// form, because the compiler takes minutes for another package time.
func withFast(t *testing.T, s *server, flags ...string) *load {
	t.Helper()
	if !full {
		t.Skip("the long form has it: GATEWARDEN_FAULTS=full")
	}
	fast, err := fastDemo()
	if err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, s.address).with("-jwt-leeway", leeway.String()).with(flags...)
	l := newLoad(t, s, p.start(t), p.built(fast).start(t))
	l.skewed = true
	return l
}

// TestUnitClocks has two instances with clocks that differ by two minutes.
func TestUnitClocks(t *testing.T) {
	onEach(t, "instances whose clocks differ keep what was acknowledged", func(t *testing.T, e engine) {
		l := withFast(t, e.shared(t))
		l.begin()
		l.more(2000)
		l.finish()
		l.settle()
		l.codesElsewhere()
		l.stats.verdict(t, "clocks differ by two minutes", e.name, "")
	})
}

// TestUnitClocksExpiry waits for the expiry of tokens at two such instances.
func TestUnitClocksExpiry(t *testing.T) {
	onEach(t, "a token lives two minutes longer at most if clocks differ by as much", func(t *testing.T, e engine) {
		l := withFast(t, e.shared(t), "-token-ttl", ttl.String(), "-jwt-access-ttl", ttl.String())
		l.expiries()
		l.stats.verdict(t, "expiry, and clocks differ by two minutes", e.name, "")
	})
}

// codesElsewhere takes codes to the other instance. One of the instance that is behind has expired at the other one,
// since it lives for a minute, and its user has to begin again. The other way round it works.
func (l *load) codesElsewhere() {
	w, slow, ahead := l.workers[0], l.slots[0], l.slots[1]
	for _, row := range []struct {
		from, to *slot
		want     int
	}{{slow, ahead, 400}, {ahead, slow, 200}} {
		a := w.send(row.from, authorizeRequest(w.session), "a question for a code", 303)
		w.send(row.to, redeemRequest(codeOf(a)), "a code of the other instance", row.want)
	}
}

// expiries asks for tokens of both instances until they have expired at both.
func (l *load) expiries() {
	w, slow, ahead := l.workers[0], l.slots[0], l.slots[1]
	for _, row := range []struct {
		kind        *kind
		from, to    *slot
		least, most time.Duration // that it is accepted, by the time of this machine
	}{
		{knoxKind, slow, slow, 0, ttl}, // the other instance may purge it before
		{knoxKind, slow, ahead, 0, 0},
		{knoxKind, ahead, ahead, ttl, ttl},
		{knoxKind, ahead, slow, ttl, ttl + skew}, // or until the other instance purges it
		{jwtKind, slow, ahead, ttl + leeway - skew, ttl + leeway - skew},
		{jwtKind, slow, slow, ttl + leeway, ttl + leeway},
	} {
		l.running.Go(func() { w.outlive(row.kind, row.from, row.to, row.least, row.most) })
	}
	l.running.Wait()
}

// outlive asks one instance for a token of another, until it is refused.
func (w *worker) outlive(k *kind, from, to *slot, least, most time.Duration) {
	before := time.Now()
	c, a := k.issue(w, from)
	if a.status != http.StatusOK {
		w.load.stats.fault("no %s: %d %s", k.name, a.status, a.body)
		return
	}
	const slack = 3 * time.Second // of a busy machine
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		a := w.send(to, request{method: "GET", path: "/api/me", header: c.header}, "a check of a "+k.name, 200, 401)
		if a.status == http.StatusUnauthorized {
			if lived := a.ended.Sub(before); lived < least-slack {
				w.load.stats.fault("a %s is refused after %v, want %v at least", k.name, lived, least)
			}
			return
		}
		if lived := a.began.Sub(before); lived > most+slack {
			w.load.stats.fault("a %s is accepted after %v, want %v at most", k.name, lived, most)
			return
		}
		<-tick.C
	}
}
