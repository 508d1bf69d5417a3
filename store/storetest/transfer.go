package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/store/transfer"
)

// Transfer checks that everything moves from one engine to another by package transfer. Each call of open returns two
// engines that are empty. It calls Purge of no store.
func Transfer(t *testing.T, open func(t *testing.T) (from, to TransferEngine)) {
	for _, each := range []struct {
		sentence string
		prove    func(t *testing.T, from, to TransferEngine)
	}{
		{"everything works after the move as before it", transferMoves},
		{"a copy that is killed goes on where it was", transferResumes},
		{"the final run carries over what happened since the run before", transferFinal},
		{"a target with data of its own is left alone", transferNotEmpty},
		{"a target that a service has used is a conflict", transferConflict},
		{"a record that has changed in the target is a conflict, and stays", transferConflictOfOne},
		{"what ended in the target after a run that was killed is a conflict, and stays so", transferConflictAfterKill},
		{"a target in which as much ended as was issued is a conflict", transferConflictOfAsMany},
		{"of many conflicts, ten are named and the others counted", transferManyConflicts},
		{"a step that the journal began and did not finish is no conflict", transferUnsettled},
		{"what ended in the target after such a step is a conflict, and stays ended", transferUnsettledConflict},
		{"what expired moments ago, by the clock of the copy, is copied", transferClocks},
		{"throttle counters that expired in the target are no conflict", transferForgotten},
		{"records of a client that was added during the copy are written after the client", transferLateClient},
		{"Import leaves a stored record as it is", transferImports},
		{"pages of any size have each record once", transferPages},
		{"the final run returns an error if a record was lost", transferLoses},
		{"the final run returns an error if the service still issues", transferWatches},
		{"the final run returns an error if the service changed something after it was copied", transferWatchesChanges},
		{"everything ends, and what is issued after it is good", transferEndsAll},
		{"what was issued since an instant ends, and what was issued before stays", transferEndsSince},
		{"what is issued while everything ends, ends", transferEndsMeanwhile},
		{"End returns ErrStillIssued if a service issues all the time", transferEndsWhileIssued},
		{"End that fails at first revokes everything later, or returns the error", transferEndsDespiteFaults},
		{"what has expired by the clock of one machine alone ends", transferEndsExpired},
		{"a token that was revoked shortly before it expires is revoked in the target", transferRevokedAccess},
		{"a client that was removed is no conflict with a grant that expired", transferRemovedClient},
		{"a consent goes with its client", transferConsentWithoutClient},
	} {
		t.Run(each.sentence, func(t *testing.T) {
			from, to := open(t)
			each.prove(t, from, to)
		})
	}
}

// copied makes a run.
func copied(t *testing.T, from, to TransferEngine, options transfer.Options) transfer.Report {
	t.Helper()
	report, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func transferMoves(t *testing.T, from, to TransferEngine) {
	before := serve(t, from, true)
	m := before.fill()
	report := copied(t, from, to, transfer.Options{Final: true, PageSize: 2})
	for _, kind := range report.Kinds {
		if kind.Added == 0 || kind.Added != kind.Source || kind.Source != kind.Target || kind.Samples == 0 {
			t.Errorf("got %+v, want at least one record, and as many in both", kind)
		}
	}
	if !report.State.Finished {
		t.Error("got a copy that is not finished after the final run, want a finished one")
	}
	serve(t, to, false).holds(m)
	before.holds(m) // the source stays as it was
}

// errKilled is the end of a run in a test.
var errKilled = errors.New("killed")

func transferResumes(t *testing.T, from, to TransferEngine) {
	m := serve(t, from, true).fill()
	var state transfer.State
	var journal transfer.MemoryJournal
	kills := 0
	for left := 1; ; left++ { // each run gets a little further
		saves := 0
		report, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, transfer.Options{PageSize: 1,
			State: state, Journal: &journal, Save: func(s transfer.State) error {
				if saves++; saves > 2 {
					return errKilled
				}
				state = s
				return nil
			}})
		if err == nil {
			state = report.State
			break
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("got %v, want the run to be killed", err)
		}
		if kills++; kills > 100 {
			t.Fatal("a run that is killed after each page does not come to its end")
		}
	}
	if kills < 5 {
		t.Errorf("got %d kills, want the copy to have many pages", kills)
	}
	report := copied(t, from, to, transfer.Options{State: state, Journal: &journal, Final: true})
	for _, kind := range report.Kinds {
		if kind.Added+kind.Replaced+kind.Removed > 0 {
			t.Errorf("got %+v in the final run, want everything to be there", kind)
		}
	}
	serve(t, to, false).holds(m)
}

