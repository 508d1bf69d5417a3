package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// BenchmarkTransfer shows how many knox tokens a second are written and read. Each user has ten.
func BenchmarkTransfer(b *testing.B) {
	db := openTest(b, Config{MaxCached: -1})
	engine := Transfer(db)
	now := backend.StoreTime(time.Now())
	written := 0
	page := func() []transfer.Record {
		records := make([]transfer.Record, 1000)
		for i := range records {
			user := fmt.Sprintf("user%d", written/10)
			records[i] = transfer.KnoxToken{Record: &knox.Record{UserID: user, ID: backend.NewIDOf(user),
				Digest: backend.Shard(user) + fmt.Sprintf("%043d", written), Created: now,
				ExpiresAt: now.Add(time.Hour), Slide: time.Hour, IP: "192.0.2.1", UserAgent: "benchmark",
				Stamp: fmt.Sprintf("%043d", 0)}}
			written++
		}
		return records
	}
	b.Run("import", func(b *testing.B) {
		n := 0
		for b.Loop() {
			added, err := engine.Import(b.Context(), transfer.KnoxTokens, page(), now)
			if err != nil || added != 1000 {
				b.Fatalf("%d records were added, want 1000: %v", added, err)
			}
			n += added
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
	})
	b.Run("export", func(b *testing.B) {
		n, after := 0, ""
		for b.Loop() {
			page, err := engine.Export(b.Context(), transfer.KnoxTokens, after, 1000, now)
			if err != nil {
				b.Fatal(err)
			}
			n += len(page.Records)
			after = page.Next
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "tokens/s")
	})
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			n, err := engine.Count(b.Context(), transfer.KnoxTokens, now)
			if err != nil || n != written {
				b.Fatalf("%d records are counted, want %d: %v", n, written, err)
			}
		}
		b.ReportMetric(float64(written*b.N)/b.Elapsed().Seconds(), "tokens/s")
	})
}
