package server

import (
	"testing"
	"time"
)

// Config.Tokens.Grace and Registration.RefreshGrace are at most a minute, so a record with more is not obeyed.
func TestUnitTheGraceOfARecord(t *testing.T) {
	s := new(Server)
	if got := s.graceOf(&Client{RefreshGrace: 30 * 24 * 3600}); got > time.Minute {
		t.Errorf("got a grace of %v, want at most a minute", got)
	}
}
