package faults

import (
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/store/sqlstore"
)

// commitLimit is how long a COMMIT may take.
const commitLimit = 10 * time.Second

// TestUnitSilentCommit has servers that are silent from the middle of a change on, when it may be too late to give up.
func TestUnitSilentCommit(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, e := range engines {
		if e.own == nil || strings.HasPrefix(e.name, "Redis") {
			continue
		}
		all.Go(func() {
			t.Run(e.name+": the end of a transaction is bounded, and a COMMIT without an answer does not say that "+
				"nothing was changed",
				func(t *testing.T) { silentCommit(t, e) })
		})
	}
	all.Wait()
}

var errOwn = errors.New("refused by the application")

func silentCommit(t *testing.T, e engine) {
	s := e.shared(t)
	address, n := s.through(t)
	a := newApp(t, address, 2*time.Second)
	for own, wants := range map[error]string{nil: "COMMIT", errOwn: errOwn.Error()} {
		if own != nil && !full { // a ROLLBACK waits as long again
			continue
		}
		began := time.Now()
		ended := make(chan error, 1)
		go func() {
			ended <- a.db.Update(t.Context(), func(conn *sql.Conn) error {
				_, err := conn.ExecContext(t.Context(), "DELETE FROM gatewarden_knox_tokens WHERE id = 'x'")
				n.hold()
				return errors.Join(err, own)
			})
		}()
		var err error
		select {
		case err = <-ended:
		case <-time.After(patience):
			t.Fatalf("a change that %s ends is under way after %v, want at most %v", wants, patience, commitLimit)
		}
		if took := time.Since(began); took > commitLimit+answerSlack {
			t.Errorf("a change took %v, want at most %v and some seconds", took, commitLimit)
		}
		if err == nil || errors.Is(err, sqlstore.ErrBusy) || !strings.Contains(err.Error(), wants) {
			t.Errorf("got %v, want an error that says %q and is no ErrBusy", err, wants)
		}
		n.resume()
		await(t, "a change after the fault", func() bool {
			return a.db.Update(t.Context(), func(*sql.Conn) error { return nil }) == nil
		})
	}
}