func transferFinal(t *testing.T, from, to TransferEngine) {
	before := serve(t, from, true)
	m := before.fill()
	gone, used := before.issue("dave", knox.Options{}), before.login("dave")
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State

	_, err := before.tokens.RevokeAll(t.Context(), "dave")
	before.must(err)
	added := before.issue("dave", knox.Options{})
	next := before.refresh("in between", used.Refresh, true)
	voided := before.login("erin")
	_, err = before.pairs.RevokeAll(t.Context(), "erin")
	before.must(err)
	page := *m.page
	page.Digest = before.digest("alice")
	before.must(before.OAuth.AddInteraction(t.Context(), &page, 0))

	report := copied(t, from, to, transfer.Options{State: state, Journal: &journal, Final: true,
		PageSize: 3})
	after := serve(t, to, false)
	after.wantToken("revoked between the runs", gone.Secret, false)
	after.wantToken("issued between the runs", added.Secret, true)
	after.wantAccess("voided between the runs", voided.Access, false)
	after.refresh("got between the runs", next.Refresh, true)
	after.refresh("used between the runs", used.Refresh, false)
	after.holds(m)
	for _, kind := range report.Kinds {
		if want := map[transfer.Kind]int{transfer.KnoxTokens: 1}[kind.Kind]; kind.Removed != want {
			t.Errorf("got %d removed %s, want %d", kind.Removed, kind.Kind, want)
		}
	}
	_, err = transfer.Copy(t.Context(), from.Transfer, to.Transfer, transfer.Options{State: report.State})
	if !errors.Is(err, transfer.ErrFinished) {
		t.Errorf("got %v for a run after the final one, want %v", err, transfer.ErrFinished)
	}
}

func transferNotEmpty(t *testing.T, from, to TransferEngine) {
	serve(t, from, true).fill()
	there := serve(t, to, true)
	token := there.issue("zoe", knox.Options{})
	for _, final := range []bool{false, true} {
		_, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, transfer.Options{Final: final})
		if !errors.Is(err, transfer.ErrNotEmpty) {
			t.Errorf("got %v, want %v", err, transfer.ErrNotEmpty)
		}
	}
	there.wantToken("of the target", token.Secret, true)
	if n, err := to.Transfer.Count(t.Context(), transfer.KnoxTokens, time.Now()); n != 1 || err != nil {
		t.Errorf("got %d tokens in the target, want 1: %v", n, err)
	}
}

func transferConflict(t *testing.T, from, to TransferEngine) {
	before := serve(t, from, true)
	before.fill()
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State

	after := serve(t, to, false)
	extra := after.issue("alice", knox.Options{})
	var conflict *transfer.ConflictError
	_, err := transfer.Copy(t.Context(), from.Transfer, to.Transfer, transfer.Options{State: state, Journal: &journal,
		Final: true})
	if !errors.As(err, &conflict) || !errors.Is(err, transfer.ErrConflict) || conflict.Kind != transfer.KnoxTokens {
		t.Fatalf("got %v, want a conflict of a knox token", err)
	}
	after.wantToken("of the target", extra.Secret, true)
}

func transferConflictOfOne(t *testing.T, from, to TransferEngine) {
	before := serve(t, from, true)
	m := before.fill()
	var journal transfer.MemoryJournal
	state := copied(t, from, to, transfer.Options{Journal: &journal}).State

	_, err := to.OAuth.End(t.Context(), m.machine.ID, m.now)
	before.must(err)
	var conflict *transfer.ConflictError
	_, err = transfer.Copy(t.Context(), from.Transfer, to.Transfer, transfer.Options{State: state, Journal: &journal,
		Final: true})
	if !errors.As(err, &conflict) || conflict.Key != m.machine.ID || conflict.Field != "RevokedAt" {
		t.Errorf("got %v, want a conflict of the grant %s", err, m.machine.ID)
	}
	if grant, err := to.OAuth.Grant(t.Context(), m.machine.ID); grant == nil || grant.RevokedAt.IsZero() {
		t.Errorf("got the grant %+v, want its end to stay: %v", grant, err)
	}
}

