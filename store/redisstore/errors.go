package redisstore

import (
	"strings"

	"github.com/redis/rueidis"
)

// hints say what an operator can do about an error of Redis, by the first word of the error.
var hints = map[string]string{
	"WRONGPASS":   "the user name or the password is wrong",
	"NOAUTH":      "the server asks for a password",
	"NOPERM":      "the user of Redis may not do this; the README of redisstore lists the commands and keys to allow",
	"READONLY":    "the server is a replica and takes no writes; name the master, or use Sentinel or the Cluster",
	"LOADING":     "the server is still loading its data",
	"OOM":         "the memory of the server is full (maxmemory)",
	"MISCONF":     "the server cannot save to its disk and takes no writes",
	"WRONGTYPE":   "a key under the prefix has another type; some other program wrote it",
	"CLUSTERDOWN": "the Cluster is down, or no node has the slot",
	"MASTERDOWN":  "the replica has lost its master",
	"NOREPLICAS":  "fewer replicas than min-replicas-to-write are connected",
	"TRYAGAIN":    "the slot is on its way to another node",
	"MOVED":       "the nodes of the Cluster do not agree which of them has the slot",
	"ASK":         "the nodes of the Cluster do not agree which of them has the slot",
	"BUSY":        "a script of another program keeps the server busy",
}

// hintOf returns a sentence for an error, or "".
func hintOf(err error) string {
	reply, ok := rueidis.IsRedisErr(err)
	if !ok {
		return ""
	}
	text := reply.Error()
	word, _, _ := strings.Cut(text, " ")
	if hint := hints[word]; hint != "" {
		return hint
	}
	if strings.Contains(text, "can't run this command") || strings.Contains(text, "can't access") {
		return hints["NOPERM"] // inside the script
	}
	for word, hint := range hints { // an error inside the script has other text around it
		if strings.Contains(text, word+" ") {
			return hint
		}
	}
	return ""
}
