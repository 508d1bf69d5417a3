package redisstore

import (
	"fmt"
	"hash/crc32"

	"github.com/gatewarden/auth/backend"
)

// A key is
//
//	prefix + kind + ":{" + tag + "}" + name
//
// Redis Cluster hashes what is between braces, so keys with one tag are in one slot. The tag of a user, and of whatever
// the user has, comes from the shard of the user. There are 1,024 tags. So they spread evenly over any Cluster, and
// Purge can visit each of them.

// tags is the number of tags of users.
const tags = 1024

// tag is what is between the braces of a key.
type tag string

// tagOfOwner returns the tag of a user, or of a client that acts for itself.
func tagOfOwner(owner string) tag { return tagOfShard(backend.Shard(owner)) }

// tagOfShard returns the tag of owners with this shard.
func tagOfShard(shard string) tag { return tagAt(int(crc32.ChecksumIEEE([]byte(shard)) % tags)) }

// tagOfText returns a tag for something that belongs to no owner, or to an unknown one.
func tagOfText(text string) tag { return tagAt(int(crc32.ChecksumIEEE([]byte(text)) % tags)) }

// tagAt returns one of the tags of users, from 0 on.
func tagAt(n int) tag { return tag(fmt.Sprintf("%03x", n)) }

// shardLength is the length of the shard that digests begin with.
const shardLength = 3

// tagOfDigest returns the tag of the owner that a digest names by its shard. A digest of another form has some tag.
func tagOfDigest(digest string) tag {
	if len(digest) < shardLength {
		return tagOfText(digest)
	}
	return tagOfShard(digest[:shardLength])
}

// tagOfID returns the tag of the owner that an identifier of backend.NewIDOf names. Another identifier has some tag.
func tagOfID(id string) tag {
	if shard, ok := backend.IDShard(id); ok {
		return tagOfShard(shard)
	}
	return tagOfText(id)
}

// kind says what a key is of. The README lists all kinds with what their keys hold and how long they live.
type kind string

// key returns the name of a key.
func (db *DB) key(k kind, t tag, name string) string {
	return db.config.Prefix + string(k) + ":{" + string(t) + "}" + name
}
