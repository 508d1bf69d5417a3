package session

import (
	"unsafe"

	"github.com/gatewarden/auth/backend"
)

// proof is what the Sessions that started a record keeps with it, so that a check makes
// nothing: the credential, and the user's stamp that matched last. That there is one also
// says that the record's cookie has the form of a cookie of ours.
//
// Its Session names the record and the Sessions that it is of. It counts for these alone:
// a store that copies a record copies the pointer to the proof, and other Sessions may
// share the store.
type proof struct {
	Session
	stamp backend.StampCache
}

// proved is a record with its proof before it, in one piece of memory, beside what each request
// reads of the record. The room at the end makes it a multiple of a line of the processor's cache,
// at which Go then has it begin.
type proved struct {
	own proof
	Record
	_ [(cacheLine - (unsafe.Sizeof(proof{})+unsafe.Sizeof(Record{}))%cacheLine) % cacheLine]byte
}

const cacheLine = 64 // bytes

// prove returns a copy of a new record, with its proof.
func (s *Sessions) prove(record Record) *Record {
	made := &proved{Record: record}
	made.own.Session = Session{&made.Record, s}
	made.Record.proof = &made.own
	return &made.Record
}

// proofOf returns the proof of a record for s, or nil: a store has built the record, or
// other Sessions started it.
func (s *Sessions) proofOf(record *Record) *proof {
	if p := record.proof; p != nil && p.record == record && p.sessions == s {
		return p
	}
	return nil
}

// credential returns the credential of a record.
func (s *Sessions) credential(record *Record) *Session {
	if p := s.proofOf(record); p != nil {
		return &p.Session
	}
	return &Session{record, s}
}

// reproved returns what takes the place of rec: a changed copy of it, with a proof of its
// own if rec has one.
func (rec *Record) reproved(changed Record) *Record {
	changed.proof = nil
	p := rec.proof
	if p == nil || p.record != rec {
		return &changed
	}
	made := p.sessions.prove(changed)
	if made.Stamp == rec.Stamp {
		made.proof.stamp.CopyFrom(&p.stamp)
	}
	return made
}
