package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/session"
	"github.com/gatewarden/auth/store/sqlstore"
)

// TestUnitTouchesChangeNoIndex touches one in twenty records of PostgreSQL, several times, and asks the server how many
// of these updates wrote no index (HOT).
func TestUnitTouchesChangeNoIndex(t *testing.T) {
	p := engines[1].place(t)
	prefix := p.take(t)
	noon := time.Unix(2e9, 0).UTC()
	const records = 400
	db := p.instance(t, sqlstore.Config{TablePrefix: prefix})
	tokens, sessions := opened(t, sqlstore.Knox, db), opened(t, sqlstore.Sessions, db)
	addTokens(t, tokens, "alice", records, noon.Add(time.Hour))
	for i := range records {
		r := &session.Record{Digest: fmt.Sprint("alice", i), ID: fmt.Sprint(i), UserID: "alice", Created: noon,
			LastUsed:  noon,
			ExpiresAt: noon.Add(time.Hour), MaxExpiresAt: noon.Add(time.Hour)}
		if _, err := sessions.Add(t.Context(), r, "", 0, false, noon); err != nil {
			t.Fatal(err)
		}
	}
	const rounds, step = 5, 20
	for round := range rounds {
		touching := openPool(t, p.driver, p.database) // its connections end, and so tell what they did
		again, err := p.engine.open(t.Context(), touching, sqlstore.Config{TablePrefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		tokens, sessions := opened(t, sqlstore.Knox, again), opened(t, sqlstore.Sessions, again)
		for i := round; i < records; i += step {
			used, digest := noon.Add(time.Duration(round+1)*time.Minute), fmt.Sprint("alice", i)
			if err := tokens.Touch(t.Context(), knox.Touch{Digest: digest, Used: used}); err != nil {
				t.Fatal(err)
			}
			if err := sessions.Touch(t.Context(), session.Touch{Digest: digest, Used: used}); err != nil {
				t.Fatal(err)
			}
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"knox_tokens", "sessions"} {
		const want = rounds * records / step
		var updates, hot int
		// a connection tells it at its end
		for began := time.Now(); updates < want && time.Since(began) < 10*time.Second; {
			if err := db.Reader().QueryRow(`SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
				WHERE relname = $1`,
				prefix+table).Scan(&updates, &hot); err != nil {
				t.Fatal(err)
			}
		}
		if updates != want || hot != want {
			t.Errorf("got %d updates of %s, %d of them HOT, want %d", updates, table, hot, want)
		}
	}
}
