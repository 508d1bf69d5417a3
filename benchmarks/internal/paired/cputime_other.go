//go:build !unix

package paired

import "time"

var started = time.Now()

// CPUTime returns the time since the process began, because this system does not tell its CPU time.
func CPUTime() time.Duration { return time.Since(started) }
