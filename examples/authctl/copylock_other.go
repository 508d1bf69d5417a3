//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package main

import "os"

// lock does nothing, because this system has no flock. Make one run at a time.
func lock(*os.File) error { return nil }

// syncFolder does nothing, because this system has no such step.
func syncFolder(string) error { return nil }
