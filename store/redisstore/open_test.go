package redisstore

import (
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

var prefixes atomic.Int64

// openTest opens a DB with a prefix of its own.
func openTest(t testing.TB, config Config) *DB {
	t.Helper()
	url := os.Getenv("GATEWARDEN_REDIS_URL")
	if url == "" {
		t.Skip("no Redis")
	}
	option, err := rueidis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	if config.Prefix == "" {
		config.Logger = slog.New(slog.DiscardHandler)
		config.Prefix = "t" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.FormatInt(prefixes.Add(1), 10) + ":"
	}
	db, err := Open(t.Context(), option, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// pairOf opens two instances on the same keys.
func pairOf(t testing.TB, config Config) (first, second *DB) {
	t.Helper()
	first = openTest(t, config)
	config.Prefix = first.config.Prefix
	return first, openTest(t, config)
}
