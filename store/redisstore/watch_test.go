package redisstore

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/testserver"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
)

// pushTest is two instances with caches on a server of the test's own.
type pushTest struct {
	t             *testing.T
	node          *testserver.Node
	first, second *DB
}

// heardWithin is how long a revocation may take until another instance knows, at most. The caches keep records for a
// minute, so nothing is forgotten by time alone.
const heardWithin = 2 * time.Second

func newPushTest(t *testing.T) *pushTest {
	t.Helper()
	p := &pushTest{t: t, node: testserver.NewRedis(t)}
	p.first, p.second = p.open("first"), p.open("second")
	return p
}

// open opens an instance. Its connections have a name.
func (p *pushTest) open(name string) *DB {
	p.t.Helper()
	option, err := rueidis.ParseURL(p.node.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	option.ClientName = name
	db, err := Open(p.t.Context(), option, Config{Timeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(db.Close)
	return db
}

// commands returns how many commands of stores the server has run.
func (p *pushTest) commands() int {
	p.t.Helper()
	info, _ := p.node.Do(p.t, "INFO", "commandstats").(string)
	total := 0
	for line := range strings.Lines(info) {
		var calls int
		name, rest, ok := strings.Cut(line, ":")
		if _, err := fmt.Sscanf(rest, "calls=%d,", &calls); !ok || err != nil {
			continue
		}
		switch name, _, _ := strings.Cut(strings.TrimPrefix(name, "cmdstat_"), "|"); name {
		case "ping", "info", "auth", "hello", "client", "quit": // of watch and of this test
		default:
			total += calls
		}
	}
	return total
}

// until polls until ok is true, for as long as within, and fails with what if it never is.
func (p *pushTest) until(what string, within time.Duration, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(within); ; {
		began := time.Now()
		if ok() {
			return
		}
		if began.After(deadline) {
			p.t.Fatalf("got no %s within %v", what, within)
		}
	}
}

// hot is a token or a session that both instances use.
type hot struct {
	find [2]func() (bool, error) // reports whether it is good, by instance
	// The first instance does these.
	touch, revoke func() error
	key           string // of the record
}

// hots are the cases of the tests.
var hots = map[string]func(p *pushTest) hot{
	"a token of knox": (*pushTest).hotKnox,
	"a session that is revoked": func(p *pushTest) hot {
		return p.hotSession(func(store session.Store, r *session.Record) (bool, error) {
			return store.Revoke(p.t.Context(), r.UserID, r.ID)
		})
	},
	"a session that gets another cookie": func(p *pushTest) hot {
		return p.hotSession(func(store session.Store, r *session.Record) (bool, error) {
			successor := newSession(r.UserID, time.Now())
			successor.ID = r.ID
			return store.Replace(p.t.Context(), r.Digest, successor, time.Now())
		})
	},
	"a session of a browser that logs in again": func(p *pushTest) hot {
		return p.hotSession(func(store session.Store, r *session.Record) (bool, error) {
			added, err := store.Add(p.t.Context(), newSession("bob", time.Now()), r.Digest, 0, false, time.Now())
			return added.Replaced != nil, err
		})
	},
	"a session whose user ends all": func(p *pushTest) hot {
		return p.hotSession(func(store session.Store, r *session.Record) (bool, error) {
			ids, err := store.RevokeAll(p.t.Context(), r.UserID, "")
			return len(ids) == 1, err
		})
	},
}

func (p *pushTest) hotKnox() hot {
	stores := [2]knox.Store{Knox(p.first), Knox(p.second)}
	ctx, now := p.t.Context(), backend.StoreTime(time.Now())
	digest := backend.TokenDigest(backend.NewToken("", "alice", backend.DefaultTokenLength), "")
	r := &knox.Record{Digest: digest, ID: backend.NewIDOf("alice"), UserID: "alice", Created: now, Slide: time.Hour,
		ExpiresAt: now.Add(time.Hour), MaxExpiresAt: now.Add(24 * time.Hour)}
	if _, err := stores[0].Add(ctx, r, 0, false, knox.Ending{At: now}); err != nil {
		p.t.Fatal(err)
	}
	h := hot{key: p.first.key(knoxTokens, tagOfOwner("alice"), digest)}
	for i, store := range stores {
		h.find[i] = func() (bool, error) {
			found, err := store.Find(ctx, digest)
			return found != nil, err
		}
	}
	h.touch = func() error {
		now := backend.StoreTime(time.Now())
		return stores[0].Touch(ctx, knox.Touch{Digest: digest, Used: now, ExpiresAt: now.Add(time.Hour),
			LiveUntil: r.ExpiresAt})
	}
	h.revoke = func() error { return sure(stores[0].Revoke(ctx, "alice", r.ID, knox.Ending{At: now})) }
	return h
}

func (p *pushTest) hotSession(revoke func(store session.Store, r *session.Record) (bool, error)) hot {
	stores := [2]session.Store{Sessions(p.first), Sessions(p.second)}
	ctx, r := p.t.Context(), newSession("alice", time.Now())
	addSession(p.t, stores[0], r, nil)
	h := hot{key: p.first.key(sessionRecords, tagOfOwner("alice"), r.Digest)}
	for i, store := range stores {
		h.find[i] = func() (bool, error) {
			found, err := store.Find(ctx, r.Digest)
			return found != nil && !found.IsTombstone(), err
		}
	}
	h.touch = func() error {
		now := backend.StoreTime(time.Now())
		return stores[0].Touch(ctx, session.Touch{Digest: r.Digest, Used: now, ExpiresAt: now.Add(time.Hour),
			LiveUntil: r.ExpiresAt})
	}
	h.revoke = func() error { return sure(revoke(stores[0], r)) }
	return h
}

// sure makes an error of a verdict that is false.
func sure(ok bool, err error) error {
	if err == nil && !ok {
		return errors.New("the record was not there")
	}
	return err
}

// warm looks it up by both instances until both keep it.
func (p *pushTest) warm(h hot) {
	p.t.Helper()
	for i, find := range h.find {
		p.until(fmt.Sprintf("look-up without a command by instance %d", i), heardWithin, func() bool {
			before := p.commands()
			if good, err := find(); err != nil || !good {
				p.t.Fatalf("instance %d: got %v, %v, want that it is good", i, good, err)
			}
			return p.commands() == before
		})
	}
}

// wantHits looks it up many times by an instance, and fails if that cost a command.
func (p *pushTest) wantHits(h hot, instance int) {
	p.t.Helper()
	before := p.commands()
	for range 200 {
		if good, err := h.find[instance](); err != nil || !good {
			p.t.Fatalf("got %v, %v, want that it is good", good, err)
		}
	}
	if cost := p.commands() - before; cost != 0 {
		p.t.Errorf("got %d commands for 200 look-ups by instance %d, want 0", cost, instance)
	}
}

// wantRefused fails unless the second instance refuses it soon. An error proves nobody, so it may come before.
func (p *pushTest) wantRefused(h hot) {
	p.t.Helper()
	p.until("refusal by the other instance", heardWithin, func() bool {
		good, err := h.find[1]()
		return !good && err == nil
	})
}

// fence is a cache of users that says what it was told to forget.
type fence chan string

func (f fence) Forget(userID string)     { f <- userID }
func (f fence) ForgetAll()               {}
func (f fence) Suspend() (resume func()) { return func() {} }

// catchUp waits until the second instance has heard all changes that were made until now. Messages come in order.
func (p *pushTest) catchUp() {
	p.t.Helper()
	heard := make(fence, 100)
	p.second.WatchUsers(heard)
	if err := p.first.UserChanged(p.t.Context(), "fence"); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-heard:
	case <-time.After(heardWithin):
		p.t.Fatal("the other instance has not heard of a user that changed")
	}
}

func TestUnitPush(t *testing.T) {
	for name, open := range hots {
		t.Run(name, func(t *testing.T) {
			p := newPushTest(t)
			h := open(p)
			p.warm(h)
			p.catchUp()
			p.wantHits(h, 0)
			p.wantHits(h, 1)

			if err := h.touch(); err != nil { // it moves the expiry
				t.Fatal(err)
			}
			p.catchUp()
			p.wantHits(h, 1)

			if err := h.revoke(); err != nil {
				t.Fatal(err)
			}
			if good, err := h.find[0](); good || err != nil {
				t.Errorf("got %v, %v by the instance that revoked, want a refusal at once", good, err)
			}
			p.wantRefused(h)
		})
	}
}

func TestUnitPushAfterALostConnection(t *testing.T) {
	kills := map[string]func(p *pushTest) []string{
		"all connections": func(*pushTest) []string { return []string{"TYPE", "normal"} },
		"the connection that hears": func(p *pushTest) []string {
			list, _ := p.node.Do(p.t, "CLIENT", "LIST").(string)
			for line := range strings.Lines(list) {
				fields := map[string]string{}
				for field := range strings.FieldsSeq(line) {
					key, value, _ := strings.Cut(field, "=")
					fields[key] = value
				}
				if fields["name"] == "second" && strings.Contains(fields["flags"], "t") {
					return []string{"ID", fields["id"]}
				}
			}
			p.t.Fatalf("got no connection of the second instance that is told of changes:\n%s", list)
			return nil
		},
	}
	for name, kill := range kills {
		for what, open := range hots {
			if strings.Contains(what, " that ") { // a revocation is as good as another here
				continue
			}
			t.Run(name+", "+what, func(t *testing.T) {
				p := newPushTest(t)
				h := open(p)
				p.warm(h)
				p.catchUp()
				p.wantHits(h, 1)
				p.killAndRemove(kill(p), h.key)
				p.wantRefused(h)
			})
		}
	}
}

// killAndRemove ends connections and removes a key in one step, so that the message about the key reaches none of them.
func (p *pushTest) killAndRemove(which []string, key string) {
	p.t.Helper()
	option, err := rueidis.ParseURL(p.node.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	dedicated, release := client.Dedicate()
	defer release()
	build := dedicated.B()
	results := dedicated.DoMulti(p.t.Context(), build.Multi().Build(),
		build.Arbitrary("CLIENT", "KILL").Args(which...).Args("SKIPME", "yes").Build(), build.Del().Key(key).Build(),
		build.Exec().Build())
	done, err := results[3].ToArray()
	if err != nil || len(done) != 2 {
		p.t.Fatalf("ToArray: got %v, %v, want 2 entries", done, err)
	}
	for i, want := range []string{"a connection", "a key"} {
		if n, err := done[i].AsInt64(); err != nil || n == 0 {
			p.t.Fatalf("got %d, %v, want that %s was removed", n, err, want)
		}
	}
}

// TestUnitPushIsNotBelieved tests the two guards apart, which work beside each other if a server falls silent.
func TestUnitPushIsNotBelieved(t *testing.T) {
	for _, name := range []string{"a token of knox", "a session that is revoked"} {
		p := newPushTest(t)
		h := hots[name](p)
		p.warm(h)
		p.catchUp()
		t.Run(name+" is looked up at once after a connection was lost", func(t *testing.T) {
			p.t = t
			p.wantHits(h, 1)
			before := p.commands()
			p.second.watch.invalidated(nil) // as rueidis calls it
			if good, err := h.find[1](); err != nil || !good {
				t.Fatalf("got %v, %v, want that it is good", good, err)
			}
			if p.commands() == before {
				t.Error("got no command for the look-up, want that Redis is asked")
			}
		})
		t.Run(name+" is looked up if there was no sign of life for a while", func(t *testing.T) {
			p.t = t
			p.warm(h)
			p.second.watch.stop()
			p.until("look-up by a command", believedFor+100*time.Millisecond, func() bool {
				before := p.commands()
				if good, err := h.find[1](); err != nil || !good {
					t.Fatalf("got %v, %v, want that it is good", good, err)
				}
				return p.commands() > before
			})
		})
	}
}

func TestUnitPushWhileTheServerIsSilent(t *testing.T) {
	for _, name := range []string{"a token of knox", "a session that is revoked"} {
		t.Run(name, func(t *testing.T) {
			p := newPushTest(t)
			h := hots[name](p)
			p.warm(h)
			p.signal(syscall.SIGSTOP)
			stopped := time.Now()
			t.Cleanup(func() { p.signal(syscall.SIGCONT) })
			failed := false
			for !failed || time.Since(stopped) < 2*believedFor {
				began := time.Now()
				good, err := h.find[1]()
				switch since := began.Sub(stopped); {
				case good && since > believedFor+100*time.Millisecond: // the signal takes a moment
					t.Fatalf("got that it is good %v after the server fell silent, want an error after %v", since,
						believedFor)
				case !good && err == nil:
					t.Fatalf("got that it is not there %v after the server fell silent, want an error", since)
				case since > 10*believedFor:
					t.Fatalf("got no error %v after the server fell silent", since)
				case err != nil:
					failed = true
				}
			}
			p.signal(syscall.SIGCONT)
			p.until("look-up after the silence", 10*time.Second, func() bool {
				good, err := h.find[1]()
				return good && err == nil
			})
			p.until("look-up without a command after the silence", 10*time.Second, func() bool {
				before := p.commands()
				good, err := h.find[1]()
				return good && err == nil && p.commands() == before
			})
			p.until("revocation after the silence", 10*time.Second, func() bool { return h.revoke() == nil })
			p.wantRefused(h)
		})
	}
}

// signal stops the server, or lets it go on.
func (p *pushTest) signal(signal syscall.Signal) {
	if err := syscall.Kill(p.node.PID(), signal); err != nil {
		p.t.Error(err)
	}
}

func TestUnitLogoutWhileTheMemoryIsFull(t *testing.T) {
	for name, open := range hots {
		if name == "a session that gets another cookie" || name == "a session of a browser that logs in again" {
			continue // these take memory
		}
		t.Run(name, func(t *testing.T) {
			p := newPushTest(t)
			h := open(p)
			p.warm(h)
			p.node.Do(t, "CONFIG", "SET", "maxmemory", "1")
			_, err := Sessions(p.first).Add(t.Context(), newSession("alice", time.Now()), "", 0, false, time.Now())
			if err == nil || !strings.Contains(err.Error(), "memory of the server is full") {
				t.Errorf("got %v for a login, want an error that says that the memory is full", err)
			}
			if good, err := h.find[0](); !good || err != nil {
				t.Errorf("got %v, %v, want that it is good", good, err)
			}
			if err := h.revoke(); err != nil {
				t.Fatalf("got %v, want a logout", err)
			}
			p.wantRefused(h)
		})
	}
}
