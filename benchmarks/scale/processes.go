package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// This file reads the CPU time of servers from /proc, where there is one.

// ticks is how many of its units of CPU time Linux counts in a second.
const ticks = 100

// process is what /proc says of one.
type process struct {
	parent, session int
	cpu             time.Duration // with that of its children that have ended
}

func processes() map[int]process {
	all := make(map[int]process)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The name, in parentheses, may have blanks.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if len(fields) < 15 {
			continue
		}
		p := process{}
		p.parent, _ = strconv.Atoi(fields[1])
		p.session, _ = strconv.Atoi(fields[3])
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.Atoi(field)
			p.cpu += time.Duration(n) * time.Second / ticks
		}
		all[pid] = p
	}
	return all
}

// childrenOf returns the processes that this one has started.
func childrenOf() map[int]bool {
	own := make(map[int]bool)
	for pid, p := range processes() {
		if p.parent == os.Getpid() {
			own[pid] = true
		}
	}
	return own
}

// engineCPU returns a function that adds the CPU time of a server that was started since before. Its processes are in
// the session of the shell that internal/testserver starts, or below such ones. It is nil if no process was started.
func engineCPU(before map[int]bool) func() time.Duration {
	roots := childrenOf()
	for pid := range before {
		delete(roots, pid)
	}
	if len(roots) == 0 {
		return nil
	}
	return func() (total time.Duration) {
		all := processes()
		for pid, p := range all {
			for up := pid; up > 1; up = all[up].parent {
				if roots[all[up].session] {
					total += p.cpu
					break
				}
			}
		}
		return total
	}
}
