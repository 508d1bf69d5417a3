package testserver

import (
	"fmt"
	"time"
)

// startTimeout bounds each step of a start or an end. A machine that runs other tests takes seconds for it.
const startTimeout = 2 * time.Minute

// waitFor calls ready until it gives no error. After startTimeout it gives the last one.
func waitFor(what string, ready func() error) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	timeout := time.After(startTimeout)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-timeout:
			return fmt.Errorf("no %s after %v: %w", what, startTimeout, err)
		}
	}
}
