package knox

import (
	"unsafe"

	"github.com/gatewarden/auth/backend"
)

// cachedCredential is what the Tokens that issued a record keeps with it, so that a check allocates
// nothing: the credential, and the user's stamp that matched last. A record that has one has
// a token of the form that these Tokens make.
//
// Its Token names the record and the Tokens that it is of. It counts for these alone: a
// store that copies a record copies the pointer to the cache, and other Tokens may share
// the store.
type cachedCredential struct {
	Token
	stamp backend.StampCache
}

// recordWithCache is a record with its cache before it, in one piece of memory, beside what each
// request reads of the record. The room at the end makes it a multiple of a line of the processor's
// cache, at which Go then has it begin.
type recordWithCache struct {
	credential cachedCredential
	Record
	_ [(cacheLine - (unsafe.Sizeof(cachedCredential{})+unsafe.Sizeof(Record{}))%cacheLine) % cacheLine]byte
}

const cacheLine = 64 // bytes

// withCache returns a copy of a new record, with its cache.
func (t *Tokens) withCache(record Record) *Record {
	made := &recordWithCache{Record: record}
	made.credential.Token = Token{&made.Record, t}
	made.Record.cache = &made.credential
	return &made.Record
}

// cacheOf returns the cache of a record for t, or nil if a store has built the record, or
// other Tokens issued it.
func (t *Tokens) cacheOf(record *Record) *cachedCredential {
	if c := record.cache; c != nil && c.record == record && c.tokens == t {
		return c
	}
	return nil
}

// credential returns the credential of a record.
func (t *Tokens) credential(record *Record) *Token {
	if c := t.cacheOf(record); c != nil {
		return &c.Token
	}
	return &Token{record, t}
}

// replacedBy returns what a store puts in the place of rec: a changed copy of it, with a cache of
// its own if rec has one.
func (rec *Record) replacedBy(changed Record) *Record {
	changed.cache = nil
	c := rec.cache
	if c == nil || c.record != rec {
		return &changed
	}
	made := c.tokens.withCache(changed)
	if made.Stamp == rec.Stamp {
		made.cache.stamp.CopyFrom(&c.stamp)
	}
	return made
}
