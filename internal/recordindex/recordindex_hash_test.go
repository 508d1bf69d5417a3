package recordindex_test

import (
	"crypto/sha256"
	"encoding/base64"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/digest"
	"github.com/gatewarden/auth/internal/recordindex"
)

// digestOf returns a digest in the form of backend.TokenDigest, and the hash inside it.
func digestOf(shard, token string) (digest string, hash [32]byte) {
	hash = sha256.Sum256([]byte(token))
	return shard + base64.RawURLEncoding.EncodeToString(hash[:]), hash
}

func TestUnitIndexByHash(t *testing.T) {
	digest, hash := digestOf("abc", "token")
	token := &record{digest: digest, user: "alice", id: "1"}
	foreign := &record{digest: "of another form", user: "alice", id: "2"}

	t.Run("a record is found by the hash inside its digest", func(t *testing.T) {
		x := newIndex(token, foreign)
		if got := x.GetHash(hash); got != token {
			t.Errorf("got %v, want %v", got, token)
		}
		if got := x.GetHash(sha256.Sum256(nil)); got != nil {
			t.Errorf("got %v of another hash", got)
		}
		if x.Get(digest) != token || x.Get("of another form") != foreign {
			t.Error("a digest finds another record")
		}
		if x.Remove(token); x.GetHash(hash) != nil || x.Get(digest) != nil {
			t.Error("got a record that was removed")
		}
	})
	t.Run("digests that differ in the shard alone are two", func(t *testing.T) {
		other, _ := digestOf("xyz", "token")
		twin := &record{digest: other, user: "bob", id: "3"}
		x := newIndex(token, twin)
		both := func(when string, first, second *record) {
			if x.Get(digest) != first || x.Get(other) != second {
				t.Errorf("%s: got %v and %v, want %v and %v", when, x.Get(digest), x.Get(other), first, second)
			}
		}
		both("both are there", token, twin)
		if x.GetHash(hash) == nil {
			t.Error("the hash finds neither of both")
		}
		x.Remove(token)
		both("one is removed", nil, twin)
		if got := x.GetHash(hash); got != twin {
			t.Errorf("the first of both is removed: the hash finds %v, want the other one", got)
		}
		touched := *twin
		x.Put(&touched)
		both("the other is replaced", nil, &touched)
		if x.GetHash(hash) != &touched {
			t.Error("the hash does not find the one that is left")
		}
		x.Put(token)
		both("the first is back", token, &touched)
		x.Remove(&touched)
		both("the other is removed", token, nil)
	})
	t.Run("a record of another user or with another ID takes the place of one with its digest", func(t *testing.T) {
		x := newIndex(token, foreign)
		renamed := &record{digest: digest, user: "alice", id: "9"}
		x.Put(renamed)
		want(t, x.ByUser("alice"), "9", "2")
		moved := &record{digest: digest, user: "bob", id: "9"}
		x.Put(moved)
		want(t, x.ByUser("alice"), "2")
		want(t, x.ByUser("bob"), "9")
		if x.GetHash(hash) != moved {
			t.Errorf("got %v, want %v", x.GetHash(hash), moved)
		}
	})
	t.Run("IDs need not be unique", func(t *testing.T) {
		same := &record{digest: "same", user: "alice", id: "1"}
		x := newIndex(token, same, foreign)
		touched := *token
		x.Put(&touched)
		want(t, x.ByUser("alice"), "2", "1", "1")
		x.Remove(same)
		if x.Get("same") != nil || x.Find("alice", "1") != &touched {
			t.Error("the wrong one of two was removed")
		}
	})
}

// The model is a slice of all records, looked at from end to end.
func TestUnitIndexAgainstAModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	x := newIndex()
	var model []*record
	for step := range 3000 {
		digest := "foreign " + strconv.Itoa(random.IntN(20))
		if random.IntN(2) == 0 {
			digest, _ = digestOf([]string{"abc", "lmn", "xyz"}[random.IntN(3)], strconv.Itoa(random.IntN(10)))
		}
		r := &record{digest: digest, user: strconv.Itoa(random.IntN(3)), id: strconv.Itoa(random.IntN(9)),
			expiresAt: noon.Add(time.Duration(random.IntN(3)-1) * time.Hour)}
		model = slices.DeleteFunc(model, func(other *record) bool { return other.digest == digest })
		if random.IntN(3) == 0 {
			x.Remove(r)
		} else {
			x.Put(r)
			model = append(model, r)
		}
		if !agree(x, model) {
			t.Fatalf("step %d, %+v: the index and the model differ", step, r)
		}
	}
}

func agree(x *recordindex.Index[record], model []*record) bool {
	for _, r := range model {
		if x.Get(r.digest) != r || x.Find(r.user, r.id) == nil {
			return false
		}
		if hash, ok := digest.Hash(r.digest); ok && !slices.Contains(model, x.GetHash(hash)) {
			return false
		}
	}
	for user := range 3 {
		var all, live []string
		for _, r := range model {
			if r.user == strconv.Itoa(user) {
				all = append(all, r.id)
				if noon.Before(r.expiresAt) && r.id < "7" {
					live = append(live, r.id)
				}
			}
		}
		for _, list := range [][]string{all, live} {
			slices.Sort(list)
			slices.Reverse(list)
		}
		name := strconv.Itoa(user)
		if !slices.Equal(ids(x.ByUser(name)), all) || !slices.Equal(ids(x.Page(name, "7", 99, noon)), live) {
			return false
		}
	}
	return true
}
