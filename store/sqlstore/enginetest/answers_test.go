package enginetest

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/store/sqlstore"
)

// Allowing, denying and withdrawing at once.
func TestUnitAllowAndDenyRace(t *testing.T) {
	store, err := sqlstore.OAuth(t.Context(), openSQLite(t, filepath.Join(t.TempDir(), "race.db")))
	if err != nil {
		t.Fatal(err)
	}
	noon := time.UnixMicro(1e15).UTC()
	if _, err := store.AddClient(t.Context(), &server.Client{ID: "web", Updated: noon}, 0); err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		digest := fmt.Sprint("page", round)
		if err := store.AddInteraction(t.Context(), &server.Interaction{ID: digest, Digest: digest, UserID: "alice",
			Created:   noon,
			ExpiresAt: noon.Add(time.Hour)}, 0); err != nil {
			t.Fatal(err)
		}
		var won, granted atomic.Int32
		var group sync.WaitGroup
		for i := range 24 {
			group.Go(func() {
				if i%2 == 0 {
					if got, err := store.ConsumeInteraction(t.Context(), digest, noon); err != nil {
						t.Error(err)
					} else if got != nil {
						won.Add(1)
					}
					return
				}
				id := fmt.Sprint(round, ".", i)
				may := server.Permissions{{Resource: firstAPI, Scopes: []string{"read"}}}
				added, err := store.Approve(t.Context(), server.Approval{Interaction: digest,
					Grant: &server.Grant{ID: id, ClientID: "web", UserID: "alice", Permissions: may, Created: noon,
						LastUsed:  noon,
						ExpiresAt: noon.Add(time.Hour), MaxExpiresAt: noon.Add(time.Hour)},
					Code: &server.Code{Digest: id, GrantID: id, ExpiresAt: noon.Add(time.Hour)},
					Remember: &server.Consent{UserID: "alice", ClientID: "web", Permissions: may, Created: noon,
						Updated: noon}})
				if err != nil {
					t.Error(err)
				} else if added.OK() {
					won.Add(1)
					granted.Add(1)
				}
			})
		}
		group.Wait()
		live, err := store.Grants(t.Context(), "alice", "", 99, noon)
		if err != nil || won.Load() != 1 || len(live) != int(granted.Load()) {
			t.Errorf("got %d answers and %d grants, %v", won.Load(), len(live), err)
		}
		consent, err := store.Consent(t.Context(), "alice", "web")
		if err != nil || (consent != nil) != (granted.Load() == 1) {
			t.Errorf("got %+v, %v after %d", consent, err, granted.Load())
		}
		if _, err := store.Withdraw(t.Context(), "alice", "web", noon); err != nil {
			t.Fatal(err)
		}
	}
}
