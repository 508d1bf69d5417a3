package cached_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/session"
)

// known are the methods of the stores for which it was decided what they mean to a cache. OAuthStore hands methods
// through that it does not have, so a new one could end tokens that stay in the cache.
var known = map[reflect.Type]string{
	reflect.TypeFor[knox.Store]():    "Add Ended Find List Purge PurgeEnded Revoke RevokeAll Touch",
	reflect.TypeFor[session.Store](): "Add Find List Purge Replace Revoke RevokeAll Touch",
	reflect.TypeFor[jwt.Store]():     "Find List Purge Revoke RevokeAll Revoked Rotate Start Use",
	reflect.TypeFor[server.Store](): "AddAccess AddClient AddInteraction Approve ChangeClient Client Clients Consent " +
		"Consents ConsumeInteraction End EndAll EndSession FindAccess FindCode FindRefresh Grant Grants " +
		"GrantsByClient Interaction Purge PutOnce Redeem RemoveAccess RemoveClient Rotate Start Withdraw",
}

func TestUnitEachMethodOfAStoreIsKnown(t *testing.T) {
	for store, want := range known {
		t.Run(store.String(), func(t *testing.T) {
			var methods []string
			for i := range store.NumMethod() {
				methods = append(methods, store.Method(i).Name)
			}
			if got := strings.Join(methods, " "); got != want {
				t.Errorf("got methods\n%s\nwant\n%s\nDecide what a new one means to the cache.", got, want)
			}
		})
	}
}
