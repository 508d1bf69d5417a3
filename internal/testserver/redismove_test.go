//go:build unix

package testserver_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth/internal/testserver"
)

func TestUnitRedisMoveFinish(t *testing.T) {
	t.Run("a move does not finish while keys are left, and loses none of them", func(t *testing.T) {
		c := testserver.NewRedisCluster(t)
		slot := c.Slot(t, "key")
		c.Owner(t, slot).Do(t, "SET", "key", "value")
		m := c.BeginMove(t, slot)
		if err := m.TryFinish(); err == nil || !strings.Contains(err.Error(), "1 keys left") {
			t.Errorf("got %v, want 1 keys left", err)
		}
		for m.Keys(t, 1) > 0 {
		}
		m.Finish(t)
		if got := m.To.Do(t, "GET", "key"); got != "value" {
			t.Errorf("got %v, want value", got)
		}
	})
}
