//go:build unix

package paired

import (
	"syscall"
	"time"
)

// CPUTime returns the CPU time that the process has used so far, in user and kernel mode.
func CPUTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic("getrusage of the own process: " + err.Error()) // it has no reason to fail
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
