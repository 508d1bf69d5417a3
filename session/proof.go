package session

import "github.com/gatewarden/auth/backend"

// proof is what the Sessions that started a record keeps with it, so that a check makes
// nothing: the credential, and the user's stamp that matched last. That there is one also
// says that the record's cookie has the form of a cookie of ours.
//
// Its Session names the record and the Sessions that it is of. It counts for these alone:
// a store that copies a record copies the pointer to the proof, and other Sessions may
// share the store.
type proof struct {
	Session
	stamp backend.StampMemo
}

// prove gives a new record its proof, before a store or another goroutine has it.
func (s *Sessions) prove(record *Record) *Session {
	record.proof = &proof{Session: Session{record, s}}
	return &record.proof.Session
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

// reproved gives a copy of a record a proof of its own, if the record has one.
func (rec *Record) reproved(of *Record) *Record {
	rec.proof = nil
	if p := of.proof; p != nil && p.record == of {
		p.sessions.prove(rec)
		if rec.Stamp == of.Stamp {
			rec.proof.stamp.Adopt(&p.stamp)
		}
	}
	return rec
}
