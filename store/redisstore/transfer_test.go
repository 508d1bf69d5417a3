package redisstore

import (
	"os"
	"testing"

	"github.com/gatewarden/auth/store/storetest"
)

// movedEngine opens all stores of a place.
func movedEngine(t *testing.T, place testRedis) storetest.TransferEngine {
	t.Helper()
	db := place.open(t, Config{})
	return storetest.TransferEngine{Transfer: Transfer(db), Knox: Knox(db), Sessions: Sessions(db), JWT: JWT(db),
		JWTKeys: JWTKeys(db), OAuth: OAuth(db), External: External(db), OneTime: OneTime(db), Throttle: Throttle(db)}
}

// TestUnitTransfer moves everything between one server and a Cluster. The short form has one way.
func TestUnitTransfer(t *testing.T) {
	node, cluster := onNode, onCluster
	pairs := map[string][2]func(t testing.TB) testRedis{"from one server to a Cluster": {node, cluster}}
	if os.Getenv("GATEWARDEN_FAULTS") == "full" {
		pairs["from a Cluster to one server"] = [2]func(t testing.TB) testRedis{cluster, node}
	}
	for name, pair := range pairs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Transfer(t, func(t *testing.T) (from, to storetest.TransferEngine) {
				return movedEngine(t, pair[0](t)), movedEngine(t, pair[1](t))
			})
		})
	}
}
