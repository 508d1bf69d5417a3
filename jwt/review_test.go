package jwt_test

import (
	"testing"
	"time"

	"github.com/gatewarden/auth/jwt"
)

func TestTwoThatRetriedWithinAGraceAreBothServedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		tokens, _, _ := newTokens(t, func(c *jwt.Config) { c.Grace = time.Minute })
		first, err := tokens.Issue(t.Context(), "alice", jwt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		one, err := tokens.Refresh(t.Context(), first.Refresh.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		two, err := tokens.Refresh(t.Context(), first.Refresh.Reveal())
		if err != nil || one.Refresh == two.Refresh {
			t.Fatal("not of another second: ", err)
		}
		next, err := tokens.Refresh(t.Context(), one.Refresh.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		again, err := tokens.Refresh(t.Context(), two.Refresh.Reveal())
		if err != nil {
			t.Fatal("the same token, written two seconds later: ", err)
		}
		_, a := claimsOf(t, next.Refresh.Reveal())
		if _, b := claimsOf(t, again.Refresh.Reveal()); a["jti"] != b["jti"] {
			t.Errorf("another successor: %v %v", a, b)
		}
	})
}
