package redisstore

import (
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth/internal/testserver"
)

// The client sends what is under way once more when a connection has reached its ConnLifetime and the server does not
// answer within a second. A change would be made twice.
func TestConnLifetimeIsRefused(t *testing.T) {
	place := onNode(t)
	place.option.ConnLifetime = time.Minute
	wantOutage(t, "a lifetime of connections", failedOpen(t, place.option, Config{Prefix: place.prefix}),
		"ConnLifetime")
}

func TestReplicasAreNotRead(t *testing.T) {
	place := onCluster(t)
	place.option.ReplicaOnly = true
	wantOutage(t, "a client of replicas", failedOpen(t, place.option, Config{Prefix: place.prefix}), "ReplicaOnly")
}

// The messages about changes come through the connection that reads. One that waits in a pool is not listened to.
func TestReadsHaveOneConnection(t *testing.T) {
	node := testserver.NewRedis(t)
	option := optionOf(t, node)
	option.DisableAutoPipelining = true
	store := Knox(testRedis{option, "x:"}.open(t, Config{}))
	var done sync.WaitGroup
	for range 50 {
		done.Go(func() { wantFound(t, store, tokenOf("alice"), false) })
	}
	done.Wait()
	listening := regexp.MustCompile(` flags=\w*B`) // with CLIENT TRACKING BCAST
	if n := len(listening.FindAllString(fmt.Sprint(node.Do(t, "CLIENT", "LIST")), -1)); n != 1 {
		t.Errorf("got %d connections that are told of changes, want 1", n)
	}
}
