package enginetest

import (
	"errors"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// answerLimit is longer than any wait of these tests may take.
const answerLimit = 8 * time.Second

// ends returns the error of a call, which must end in time.
func ends(t *testing.T, call func() error) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- call() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(answerLimit):
		t.Fatalf("the call has not ended after %v", answerLimit)
		return nil
	}
}

func TestUnitAnAnswerWithoutItsEnd(t *testing.T) {
	onServers(t, func(t *testing.T, p *place) {
		db, l := p.lined(t, sqlstore.Config{TablePrefix: p.take(t), ReadTimeout: busyTimeout})
		store := opened(t, sqlstore.Knox, db)
		if _, err := store.Add(t.Context(), knoxToken("a"), 0, false, knox.Ending{At: moment}); err != nil {
			t.Fatal(err)
		}
		find := func() error { _, err := store.Find(t.Context(), "digest of a"); return err }
		if err := find(); err != nil { // prepares
			t.Fatal(err)
		}
		l.set(nil, func(answer []byte) int { return len(answer) - 1 }) // the row arrives
		if err := ends(t, find); !errors.Is(err, sqlstore.ErrNoAnswer) {
			t.Errorf("got %v, want ErrNoAnswer", err)
		}
		l.heal()
		if err := find(); err != nil {
			t.Errorf("the next read: %v", err)
		}
	})
}

