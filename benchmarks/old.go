package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// measureOld measures a line with another build of this program, and puts the figures into before. On a busy machine
// ratios depend on what else runs, because neighbours empty the caches. So old and new are measured in the same minute.
func (o *options) measureOld(l line, before *record) error {
	folder, err := os.MkdirTemp("", "gatewarden-benchmark")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, "old.json")
	command := exec.Command(o.old, "-run", "^"+regexp.QuoteMeta(l.name)+"$", "-json", file, "-tokens",
		fmt.Sprint(o.tokens),
		"-rounds", fmt.Sprint(o.paired.Rounds), "-round", o.paired.Round.String(), "-slice", o.paired.Slice.String())
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		return err
	}
	old, err := readRecord(file)
	if err != nil {
		return err
	}
	before.Of, before.Machine = "an older build in the same minutes", old.Machine
	delete(before.Lines, l.name)
	if figures, ok := old.Lines[l.name]; ok {
		before.Lines[l.name] = figures
	}
	return nil
}
