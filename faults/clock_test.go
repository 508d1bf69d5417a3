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

// fastDemo is a demo whose clock is ahead. Go asks the kernel for the time without a library that could be replaced, and
// Linux gives no process another time of day. So the binary is built with another time.Now. Its timers are those of the
// machine.
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
	if err := errors.Join(err, os.WriteFile(changed, []byte(ahead), 0o600), os.WriteFile(overlay, names, 0o600)); err != nil {
		return "", err
	}
	return buildDemo("-overlay", overlay)
})

// TestUnitClocks has two instances whose clocks differ by two minutes. It is for the long form only, since the compiler
// takes minutes for another package time.
func TestUnitClocks(t *testing.T) {
	if !full {
		t.Skip("the long form has it: GATEWARDEN_FAULTS=full")
	}
	t.Parallel()
	fast, err := fastDemo()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		t.Run("instances whose clocks differ by two minutes keep what was acknowledged: "+e.name, func(t *testing.T) {
			t.Parallel()
			s := e.shared(t)
			p := newProgram(t, s.address).with("-jwt-leeway", leeway.String())
			l := newLoad(t, s, p.start(t), p.built(fast).start(t))
			l.ownCodes = true // since a code lives for a minute only: see codesElsewhere
			l.begin()
			l.more(2000)
			l.finish()
			l.settle()
			l.codesElsewhere()
			l.stats.verdict(t, "clocks differ by two minutes", e.name, "")
		})
		t.Run("a token lives at most two minutes longer if clocks differ by as much: "+e.name, func(t *testing.T) {
			t.Parallel()
			s := e.shared(t)
			p := newProgram(t, s.address).with("-token-ttl", ttl.String(), "-jwt-access-ttl", ttl.String(),
				"-jwt-leeway", leeway.String())
			l := newLoad(t, s, p.start(t), p.built(fast).start(t))
			l.expiries()
			l.stats.verdict(t, "expiry, and clocks differ by two minutes", e.name, "")
		})
	}
}

const (
	skew   = 120 * time.Second
	leeway = skew + 5*time.Second
	ttl    = 10 * time.Second
)

// codesElsewhere takes codes to the other instance. One of the instance that is behind has expired at the other one,
// where its user has to begin again. The other way round it works.
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
		kind     *kind
		from, to *slot
		lives    time.Duration // of the token, by the time of this machine
	}{
		{knoxKind, slow, slow, ttl},
		{knoxKind, slow, ahead, 0},
		{knoxKind, ahead, ahead, ttl},
		{knoxKind, ahead, slow, ttl + skew},
		{jwtKind, slow, ahead, ttl + leeway - skew},
		{jwtKind, slow, slow, ttl + leeway},
	} {
		l.running.Go(func() { w.outlive(row.kind, row.from, row.to, row.lives) })
	}
	l.running.Wait()
}

// outlive asks one instance for a token of another, until it is refused, which must be after lives.
func (w *worker) outlive(k *kind, from, to *slot, lives time.Duration) {
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
			if lived := a.ended.Sub(before); lived < lives-slack {
				w.load.stats.fault("a %s is refused after %v, want %v", k.name, lived, lives)
			}
			return
		}
		if lived := a.began.Sub(before); lived > lives+slack {
			w.load.stats.fault("a %s is accepted after %v, want %v at most", k.name, lived, lives)
			return
		}
		<-tick.C
	}
}
