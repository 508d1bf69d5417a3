package backend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatewarden/auth/backend"
)

func TestUnitNewIDOf(t *testing.T) {
	owners := []string{"alice", "bob", "Zoë \U0001f512", "client:reports", strings.Repeat("x", 512), ""}
	t.Run("an identifier is a UUID of version 7 that names the shard of its owner", func(t *testing.T) {
		for _, owner := range owners {
			text := backend.NewIDOf(owner)
			id, err := uuid.Parse(text)
			if err != nil || id.Version() != 7 || id.Variant() != uuid.RFC4122 || id.String() != text {
				t.Errorf("got %q, %v, want a UUID of version 7 of RFC 9562 in lower case", text, err)
			}
			if shard, ok := backend.IDShard(text); !ok || shard != backend.Shard(owner) {
				t.Errorf("%q: got the shard %q, %v, want %q", text, shard, ok, backend.Shard(owner))
			}
		}
	})
	t.Run("every shard fits", func(t *testing.T) {
		seen := map[string]bool{}
		for i := range 5000 {
			owner := strings.Repeat("x", i%97) + strings.Repeat("y", i/97)
			shard, ok := backend.IDShard(backend.NewIDOf(owner))
			if !ok || shard != backend.Shard(owner) {
				t.Fatalf("got the shard %q, %v, want %q", shard, ok, backend.Shard(owner))
			}
			seen[shard] = true
		}
		if len(seen) < 4000 {
			t.Errorf("got %d shards of 5,000 owners, want nearly all of them to differ", len(seen))
		}
	})
	t.Run("later identifiers are larger, of whatever owner", func(t *testing.T) {
		last := ""
		for i := range 10_000 {
			id := backend.NewIDOf(owners[i%len(owners)])
			if id <= last {
				t.Fatalf("got %s after %s, want a larger one", id, last)
			}
			last = id
		}
	})
	t.Run("the time is that of the clock", func(t *testing.T) {
		id := uuid.MustParse(backend.NewIDOf("alice"))
		seconds, nanos := id.Time().UnixTime()
		// The identifiers before this one may have used up instants that are still to come.
		if off := time.Since(time.Unix(seconds, nanos)).Abs(); off > time.Minute {
			t.Errorf("got a time that is %v off", off)
		}
	})
	t.Run("many at one instant differ, by their random part alone, too", func(t *testing.T) {
		texts, random := map[string]bool{}, map[[6]byte]bool{}
		const many = 1000
		for range many {
			id := uuid.MustParse(backend.NewIDOf("alice"))
			texts[id.String()] = true
			part := [6]byte(id[8:14])
			part[5] &^= 3 // the shard
			random[part] = true
		}
		// 44 random bits are left, so two of 1,000 are the same once in 35 million runs.
		if len(texts) != many || len(random) != many {
			t.Errorf("got %d identifiers with %d random parts, want %d", len(texts), len(random), many)
		}
	})
}

func TestUnitIDShard(t *testing.T) {
	good := backend.NewIDOf("alice")
	id := uuid.MustParse(good)
	v4 := id
	v4[6] = v4[6]&0x0f | 0x40
	large := id // 62³ is 238,328, and 18 bits hold up to 262,143
	large[13], large[14], large[15] = large[13]|3, 0xa2, 0xf8
	largest := id
	largest[13], largest[14], largest[15] = largest[13]|3, 0xa2, 0xf7
	for name, text := range map[string]string{
		"nothing":                   "",
		"a name":                    "alice",
		"a cut UUID":                good[:35],
		"a longer text":             good + "0",
		"a UUID in braces":          "{" + good + "}",
		"a URN":                     "urn:uuid:" + good,
		"a UUID without dash":       strings.ReplaceAll(good, "-", ""),
		"another character":         good[:35] + "g",
		"a UUID of version 4":       v4.String(),
		"a number that is no shard": large.String(),
	} {
		t.Run(name+" has no shard", func(t *testing.T) {
			if shard, ok := backend.IDShard(text); ok || shard != "" {
				t.Errorf("%q: got %q, %v, want no shard", text, shard, ok)
			}
		})
	}
	t.Run("the largest number is a shard", func(t *testing.T) {
		if shard, ok := backend.IDShard(largest.String()); !ok || shard != "zzz" {
			t.Errorf("got %q, %v, want zzz", shard, ok)
		}
	})
}
