package redisstore

import (
	"testing"
	"time"
)

// The client sends what is under way once more when a connection has reached its ConnLifetime and the server does not
// answer within a second. A change would be made twice.
func TestConnLifetimeIsRefused(t *testing.T) {
	place := onNode(t)
	place.option.ConnLifetime = time.Minute
	wantOutage(t, "a lifetime of connections", failedOpen(t, place.option, Config{Prefix: place.prefix}), "ConnLifetime")
}

func TestReplicasAreNotRead(t *testing.T) {
	place := onCluster(t)
	place.option.ReplicaOnly = true
	wantOutage(t, "a client of replicas", failedOpen(t, place.option, Config{Prefix: place.prefix}), "ReplicaOnly")
}
