package knox

import "github.com/gatewarden/auth/backend"

// proof is what the Tokens that issued a record keeps with it, so that a check makes
// nothing: the credential, and the user's stamp that matched last. That there is one also
// says that the record's token has the form of these Tokens.
//
// Its Token names the record and the Tokens that it is of. It counts for these alone: a
// store that copies a record copies the pointer to the proof, and other Tokens may share
// the store.
type proof struct {
	Token
	stamp backend.StampMemo
}

// prove gives a new record its proof, before a store or another goroutine has it.
func (t *Tokens) prove(record *Record) *Token {
	record.proof = &proof{Token: Token{record, t}}
	return &record.proof.Token
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

// reproved gives a copy of a record a proof of its own, if the record has one.
func (rec *Record) reproved(of *Record) *Record {
	rec.proof = nil
	if p := of.proof; p != nil && p.record == of {
		p.tokens.prove(rec)
		if rec.Stamp == of.Stamp {
			rec.proof.stamp.Adopt(&p.stamp)
		}
	}
	return rec
}
