package cached_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/cached"
)

func TestUnitNoCheckThatBeginsAfterARevocationFindsTheToken(t *testing.T) {
	store := must[*cached.KnoxStore](t)(cached.Knox(knox.NewMemoryStore(), minute))
	const users = 200
	for i := range users {
		user := fmt.Sprint("user ", i)
		if _, err := store.Add(t.Context(), record(user, user), 0, false, ending()); err != nil {
			t.Fatal(err)
		}
		var revoked atomic.Bool
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 100 {
					after := revoked.Load()
					found, err := store.Find(t.Context(), "digest "+user)
					if err != nil || after && found != nil {
						t.Errorf("got %v, %v after the revocation of %s, want nothing", found, err, user)
						return
					}
				}
			})
		}
		group.Go(func() {
			if found, err := store.Revoke(t.Context(), user, user, ending()); !found || err != nil {
				t.Errorf("Revoke: got %v, %v, want true", found, err)
			}
			revoked.Store(true)
		})
		group.Go(func() { store.Forget(fmt.Sprint("user ", i-1)) })
		group.Wait()
		if found, err := store.Find(t.Context(), "digest "+user); found != nil || err != nil {
			t.Fatalf("got %v, %v in the end, want nothing", found, err)
		}
	}
}

func TestUnitTouchesAndRevocationsOfManyAtOnce(t *testing.T) {
	store := must[*cached.KnoxStore](t)(cached.Knox(knox.NewMemoryStore(), cached.Config{TTL: time.Minute, Max: 8}))
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			user := fmt.Sprint("user ", i%4)
			id := fmt.Sprint(i)
			r := record(user, id)
			if _, err := store.Add(t.Context(), r, 0, false, ending()); err != nil {
				t.Error(err)
			}
			for round := range 50 {
				used := r.Created.Add(time.Duration(round+1) * time.Microsecond)
				if err := store.Touch(t.Context(), knox.Touch{Digest: r.Digest, Used: used}); err != nil {
					t.Error(err)
				}
				found, err := store.Find(t.Context(), r.Digest)
				if err != nil || found == nil || !found.LastUsed.Equal(used) {
					t.Errorf("got %+v, %v, want a last use at %v", found, err, used)
					return
				}
			}
			if found, err := store.Revoke(t.Context(), user, id, ending()); !found || err != nil {
				t.Errorf("Revoke: got %v, %v, want true", found, err)
			}
			if found, err := store.Find(t.Context(), r.Digest); found != nil || err != nil {
				t.Errorf("got %v, %v after the revocation, want nothing", found, err)
			}
		})
	}
	group.Wait()
}
