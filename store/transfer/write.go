package transfer

import (
	"context"
	"fmt"
	"time"

	"github.com/gatewarden/auth/oauth2/server"
)

// This file writes to the target. The journal has each step before it is made.

// write brings records of the source to the target.
func (r *run) write(ctx context.Context, kind Kind, records []Record) error {
	records, err := r.withClients(ctx, kind, records)
	if err != nil || len(records) == 0 {
		return err
	}
	r.samples[kind].add(records)
	var fresh, changed []Record
	all := r.journal.of(kind)
	for _, record := range records {
		k := all[record.Key()]
		switch {
		case k == nil:
			fresh = append(fresh, record)
		case !k.written.matches(writtenOf(record), r.keep): // what is missing was revoked, unless it is of no use
			k.seen = r.walk
			changed = append(changed, record)
		default:
			k.seen = r.walk
		}
	}
	if err := r.add(ctx, kind, fresh); err != nil {
		return err
	}
	return r.replace(ctx, kind, changed)
}

// withClients copies clients that a service added after their kind was copied, since an engine may need them before
// what they have. It leaves out consents without a client, which could not be used.
func (r *run) withClients(ctx context.Context, kind Kind, records []Record) ([]Record, error) {
	missing := r.missingClients(records)
	if len(missing) == 0 {
		return records, nil
	}
	there, err := r.source.Lookup(ctx, OAuthClients, missing, r.keep)
	if err != nil {
		return nil, fmt.Errorf("reading %s of the source: %w", OAuthClients, err)
	}
	for _, client := range there {
		if client == nil {
			continue
		}
		if r.options.Final {
			return nil, fmt.Errorf("%w: %s, key %q: it was added", ErrSourceUsed, OAuthClients, client.Key())
		}
		if err := r.write(ctx, OAuthClients, []Record{client}); err != nil {
			return nil, err
		}
	}
	if kind != OAuthConsents {
		return records, nil
	}
	return r.withoutOrphans(records), nil
}

// missingClients returns the clients of some records that the copy has not written, each once.
func (r *run) missingClients(records []Record) []Record {
	var missing []Record
	asked := make(map[string]bool)
	for _, record := range records {
		id := clientOf(record)
		if id != "" && !r.hasClient(id) && !asked[id] {
			asked[id] = true
			missing = append(missing, OAuthClient{&server.Client{ID: id}})
		}
	}
	return missing
}

// withoutOrphans leaves out the consents that have no client.
func (r *run) withoutOrphans(consents []Record) []Record {
	var kept []Record
	for _, consent := range consents {
		if !r.hasClient(clientOf(consent)) {
			r.leftOut[consent.Key()] = true
		} else {
			kept = append(kept, consent)
		}
	}
	return kept
}

// hasClient reports whether the copy has written a client. In the final run it returns false for a client that this run
// did not find at the source, because it will be removed.
func (r *run) hasClient(id string) bool {
	k := r.journal.of(OAuthClients)[id]
	return k != nil && (!r.options.Final || k.seen == r.walk)
}

// clientOf returns the client that a consent or a grant is for, or "".
func clientOf(record Record) string {
	switch r := record.(type) {
	case OAuthConsent:
		return r.ClientID
	case *OAuthGrant:
		return r.ClientID
	}
	return ""
}

// entryOf is the step that writes records.
func entryOf(kind Kind, records []Record) Entry {
	entry := Entry{Kind: kind}
	for _, record := range records {
		entry.Written = append(entry.Written, writtenOf(record))
	}
	return entry
}

// add adds records that this copy has not written before.
func (r *run) add(ctx context.Context, kind Kind, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	err := r.journal.step(entryOf(kind, records), func() error {
		added, err := r.target.Import(ctx, kind, records, r.now)
		if err != nil {
			return fmt.Errorf("writing %s to the target, the first key is %q: %w", kind, records[0].Key(), err)
		}
		r.reports[kind].Added += added
		if added == len(records) {
			return nil
		}
		return r.wantAdded(ctx, kind, records)
	})
	for _, record := range records {
		if k := r.journal.of(kind)[record.Key()]; k != nil {
			k.seen = r.walk
		}
	}
	return err
}

