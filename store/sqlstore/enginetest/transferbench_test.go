package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/sqlstore"
	"github.com/gatewarden/auth/store/transfer"
)

// BenchmarkImport shows how many knox tokens a second an engine takes.
func BenchmarkImport(b *testing.B) {
	for _, engine := range engines {
		b.Run(engine.name, func(b *testing.B) {
			store, err := sqlstore.Transfer(b.Context(), engine.place(b).open(b))
			if err != nil {
				b.Fatal(err)
			}
			now := time.Now().UTC().Truncate(time.Microsecond)
			n := 0
			for b.Loop() {
				records := make([]transfer.Record, 1000)
				for i := range records {
					user := fmt.Sprintf("user%d", n/10)
					records[i] = transfer.KnoxToken{Record: &knox.Record{UserID: user, ID: backend.NewIDOf(user),
						Digest: fmt.Sprintf("%s%043d", backend.Shard(user), n), Created: now, ExpiresAt: now.Add(
							time.Hour),
						Slide: time.Hour, IP: "192.0.2.1", UserAgent: "benchmark",
						Stamp: "0123456789012345678901234567890123456789012"}}
					n++
				}
				added, err := store.Import(b.Context(), transfer.KnoxTokens, records, now)
				if err != nil || added != len(records) {
					b.Fatalf("%d records were added, want %d: %v", added, len(records), err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
