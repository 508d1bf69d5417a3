package password_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatewarden/auth/password"
)

func TestUnitUsageOfAHasher(t *testing.T) {
	want := func(t *testing.T, h *password.Hasher, want password.Usage) {
		t.Helper()
		if got := h.Usage(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	t.Run("it counts what runs and what waits, until both are over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHasher(t, password.HasherConfig{Concurrent: 2, MaxWait: 3 * time.Second})
			want(t, h, password.Usage{})
			first, second := password.Occupy(h), password.Occupy(h)
			want(t, h, password.Usage{Running: 2})
			failed := make(chan error, 1)
			go func() { _, err := h.Hash(t.Context(), "correct-horse-battery"); failed <- err }()
			synctest.Wait()
			want(t, h, password.Usage{Running: 2, Waiting: 1})
			if err := <-failed; !errors.Is(err, password.ErrBusy) { // after MaxWait
				t.Errorf("got %v, want ErrBusy", err)
			}
			want(t, h, password.Usage{Running: 2})
			first()
			want(t, h, password.Usage{Running: 1})
			second()
			want(t, h, password.Usage{})
		})
	})
}

func ExampleHasher_Usage() {
	h, err := password.NewHasher(password.HasherConfig{})
	if err != nil {
		panic(err)
	}
	usage := h.Usage() // read by the metrics of the service
	fmt.Println(usage.Running, usage.Waiting)
	// Output: 0 0
}