// wantAdded names the records that were in the target before they were added.
func (r *run) wantAdded(ctx context.Context, kind Kind, records []Record) error {
	there, err := r.target.Lookup(ctx, kind, records, r.keep)
	if err != nil {
		return fmt.Errorf("reading %s of the target: %w", kind, err)
	}
	var conflicts firstErrors
	for i, record := range records {
		if there[i] == nil {
			return fmt.Errorf("%w: %s, key %q: it was written, and is not there", ErrDiffers, kind, record.Key())
		}
		if field := Difference(record, there[i]); field != "" {
			_ = conflicts.add(func() (error, error) {
				return &ConflictError{kind, record.Key(), field, "this copy did not write it"}, nil
			})
		}
	}
	return conflicts.err()
}

// replace writes records that have changed at the source since the copy wrote them.
func (r *run) replace(ctx context.Context, kind Kind, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := r.wantWritten(ctx, kind, records); err != nil {
		return err
	}
	r.reports[kind].Replaced += len(records)
	return r.journal.step(entryOf(kind, records), func() error {
		if err := r.target.Replace(ctx, kind, records, r.now); err != nil {
			return fmt.Errorf("replacing %s of the target, the first key is %q: %w", kind, records[0].Key(), err)
		}
		return nil
	})
}

// wantWritten returns an error unless the target has these records as the copy wrote them.
func (r *run) wantWritten(ctx context.Context, kind Kind, records []Record) error {
	there, err := r.target.Lookup(ctx, kind, records, time.Now().Add(-minRetention))
	if err != nil {
		return fmt.Errorf("reading %s of the target: %w", kind, err)
	}
	var conflicts firstErrors
	for i, record := range records {
		k := r.journal.of(kind)[record.Key()]
		about, field := "", ""
		switch {
		case there[i] == nil && !mayBeGone(kind, k.until()):
			about = aboutEnded
		case there[i] != nil && !k.written.atTarget(writtenOf(there[i])):
			about, field = aboutChanged, Difference(record, there[i])
		default:
			continue
		}
		_ = conflicts.add(func() (error, error) {
			return &ConflictError{kind, record.Key(), field, about}, nil
		})
	}
	return conflicts.err()
}

// removeEnded removes from the target what the source does not have any more.
func (r *run) removeEnded(ctx context.Context, kind Kind) error {
	if !r.hasUnseen(kind) {
		return nil
	}
	done := 0
	return r.eachPage(ctx, r.target, "the target", kind, r.removesFrom(kind), func(records []Record) error {
		var unseen []Record
		for _, record := range records {
			if k := r.journal.of(kind)[record.Key()]; k != nil && k.seen != r.walk {
				unseen = append(unseen, record)
			}
		}
		if err := r.removeUnseen(ctx, kind, unseen); err != nil {
			return err
		}
		done += len(records)
		r.tell(Progress{Kind: kind, Removing: true, Done: done, Total: r.totals[kind]})
		return nil
	})
}

// hasUnseen reports whether the copy wrote records that the source did not return in this run.
func (r *run) hasUnseen(kind Kind) bool {
	from := r.removesFrom(kind)
	for _, k := range r.journal.of(kind) {
		if k.seen != r.walk && isUseful(k.until(), from) {
			return true
		}
	}
	return false
}

// removesFrom returns the instant such that what is of no use then may stay in the target. An expired grant must go
// before its client: an engine may say that a grant without a client was revoked.
func (r *run) removesFrom(kind Kind) time.Time {
	if kind == OAuthGrants {
		return r.now.Add(-minRetention)
	}
	return r.keep
}

// removeUnseen removes those of some records of the target that the source does not have.
func (r *run) removeUnseen(ctx context.Context, kind Kind, records []Record) error {
	if len(records) == 0 {
		return nil
	}
	there, err := r.source.Lookup(ctx, kind, records, r.keep)
	if err != nil {
		return fmt.Errorf("reading %s of the source: %w", kind, err)
	}
	var ended []Record
	for i, record := range records {
		if there[i] == nil || r.leftOut[record.Key()] && kind == OAuthConsents {
			ended = append(ended, record)
		}
	}
	if len(ended) == 0 {
		return nil
	}
	if err := r.wantWritten(ctx, kind, ended); err != nil {
		return err
	}
	r.reports[kind].Removed += len(ended)
	return r.journal.step(Entry{Kind: kind, Removed: keysOf(ended)}, func() error {
		if err := r.target.Remove(ctx, kind, ended, r.now); err != nil {
			return fmt.Errorf("removing %s of the target: %w", kind, err)
		}
		return nil
	})
}

func keysOf(records []Record) []string {
	keys := make([]string, len(records))
	for i, record := range records {
		keys[i] = record.Key()
	}
	return keys
}
