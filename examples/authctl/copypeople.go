package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatewarden/auth/store/transfer"
)

// This file copies the users of the service. They are in the journal of the copy as its records are.

// usersKind is what the journal and the table call the users.
const usersKind transfer.Kind = "users of the service"

// mostTold is how many conflicts are told.
const mostTold = 10

// writtenPeople are hashes of the users that the copy wrote, by their keys. Those of a step that has not ended have
// two, and "" if they may be missing.
type writtenPeople map[string][]string

// writtenPeople reads the journal.
func (f *copyFile) writtenPeople() (writtenPeople, error) {
	all := make(writtenPeople)
	var last transfer.Entry
	for entry, err := range f.Entries() {
		switch {
		case err != nil:
			return nil, fmt.Errorf("-state: %s: %w", f.journal.Name(), err)
		case entry.Kind != usersKind:
		case entry.Done:
			for _, w := range last.Written {
				all[w.Key] = []string{w.Sum}
			}
			for _, key := range last.Removed {
				delete(all, key)
			}
		default:
			last = entry
			for _, w := range entry.Written {
				all[w.Key] = append([]string{""}, append(all[w.Key], w.Sum)...)
			}
			for _, key := range entry.Removed {
				all[key] = append([]string{""}, all[key]...)
			}
		}
	}
	return all, nil
}

// sum is a hash of what is kept of a person. The journal must not have the hash of a password.
func (p person) sum() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %v %v", p.signUp, p.name, p.encoded, p.active, p.admin))
	return base64.RawStdEncoding.EncodeToString(sum[:16])
}

// wantNoPeople returns an error if a new copy would mix its users with others, and if a service has changed those that
// the copy wrote.
func (c *copying) wantNoPeople(ctx context.Context) error {
	there, err := c.target.people.read(ctx)
	if err != nil {
		return fmt.Errorf("-to: reading the users: %w", err)
	}
	if !c.kept.begun() {
		if len(there) > 0 {
			return fmt.Errorf("-to: %w: %d users", transfer.ErrNotEmpty, len(there))
		}
		return nil
	}
	written, err := c.kept.writtenPeople()
	if err != nil {
		return err
	}
	if err := written.want(there); err != nil {
		return err
	}
	return c.settlePeople(there, written)
}

// want returns an error if a service has changed users that the copy wrote, or has added or removed some.
func (written writtenPeople) want(there map[string]person) error {
	var conflicts []error
	for key, p := range there {
		if sums, ok := written[key]; !ok || !slices.Contains(sums, p.sum()) {
			conflicts = append(conflicts, &transfer.ConflictError{Kind: usersKind, Key: key,
				About: "this copy did not write it, or it changed since"})
		}
	}
	for key, sums := range written {
		if _, ok := there[key]; !ok && !slices.Contains(sums, "") {
			conflicts = append(conflicts, &transfer.ConflictError{Kind: usersKind, Key: key, About: "it was removed"})
		}
	}
	if more := len(conflicts) - mostTold; more > 0 {
		conflicts = append(conflicts[:mostTold], fmt.Errorf("and %d more", more))
	}
	return errors.Join(conflicts...)
}

// settlePeople notes in the journal what a step did that has not ended.
func (c *copying) settlePeople(there map[string]person, written writtenPeople) error {
	entry := transfer.Entry{Kind: usersKind}
	for key, sums := range written {
		p, ok := there[key]
		switch {
		case len(sums) == 1:
		case ok:
			entry.Written = append(entry.Written, transfer.Written{Key: key, Sum: p.sum()})
		default:
			entry.Removed = append(entry.Removed, key)
		}
	}
	if len(entry.Written)+len(entry.Removed) == 0 {
		return nil
	}
	if err := c.kept.Append(entry); err != nil {
		return err // nothing may follow a line that a full disk cut
	}
	return c.kept.Append(transfer.Entry{Kind: usersKind, Done: true})
}

// copyPeople makes the users of the target those of the source. Those that are gone at the source are removed in the
// final run.
func (c *copying) copyPeople(ctx context.Context) (report transfer.KindReport, err error) {
	report.Kind = usersKind
	source, err := c.source.people.read(ctx)
	if err != nil {
		return report, fmt.Errorf("-from: reading the users: %w", err)
	}
	target, err := c.target.people.read(ctx)
	if err != nil {
		return report, fmt.Errorf("-to: reading the users: %w", err)
	}
	written, err := c.kept.writtenPeople()
	if err == nil {
		err = written.want(target) // again, because a service may have changed them during the copy
	}
	if err != nil {
		return report, err
	}
	if err := c.writePeople(ctx, source, target, &report); err != nil {
		return report, fmt.Errorf("-to: writing the users: %w", err)
	}
	if target, err = c.target.people.read(ctx); err != nil {
		return report, fmt.Errorf("-to: reading the users: %w", err)
	}
	if err := c.compare(source, target, &report); err != nil || !c.final {
		return report, err
	}
	again, err := c.source.people.read(ctx)
	if err == nil && !maps.Equal(source, again) {
		err = fmt.Errorf("%w: %s", transfer.ErrSourceUsed, usersKind)
	}
	return report, err
}

// writePeople notes in the journal what it writes and removes, and then does so.
func (c *copying) writePeople(ctx context.Context, source, target map[string]person,
	report *transfer.KindReport) error {
	write, remove := c.changes(source, target, report)
	if len(write)+len(remove) == 0 {
		return nil
	}
	entry := transfer.Entry{Kind: usersKind}
	for _, p := range write {
		entry.Written = append(entry.Written, transfer.Written{Key: p.key(), Sum: p.sum()})
	}
	for _, p := range remove {
		entry.Removed = append(entry.Removed, p.key())
	}
	if err := c.kept.Append(entry); err != nil {
		return err
	}
	if err := errors.Join(c.target.people.write(ctx, write), c.target.people.remove(ctx, remove)); err != nil {
		return err
	}
	return c.kept.Append(transfer.Entry{Kind: usersKind, Done: true})
}

// changes returns what is to be written to the target, and what is to be removed.
func (c *copying) changes(source, target map[string]person, report *transfer.KindReport) (write, remove []person) {
	for key, p := range source {
		old, there := target[key]
		switch {
		case !there:
			report.Added++
		case old != p:
			report.Replaced++
		default:
			continue
		}
		write = append(write, p)
	}
	for key, p := range target {
		if _, there := source[key]; !there && c.final {
			remove = append(remove, p)
		}
	}
	report.Removed = len(remove)
	return write, remove
}

// compare checks that the target has all users of the source and, after the final run, no others.
func (c *copying) compare(source, target map[string]person, report *transfer.KindReport) error {
	report.Source, report.Target, report.Samples = len(source), len(target), len(source)
	for key, p := range source {
		if target[key] != p {
			return fmt.Errorf("%w: user %q", transfer.ErrDiffers, p.name)
		}
	}
	if c.final && len(source) != len(target) {
		return fmt.Errorf("%w: the source has %d users, and the target has %d", transfer.ErrDiffers, len(source),
			len(target))
	}
	return nil
}
