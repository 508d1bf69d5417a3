package session

import (
	"unsafe"

	"github.com/gatewarden/auth/backend"
)

// cachedCredential is what the Sessions that started a record keeps with it, so that a check allocates
// nothing: the credential, and the user's stamp that matched last. A record that has one has
// a cookie of the form that these Sessions make.
//
// Its Session names the record and the Sessions that it is of. It counts for these alone: a
// store that copies a record copies the pointer to the cache, and other Sessions may share
// the store.
type cachedCredential struct {
	Session
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
func (s *Sessions) withCache(record Record) *Record {
	made := &recordWithCache{Record: record}
	made.credential.Session = Session{&made.Record, s}
	made.Record.cache = &made.credential
	return &made.Record
}

// cacheOf returns the cache of a record for s, or nil if a store has built the record, or
// other Sessions started it.
func (s *Sessions) cacheOf(record *Record) *cachedCredential {
	if c := record.cache; c != nil && c.record == record && c.sessions == s {
		return c
	}
	return nil
}

// credential returns the credential of a record.
func (s *Sessions) credential(record *Record) *Session {
	if c := s.cacheOf(record); c != nil {
		return &c.Session
	}
	return &Session{record, s}
}

// replacedBy returns what a store puts in the place of rec: a changed copy of it, with a cache of
// its own if rec has one.
func (rec *Record) replacedBy(changed Record) *Record {
	changed.cache = nil
	c := rec.cache
	if c == nil || c.record != rec {
		return &changed
	}
	made := c.sessions.withCache(changed)
	if made.Stamp == rec.Stamp {
		made.cache.stamp.CopyFrom(&c.stamp)
	}
	return made
}
