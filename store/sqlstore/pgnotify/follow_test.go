package pgnotify_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire stands between a listener and its server.
type wire struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	conns []net.Conn
	down  bool // new connections are refused
	dead  bool // nothing passes, and nothing is closed
	pool  bool // it numbers connections itself, as PgBouncer does
	brief bool // connections end when they listen
}

// newWire returns a wire and the DSN by which it is used.
func newWire(t *testing.T, dsn string) (*wire, string) {
	t.Helper()
	address := must[*url.URL](t)(url.Parse(dsn))
	w := &wire{listener: must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")), server: address.Host}
	t.Cleanup(func() {
		_ = w.listener.Close()
		w.cut(true)
	})
	go func() {
		for {
			client, err := w.listener.Accept()
			if err != nil {
				return
			}
			w.join(client)
		}
	}()
	address.Host = w.listener.Addr().String()
	return w, address.String()
}

// join connects a client to the server.
func (w *wire) join(client net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		_ = client.Close()
		return
	}
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	w.conns = append(w.conns, client, server)
	go w.pass(client, server)
	go w.pass(server, client)
}

// pass copies what comes, unless the wire is dead.
func (w *wire) pass(to io.WriteCloser, from io.Reader) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		dead, pool, brief := w.dead, w.pool, w.brief
		w.mu.Unlock()
		if dead {
			continue // until the connection is closed by us
		}
		// BackendKeyData: a byte and the length, then the number and the key (protocol 3.0).
		if i := bytes.Index(buffer[:n], []byte{'K', 0, 0, 0, 12}); pool && i >= 0 && i+9 <= n {
			buffer[i+8]++
		}
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		// CommandComplete ends with the name of the command and a zero byte.
		if err != nil || brief && bytes.Contains(buffer[:n], []byte("LISTEN\x00")) {
			_ = to.Close()
			return
		}
	}
}

// cut closes all connections, and refuses others if down is set.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.dead = down, false
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

// die has nothing pass any more.
func (w *wire) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down, w.dead = true, true
}

func TestUnitAPoolerIsWarnedOf(t *testing.T) {
	dsn := database(t)
	for _, pool := range []bool{false, true} {
		w, listenDSN := newWire(t, dsn)
		w.pool = pool
		i := newInstance(t, dsn, listenDSN)
		if got := strings.Contains(i.log.String(), "goes through a pooler"); got != pool {
			t.Errorf("got a warning: %v, want it only behind a pooler: %v\n%s", got, pool, i.log)
		}
	}
}

func TestUnitConnectionsThatEndSoonAreNotMadeOneAfterAnother(t *testing.T) {
	dsn := database(t)
	w, listenDSN := newWire(t, dsn)
	i := newInstance(t, dsn, listenDSN)
	w.mu.Lock()
	w.brief = true
	w.mu.Unlock()
	began := time.Now()
	w.cut(false)
	for range 4 {
		i.heard.next(t, "suspend", "resume")
	}
	// The pauses are at least 0, 50, 100 and 200 ms.
	if got, least := time.Since(began), 350*time.Millisecond; got < least {
		t.Errorf("got 4 connections in %v, want that they take %v or longer", got, least)
	}
}

func TestUnitNothingStaleIsBelievedWithoutAConnection(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, w *wire, i *instance){
		"that the server ended": func(t *testing.T, w *wire, i *instance) {
			w.mu.Lock()
			w.down = true
			w.mu.Unlock()
			exec(t, i.db, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = 'gatewarden-pgnotify'`)
		},
		"that was cut":            func(_ *testing.T, w *wire, _ *instance) { w.cut(true) },
		"that is dead and silent": func(_ *testing.T, w *wire, _ *instance) { w.die() },
	} {
		t.Run(name, func(t *testing.T) {
			dsn := database(t)
			w, listenDSN := newWire(t, dsn)
			i := newInstance(t, dsn, listenDSN)
			elsewhere := openDB(t, dsn)
			for _, id := range []string{"1", "2", "3"} {
				i.add(t, "alice", id)
				i.want(t, id, true)
			}
			revoke := func(id string) {
				t.Helper()
				exec(t, elsewhere, `DELETE FROM gatewarden_knox_tokens WHERE id = $1`, id)
			}
			lose(t, w, i)
			i.heard.next(t, "suspend")
			revoke("1")
			i.want(t, "1", false)
			i.want(t, "2", true)
			revoke("2")
			i.want(t, "2", false)
			w.cut(false) // the network is back
			i.heard.next(t, "resume")
			i.want(t, "2", false)
			i.want(t, "3", true)
			revoke("3")
			i.want(t, "3", true) // it caches again, and no instance was told of this
			if err := elsewhere.UserChanged(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			i.heard.next(t, "forget alice")
			i.want(t, "3", false)
			for want, n := range map[string]int{"connection was lost": 1, "connection is back": 1} {
				if got := strings.Count(i.log.String(), want); got > n {
					t.Errorf("got %q %d times in the log, want at most %d:\n%s", want, got, n, i.log)
				}
			}
		})
	}
}
