package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
)

// This file presents tokens that nobody has issued.

// countingStore counts how often the engine is asked for a token.
type countingStore struct {
	knox.Store
	asked atomic.Int64
}

// Find implements [knox.Store].
func (s *countingStore) Find(ctx context.Context, digest string) (*knox.Record, error) {
	s.asked.Add(1)
	return s.Store.Find(ctx, digest)
}

// trash is a kind of token that is none.
type trash struct {
	name  string
	token func(n int) string
	asks  bool // whether the engine must be asked, as nothing else can tell
	part  int  // of the number that was asked for
}

func trashes() []trash {
	stranger := func(n int) string { return "stranger-" + strconv.Itoa(n) }
	return []trash{
		{"of other systems", func(n int) string { return fmt.Sprintf("ghp_%036d", n) }, false, 1},
		{"ours with a wrong checksum", func(n int) string {
			token := []byte(backend.NewToken("", stranger(n), backend.DefaultTokenLength))
			token[len(token)-1] ^= 1 // another letter or digit, or a character that no token has
			return string(token)
		}, false, 1},
		{"shaped like ours, never issued", func(n int) string {
			return backend.NewToken("", stranger(n), backend.DefaultTokenLength)
		}, true, 20},
	}
}

// grown is how much the heap may grow.
const grown = 1 << 20

func (o *options) runGarbage(out io.Writer) error {
	t := newTable(out, "engine", "tokens that are none", "number", "look-ups in the store", "aim",
		"counted by the engine", "live heap before", "after", "aim", "time")
	for _, e := range o.engines() {
		if err := o.garbageOn(t, e); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		o.progress("garbage: %s", e.name)
	}
	fmt.Fprintf(out, "\n%s. Tokens come through the Guard, each another one, %d at once, and each answer is 401. "+
		"**Tokens that are shaped like ours, with a right checksum, ask the engine each time:** only it can "+
		"tell. The checksum is no secret, so it stops accidents and simple floods. A limit of requests for each "+
		"address belongs in front. The engine also counts a few commands of this program, such as the question "+
		"for its count.\n", machine(), checkers)
	return nil
}

// checkers is how many present garbage at once.
const checkers = 16

func (o *options) garbageOn(t table, e *engine) error {
	address, stop, err := e.start(o, e.settings(o))
	if err != nil {
		return err
	}
	defer stop()
	ctx := context.Background()
	d, err := openDatabase(ctx, address, place{name: "small"}) // with its cache, where there is one
	if err != nil {
		return err
	}
	defer d.close()
	store, err := d.knox(ctx)
	if err != nil {
		return err
	}
	counting := &countingStore{Store: store}
	tokens, err := knox.New(knox.Config{Store: counting, LoadUser: anyUser, Logger: quiet})
	if err != nil {
		return err
	}
	handler, err := guarded(tokens)
	if err != nil {
		return err
	}
	for _, kind := range trashes() {
		n := max(1, o.garbage/kind.part)
		if err := present(handler, kind, checkers); err != nil { // which makes what is made once
			return err
		}
		asked, counted := counting.asked.Load(), d.counted(ctx)
		before, began := live(), time.Now()
		if err := present(handler, kind, n); err != nil {
			return err
		}
		took, after := time.Since(began), live()
		asked = counting.asked.Load() - asked
		ofEngine := "–"
		if counted >= 0 {
			ofEngine = fmt.Sprint(d.counted(ctx) - counted)
		}
		want := 0
		if kind.asks {
			want = n
		}
		t.row(e.name, kind.name, number(n), aimed(fmt.Sprint(asked), asked == int64(want)), fmt.Sprint(want), ofEngine,
			mebibytes(before), aimed(mebibytes(after), after <= before+grown), "1 MiB more", short(took))
	}
	return nil
}

// present presents n tokens of a kind.
func present(handler http.Handler, kind trash, n int) error {
	var next atomic.Int64
	errs := make([]error, checkers)
	var all sync.WaitGroup
	for i := range checkers {
		all.Go(func() {
			r := httptest.NewRequest(http.MethodGet, "/reports", nil)
			for {
				number := int(next.Add(1)) - 1
				if number >= n {
					return
				}
				w := httptest.NewRecorder()
				r.Header.Set("Authorization", "Token "+kind.token(number))
				if handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized {
					errs[i] = fmt.Errorf("token %d, %s, was answered with %d, want 401", number, kind.name, w.Code)
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// counted returns how many commands or questions the engine has counted, or -1 if it does not tell at once.
func (d *database) counted(ctx context.Context) (n int64) {
	switch d.address.Scheme {
	case "redis":
		info, err := d.info(ctx)
		if err != nil {
			return -1
		}
		n, err = strconv.ParseInt(info["total_commands_processed"], 10, 64)
		if err != nil {
			return -1
		}
		return n
	case "mysql":
		var name string
		if d.sql.Reader().QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &n) != nil {
			return -1
		}
		return n
	}
	return -1
}
