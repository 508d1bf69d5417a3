// Package failover kills the server that keeps the tokens, lets a replica take its place, and looks what was lost. It
// also breaks the channel by which PostgreSQL tells caches of revocations.
//
// Its tests start PostgreSQL with a standby, Redis with a Sentinel, and a Redis Cluster with replicas. MariaDB has no
// replica here: what its replication loses was not tried.
package failover
