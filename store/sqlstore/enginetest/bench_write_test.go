package enginetest

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
)

// BenchmarkSQLiteAdd is one login: a transaction with one INSERT, on disk at its end.
func BenchmarkSQLiteAdd(b *testing.B) {
	db := openSQLite(b, filepath.Join(b.TempDir(), "bench.db"))
	store, err := sqlstore.Knox(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	now, n := time.Now(), 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		id := fmt.Sprint(n)
		r := &knox.Record{Digest: id, ID: id, UserID: id, Created: now, ExpiresAt: now.Add(time.Hour)}
		if _, err := store.Add(b.Context(), r, 0, false, knox.Ending{At: now}); err != nil {
			b.Fatal(err)
		}
	}
}
