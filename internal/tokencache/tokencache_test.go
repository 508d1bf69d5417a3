package tokencache_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/tokencache"
)

func TestUnitKey(t *testing.T) {
	tokens, others := tokencache.New[int](10), tokencache.New[int](10)
	t.Run("tokens of any length have keys of their own", func(t *testing.T) {
		seen := make(map[tokencache.Key]int)
		for _, length := range []int{0, 1, 40, 495, 496, 497, 511, 512, 513, 1007, 1008, 1009, 2032, 8192} {
			for _, token := range []string{strings.Repeat("a", length), strings.Repeat("a", length) + "b"} {
				key := tokens.Key(token)
				if other, ok := seen[key]; ok {
					t.Errorf("tokens of %d and %d bytes have one key", other, len(token))
				}
				if key != tokens.Key(strings.Clone(token)) || key == (tokencache.Key{}) {
					t.Errorf("a token of %d bytes has another key the second time, or none", len(token))
				}
				if key == others.Key(token) {
					t.Errorf("a token of %d bytes has the same key elsewhere", len(token))
				}
				seen[key] = len(token)
			}
		}
	})
	t.Run("no length allocates", func(t *testing.T) {
		for _, length := range []int{40, 300, 496, 8192} {
			token := strings.Repeat("a", length)
			if n := testing.AllocsPerRun(100, func() { tokens.Key(token) }); n != 0 {
				t.Errorf("%d bytes: want no allocation, got %v", length, n)
			}
		}
	})
}

func TestUnitCache(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	t.Run("a value is there until it expires", func(t *testing.T) {
		cache := tokencache.New[string](10)
		key := cache.Key("token")
		cache.Put(key, "alice", noon.Add(time.Minute), noon)
		for _, row := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {time.Minute - 1, true}, {time.Minute, false}, {time.Hour, false}} {
			if got, ok := cache.Get(key, noon.Add(row.after)); ok != row.want || ok != (got == "alice") {
				t.Errorf("after %v: got %q, %v, want it there: %v", row.after, got, ok, row.want)
			}
		}
		if got, ok := cache.Get(cache.Key("other"), noon); ok {
			t.Errorf("got %q for another token, want nothing", got)
		}
	})
	t.Run("what has expired already is not kept", func(t *testing.T) {
		cache := tokencache.New[string](10)
		if cache.Put(cache.Key("token"), "alice", noon, noon); cache.Len() != 0 {
			t.Errorf("got %d values, want 0", cache.Len())
		}
	})
	t.Run("a later value replaces the one before", func(t *testing.T) {
		cache := tokencache.New[string](10)
		for _, name := range []string{"alice", "bob"} {
			cache.Put(cache.Key("token"), name, noon.Add(time.Minute), noon)
		}
		if got, _ := cache.Get(cache.Key("token"), noon); got != "bob" || cache.Len() != 1 {
			t.Errorf("got %q and %d values, want bob and 1", got, cache.Len())
		}
	})
	t.Run("a full cache stays near its size, and keeps the newest value", func(t *testing.T) {
		cache := tokencache.New[int](160)
		for i := range 2_000 {
			key := cache.Key(strconv.Itoa(i))
			cache.Put(key, i, noon.Add(time.Hour), noon)
			if got, ok := cache.Get(key, noon); !ok || got != i {
				t.Fatalf("got %d, %v right after %d was put, want it", got, ok, i)
			}
		}
		if n := cache.Len(); n != 160 {
			t.Errorf("got %d values, want 160", n)
		}
	})
	t.Run("a full cache removes what has expired, and not what has not", func(t *testing.T) {
		cache := tokencache.New[int](16 * 8) // 8 in a shard: a full shard is looked at as a whole
		for i := range 1_000 {
			cache.Put(cache.Key("old "+strconv.Itoa(i)), i, noon.Add(time.Minute), noon)
		}
		later := noon.Add(time.Hour)
		for i := range 16 {
			cache.Put(cache.Key(strconv.Itoa(i)), i, later.Add(time.Minute), later)
			if i == 0 && cache.Len() != 16*8-8+1 {
				t.Errorf("got %d values, want 121: 8 of 128 had expired in a shard that got a new one", cache.Len())
			}
		}
		for i := range 16 {
			if got, ok := cache.Get(cache.Key(strconv.Itoa(i)), later); !ok || got != i {
				t.Errorf("got %d, %v, want %d, which has not expired", got, ok, i)
			}
		}
	})
}
