package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatewarden/auth/store/transfer"
)

// sinceEarlier is by how much the clock of this machine, or of the one that -since was read from, may be ahead of the
// service's.
const sinceEarlier = 5 * time.Minute

// endAll ends what was issued to all users. The service may be running.
func endAll(ctx context.Context, c *call) error {
	all := c.flags.Bool("all", false, "everything")
	since := c.flags.String("since", "", "what was issued at this `time` or later, as 2026-01-31T15:04:05Z "+
		"(RFC 3339), or so long ago, as 36h, and in the 5 minutes before it")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	if *all == c.isSet("since") {
		return usageErrorf("want either -all or -since TIME")
	}
	var from time.Time
	if !*all {
		var err error
		if from, err = timeOf(*since, time.Now()); err != nil {
			return err
		}
		from = from.Add(-sinceEarlier)
		fmt.Fprintf(c.stderr, "What was issued at %s or later ends. That is 5 minutes earlier than -since, because "+
			"the clocks of machines differ.\n", from.UTC().Format(time.RFC3339))
	}
	s, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.db.Close()
	records, err := s.records(ctx)
	if err != nil {
		return err
	}
	stores := transfer.EndStores{Knox: s.knox, Sessions: s.session, JWT: s.logins, OAuth: s.grants, OneTime: s.links,
		External: s.attempts}
	ended, failed := transfer.End(ctx, records, stores, transfer.EndOptions{Since: from, KeepEnded: keepEnded,
		Progress: func(kind transfer.Kind, seen, ended int) {
			if seen > 0 {
				fmt.Fprintf(c.stderr, "looked at %d %s, ended %d\n", seen, kind, ended)
			}
		}})
	if err := writeCounts(c.stdout, countsOf(ended)); err != nil {
		return err
	}
	if errors.Is(failed, transfer.ErrStillIssued) {
		return fmt.Errorf("what was issued last is left, so stop the service and run it again: %w", failed)
	}
	if failed != nil {
		return fmt.Errorf("some may be left, so run it again: %w", failed)
	}
	fmt.Fprintln(c.stderr, "JWT access tokens that other services verify by the published keys are good until they "+
		"expire: see authctl keys rotate, promote and retire.")
	return nil
}

// endNames are what the counts of end are called, in the order in which they end.
var endNames = []struct {
	kind transfer.Kind
	name string
}{
	{transfer.OneTimeTokens, "one-time tokens"}, {transfer.LoginCodes, "login codes"}, {transfer.Sessions, "sessions"},
	{transfer.JWTLogins, "logins"}, {transfer.OAuthGrants, "grants"}, {transfer.KnoxTokens, "tokens"},
}

func countsOf(ended transfer.Ended) (counts []count) {
	for _, each := range endNames {
		counts = append(counts, count{each.name, ended[each.kind]})
	}
	return counts
}

// timeOf reads a time, or how long ago it was.
func timeOf(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usageErrorf("-since: want a time such as 2026-01-31T15:04:05Z, or how long ago it was, such as 36h")
	}
	if at.After(now) {
		return at, usageErrorf("-since: %s has not come yet", at.Format(time.RFC3339))
	}
	return at, nil
}
