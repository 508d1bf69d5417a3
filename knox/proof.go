package knox

import (
	"unsafe"

	"github.com/gatewarden/auth/backend"
)

// proof is what the Tokens that issued a record keeps with it, so that a check makes
// nothing: the credential, and the user's stamp that matched last. That there is one also
// says that the record's token has the form of these Tokens.
//
// Its Token names the record and the Tokens that it is of. It counts for these alone: a
// store that copies a record copies the pointer to the proof, and other Tokens may share
// the store.
type proof struct {
	Token
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
func (t *Tokens) prove(record Record) *Record {
	made := &proved{Record: record}
	made.own.Token = Token{&made.Record, t}
	made.Record.proof = &made.own
	return &made.Record
}

// proofOf returns the proof of a record for t, or nil: a store has built the record, or
// other Tokens issued it.
func (t *Tokens) proofOf(record *Record) *proof {
	if p := record.proof; p != nil && p.record == record && p.tokens == t {
		return p
	}
	return nil
}

// credential returns the credential of a record.
func (t *Tokens) credential(record *Record) *Token {
	if p := t.proofOf(record); p != nil {
		return &p.Token
	}
	return &Token{record, t}
}

// reproved returns what takes the place of rec: a changed copy of it, with a proof of its
// own if rec has one.
func (rec *Record) reproved(changed Record) *Record {
	changed.proof = nil
	p := rec.proof
	if p == nil || p.record != rec {
		return &changed
	}
	made := p.tokens.prove(changed)
	if made.Stamp == rec.Stamp {
		made.proof.stamp.CopyFrom(&p.stamp)
	}
	return made
}
