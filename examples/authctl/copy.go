package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/store/transfer"
)

// copyStore is the store of -from or of -to.
type copyStore struct {
	transfer.Target
	people people
	io.Closer
}

// copyAll moves everything from one store to another one: see the README.
func copyAll(ctx context.Context, c *call) error {
	from := c.flags.String("from", "", "the `store` that the service has; -db if it is not given")
	to := c.flags.String("to", "", "the `store` that everything is copied to; a new copy needs an empty one")
	path := c.flags.String("state", "gatewarden-copy.json", "`file` that keeps how far the copy is, between runs and "+
		"after a kill")
	final := c.flags.Bool("final", false, "the last run: the service is stopped, and will start with the store -to")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if *from == "" {
		*from = c.db // not as the default of the flag, which the usage would print with its password
	}
	if *to == "" {
		return usageErrorf("-to is missing: where is everything to be copied?")
	}
	for _, address := range []*string{from, to} {
		var err error
		if *address, err = absolute(*address); err != nil {
			return err
		}
	}
	if *from == *to {
		return usageErrorf("-from and -to are the same store")
	}
	kept, err := openCopyFile(*path, *from, *to)
	if err != nil {
		return err
	}
	defer kept.Close()
	source, err := openCopyStore(ctx, c, "-from", *from, true)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := openCopyStore(ctx, c, "-to", *to, false)
	if err != nil {
		return err
	}
	defer target.Close()
	copying := &copying{call: c, source: source, target: target, kept: kept, final: *final}
	if err := copying.run(ctx); err != nil {
		return kept.withAdvice(err)
	}
	copying.next(*from)
	return nil
}

// copying is a run of a copy.
type copying struct {
	*call
	source copyStore
	target copyStore
	kept   *copyFile
	final  bool
	told   time.Time
}

// run copies the users of the service, and then what was issued to them. The file says that the copy is finished only
// when both are.
func (c *copying) run(ctx context.Context) error {
	if err := c.wantNoPeople(ctx); err != nil {
		return err
	}
	source := &watched{Source: c.source, users: make(map[string]string)}
	report, err := transfer.Copy(ctx, source, c.target, transfer.Options{Final: c.final, State: c.kept.State,
		Journal: c.kept, Progress: c.progress, Save: func(state transfer.State) error {
			if state.Finished || state.Runs > c.kept.State.Runs {
				return nil // not before the users are copied
			}
			return c.kept.save(state)
		}})
	if err != nil {
		return err
	}
	users, err := c.copyPeople(ctx)
	if err != nil {
		return err
	}
	if err := c.tellMissing(ctx, source.users); err != nil {
		return err
	}
	if err := c.kept.save(report.State); err != nil {
		return err
	}
	return writeCopied(c.stdout, append([]transfer.KindReport{users}, report.Kinds...))
}

// progress writes a line about once a second, and at the end of each kind.
func (c *copying) progress(p transfer.Progress) {
	if time.Since(c.told) < time.Second && p.Done < p.Total {
		return
	}
	c.told = time.Now()
	if p.Total == 0 && p.Done == 0 {
		return
	}
	verb := "copied"
	if p.Removing {
		verb = "looked for what has ended in"
	}
	fmt.Fprintf(c.stderr, "%s %d of %d %s\n", verb, p.Done, max(p.Done, p.Total), p.Kind)
}

// next says what to do after a run.
func (c *copying) next(from string) {
	if !c.final {
		fmt.Fprintln(c.stderr, "This run is not the last one. What the service does from now on is not in the "+
			"copy yet.\n"+
			"Stop the service, run the same command with -final, and start the service with the store -to.")
		return
	}
	key := "the same file as before, by -key FILE"
	if path, ok := database.KeyFile(from); ok {
		key = "-key " + path
	}
	fmt.Fprintf(c.stderr, "The copy is finished. Start the service with the store -to and with the same application "+
		"key: %s.\n"+
		"Do not start it with the old store again: what it revokes and issues there is not in the new one.\n", key)
}

// writeCopied writes the table of a run.
func writeCopied(w io.Writer, kinds []transfer.KindReport) error {
	lines := [][]string{{"RECORDS", "SOURCE", "TARGET", "ADDED", "REPLACED", "REMOVED", "COMPARED"}}
	for _, k := range kinds {
		line := []string{string(k.Kind)}
		for _, n := range []int{k.Source, k.Target, k.Added, k.Replaced, k.Removed, k.Samples} {
			line = append(line, strconv.Itoa(n))
		}
		lines = append(lines, line)
	}
	return writeTable(w, lines)
}

// openCopyStore opens the store of a flag.
func openCopyStore(ctx context.Context, c *call, flag, address string, mustExist bool) (copyStore, error) {
	engine, err := database.EngineOf(address)
	if err != nil {
		return copyStore{}, usageErrorf("%s: want %s", flag, database.Forms)
	}
	open := openPlaceSQL
	if engine == database.Redis {
		open = openPlaceRedis
	}
	at := *c
	at.db, at.notify = address, ""
	p, err := open(ctx, &at, mustExist)
	if err != nil {
		return copyStore{}, fmt.Errorf("%s: %w", flag, err)
	}
	return p, nil
}

// withAdvice adds what to do after an error.
func (f *copyFile) withAdvice(err error) error {
	advice := ""
	switch {
	case errors.Is(err, transfer.ErrNotEmpty):
		advice = "use an empty store, or the -state file of the copy that wrote it"
	case errors.Is(err, transfer.ErrFinished):
		advice = "for another copy, use an empty store and another -state file"
	case errors.Is(err, transfer.ErrConflict):
		advice = "stop what uses the store -to, empty it, remove the -state file and begin again"
	case errors.Is(err, transfer.ErrSourceUsed):
		advice = "stop the service and run the same command again"
	case errors.Is(err, transfer.ErrDiffers):
		advice = "empty the store -to, remove the -state file and begin again"
	case f.begun():
		advice = "run the same command again to go on"
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%w; %s", err, advice)
}
