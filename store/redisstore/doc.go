// Package redisstore has the stores of every backend in Redis, on one server, with Sentinel, or in a Cluster.
//
//	client := rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}}
//	db, err := redisstore.Open(ctx, client, redisstore.Config{})
//	tokens, err := knox.New(knox.Config{Store: redisstore.Knox(db), …})
//
// [Knox], [Sessions] and [OAuth] keep what they read in the memory of the process. Redis tells each process at once
// when such a record changes (RESP3 tracking). So a check of a token that was used a moment ago costs no round trip,
// and a revocation by one instance is seen by all others within milliseconds.
//
// # How a change is made
//
// A change reads the keys that it decides by. Then one script compares all of them with what was read, and writes
// everything or nothing. If another change came between, the change begins again. So each verdict is one atomic step in
// Redis, and is decided by the same Go code as in the other stores.
//
// All keys of a user are in one slot of a Cluster, and so are all keys of a grant. The README says which keys there
// are, how long they live, and what a user of Redis with few rights needs.
//
// # What Redis must promise
//
// Keys must not be evicted. [Open] refuses a server with another maxmemory-policy than noeviction. See
// Config.AllowEviction. Redis acknowledges a write before it is on a disk or on a replica. The README says what a loss
// of the last writes means for each store, and which settings make it rare.
package redisstore
