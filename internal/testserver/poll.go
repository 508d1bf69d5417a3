package testserver

import (
	"fmt"
	"time"
)

// patience bounds each step of a start or an end. A machine that runs other tests takes seconds for it.
const patience = 2 * time.Minute

// poll calls ready until it gives no error. After patience it gives the last one.
func poll(what string, ready func() error) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	timeout := time.After(patience)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-look.C:
		case <-timeout:
			return fmt.Errorf("no %s after %v: %w", what, patience, err)
		}
	}
}