func transferImports(t *testing.T, from, to TransferEngine) {
	serve(t, from, true).fill()
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, kind := range transfer.Kinds() {
		page, err := from.Transfer.Export(t.Context(), kind, "", 100, now)
		if err != nil || len(page.Records) == 0 {
			t.Fatalf("Export of %s: got %d records, want some: %v", kind, len(page.Records), err)
		}
		for _, want := range []int{len(page.Records), 0} {
			added, err := to.Transfer.Import(t.Context(), kind, page.Records, now)
			if added != want || err != nil {
				t.Errorf("Import of %s: %d were added, want %d: %v", kind, added, want, err)
			}
		}
		if err := to.Transfer.Replace(t.Context(), kind, page.Records, now); err != nil {
			t.Errorf("Replace of %s: got the error %v, want nil", kind, err)
		}
		wantEqual(t, to.Transfer, kind, page.Records, now)
	}
	for _, kind := range transfer.Kinds() {
		removeTwice(t, to.Transfer, kind, now)
	}
}

// wantEqual checks that Lookup finds the records as they are.
func wantEqual(t *testing.T, target transfer.Target, kind transfer.Kind, records []transfer.Record, now time.Time) {
	t.Helper()
	there, err := target.Lookup(t.Context(), kind, records, now)
	if err != nil {
		t.Fatalf("Lookup of %s: %v", kind, err)
	}
	for i, record := range records {
		if there[i] == nil {
			t.Errorf("Lookup of %s: got no record with the key %q", kind, record.Key())
		} else if field := transfer.Difference(record, there[i]); field != "" {
			t.Errorf("Lookup of %s: the record with the key %q differs in %s", kind, record.Key(), field)
		}
	}
}

// removeTwice removes all records of a kind. It is no error if a record is not there.
func removeTwice(t *testing.T, target transfer.Target, kind transfer.Kind, now time.Time) {
	t.Helper()
	page, err := target.Export(t.Context(), kind, "", 100, now)
	if err != nil {
		t.Fatalf("Export of %s: %v", kind, err)
	}
	for range 2 {
		if err := target.Remove(t.Context(), kind, page.Records, now); err != nil {
			t.Errorf("Remove of %s: got the error %v, want nil, also if the records are not there", kind, err)
		}
	}
	if n, err := target.Count(t.Context(), kind, now); n != 0 || err != nil {
		t.Errorf("Count of %s after Remove: got %d, want 0: %v", kind, n, err)
	}
}

func transferPages(t *testing.T, from, to TransferEngine) {
	service := serve(t, from, true)
	service.fill()
	for i := range 20 {
		service.issue(fmt.Sprintf("user%d", i%7), knox.Options{})
		service.login(fmt.Sprintf("user%d", i%7))
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, kind := range transfer.Kinds() {
		want, err := from.Transfer.Count(t.Context(), kind, now)
		if err != nil {
			t.Fatalf("Count of %s: %v", kind, err)
		}
		for _, size := range []int{1, 2, 7, 1000} {
			if n := len(exported(t, from.Transfer, kind, size, now)); n != want {
				t.Errorf("Export of %s in pages of %d: got %d records, want %d as Count says", kind, size, n, want)
			}
		}
	}
}

// exported reads the keys of all records of a kind in pages. It checks that each key comes once.
func exported(t *testing.T, source transfer.Source, kind transfer.Kind, size int, now time.Time) map[string]bool {
	t.Helper()
	keys := make(map[string]bool)
	for after := ""; ; {
		page, err := source.Export(t.Context(), kind, after, size, now)
		if err != nil || len(page.Records) > size {
			t.Fatalf("Export of %s: got %d records, want at most %d: %v", kind, len(page.Records), size, err)
		}
		for _, record := range page.Records {
			if keys[record.Key()] {
				t.Errorf("Export of %s in pages of %d: got the key %q again, want it once", kind, size, record.Key())
			}
			keys[record.Key()] = true
		}
		if after = page.Next; after == "" {
			return keys
		}
	}
}
