package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/examples/internal/database"
	"github.com/gatewarden/auth/knox"
)

// issue makes a token. It tells of no login, so routes that ask for a recent
// one (auth.Fresh) refuse it.
func issue(ctx context.Context, c *call) error {
	o := knox.Options{UserAgent: "authctl"}
	var names string
	c.flags.StringVar(&o.Name, "name", "", "what the user will see it as")
	c.flags.StringVar(&names, "scopes", "", "what it is limited to, separated by spaces: "+strings.Join(scopes, ", "))
	c.flags.DurationVar(&o.TTL, "ttl", 10*time.Hour, "how long it is good")
	c.flags.BoolVar(&o.NoExpiry, "no-expiry", false, "it is good until somebody revokes it")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	o.Scopes = strings.Fields(names)
	switch {
	case c.isSet("scopes") && len(o.Scopes) == 0: // an empty variable of a script, perhaps
		return usageErrorf("-scopes names no scope; leave it out for a token without limits")
	case o.TTL < time.Second:
		return usageErrorf("-ttl %v is less than a second", o.TTL)
	case o.NoExpiry && c.isSet("ttl"):
		return usageErrorf("-ttl and -no-expiry contradict each other")
	case o.NoExpiry:
		o.TTL = 0
	}
	for _, scope := range o.Scopes {
		if !slices.Contains(scopes, scope) {
			return usageErrorf("there is no scope %q", scope)
		}
	}
	s, err := open(ctx, c, false)
	if err != nil {
		return err
	}
	defer s.db.Close()
	issued, err := s.tokens.Issue(ctx, c.args[0], o)
	if err != nil {
		return userError(err, c.args[0])
	}
	if _, err := fmt.Fprintln(c.stdout, issued.Secret.Reveal()); err != nil {
		_, e := s.tokens.Revoke(context.WithoutCancel(ctx), issued.UserID(), issued.ID())
		return errors.Join(fmt.Errorf("nobody could read the secret, so the token is revoked: %w", err), e)
	}
	row := rowOfToken(issued.Token)
	fmt.Fprintf(c.stderr, "token %s of %s: expires %s, scopes %s\n", row.ID, printable(issued.UserID()),
		when(row.Expiry), limits(row.Scopes))
	return nil
}

// list shows what a user has.
func list(ctx context.Context, c *call) error {
	asJSON := c.flags.Bool("json", false, "for programs: an array of objects, null for never and for not limited")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	s, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.db.Close()
	tokens, err := rowsOf(ctx, c.args[0], s.tokens.List, rowOfToken)
	if err != nil {
		return userError(err, c.args[0])
	}
	sessions, err := rowsOf(ctx, c.args[0], s.sessions.List, rowOfSession)
	if err != nil {
		return err
	}
	logins, err := rowsOf(ctx, c.args[0], s.logins.list, rowOfLogin)
	if err != nil {
		return err
	}
	grants, err := rowsOf(ctx, c.args[0], s.oauth.Grants, rowOfGrant)
	if err != nil {
		return err
	}
	rows := slices.Concat(tokens, sessions, logins, grants)
	if rows == nil {
		rows = []row{} // an array for programs, too
	}
	if u, err := s.users.find(ctx, c.args[0]); err == nil && !u.active {
		fmt.Fprintf(c.stderr, "%s is inactive: nothing of this is accepted until that changes\n", printable(c.args[0]))
	}
	if *asJSON {
		return writeJSON(c.stdout, rows)
	}
	return writeRows(c.stdout, rows)
}

// rowsOf reads a list of a user's, page by page.
func rowsOf[R any](ctx context.Context, userID string,
	list func(context.Context, string, backend.Page) ([]R, string, error), rowOf func(R) row) (rows []row, err error) {
	for one, err := range backend.AllRows(func(page backend.Page) ([]R, string, error) {
		return list(ctx, userID, page)
	}) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, rowOf(one))
	}
	return rows, nil
}

// revoke ends what a user has. It does so for a deleted user, too: what the user
// had may still be there.
func revoke(ctx context.Context, c *call) error {
	all := c.flags.Bool("all", false, "end all tokens, sessions, logins, grants and links sent by mail")
	if err := c.parse(1, 2); err != nil {
		return err
	}
	if *all != (len(c.args) == 1) {
		return usageErrorf("want either an ID or -all")
	}
	s, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.db.Close()
	userID := c.args[0]
	if *all {
		return revokeAll(ctx, c, s, userID)
	}
	id := c.args[1]
	for _, kind := range []struct {
		name   string
		revoke func(context.Context, string, string) (bool, error)
	}{{"token", s.tokens.Revoke}, {"session", s.sessions.Revoke}, {"login", s.logins.revoke},
		{"grant", s.revokeGrant}} {
		found, err := kind.revoke(ctx, userID, id)
		if err != nil {
			return err
		}
		if found {
			fmt.Fprintf(c.stdout, "%s %s of %s has ended\n", kind.name, printable(id), printable(userID))
			return nil
		}
	}
	if _, err := s.users.find(ctx, userID); err != nil {
		return userError(err, userID)
	}
	return fmt.Errorf("%q has no token, session, login or grant %q", userID, id)
}

// revokeAll ends first what the rest can be had with: a link changes the
// password, and a session may make tokens.
func revokeAll(ctx context.Context, c *call, s *service, userID string) error {
	var counts []count
	var errs []error
	total := 0
	for _, kind := range []struct {
		name   string
		revoke func(context.Context, string) (int, error)
	}{{"one-time tokens", s.oneTime.RevokeAll}, {"sessions", s.sessions.RevokeAll}, {"logins", s.logins.revokeAll},
		{"grants", s.oauth.RevokeAll}, {"tokens", s.tokens.RevokeAll}} {
		n, err := kind.revoke(ctx, userID)
		if err != nil { // the others end all the same
			errs = append(errs, fmt.Errorf("%s: %w", kind.name, err))
			continue
		}
		counts, total = append(counts, count{kind.name, n}), total+n
	}
	if len(errs) == 0 && total == 0 {
		if _, err := s.users.find(ctx, userID); err != nil {
			return userError(err, userID)
		}
	}
	return errors.Join(append(errs, writeCounts(c.stdout, counts))...)
}

// audit shows what a user had.
func audit(ctx context.Context, c *call) error {
	asJSON := c.flags.Bool("json", false, "for programs: an array of objects, null for never and for not limited")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	s, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.db.Close()
	ended, err := s.tokens.Ended(ctx, c.args[0])
	if err != nil {
		return err
	}
	if len(ended) == 0 { // of a deleted user there may be some
		if _, err := s.users.find(ctx, c.args[0]); err != nil {
			return userError(err, c.args[0])
		}
		fmt.Fprintf(c.stderr, "nothing is kept of tokens of %s that ended; a service without KeepEnded removes it\n",
			printable(c.args[0]))
	}
	rows := make([]endedRow, 0, len(ended))
	for _, token := range ended {
		rows = append(rows, rowOfEnded(token))
	}
	if *asJSON {
		return writeJSON(c.stdout, rows)
	}
	return writeEnded(c.stdout, rows)
}

// purge removes what has expired. One store that fails keeps no other from it.
func purge(ctx context.Context, c *call) error {
	if err := c.parse(0, 0); err != nil {
		return err
	}
	s, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer s.db.Close()
	var counts []count
	var errs []error
	for _, kind := range s.purgers() {
		n, err := auth.PurgeAll(ctx, kind.purger)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", kind.name, err))
		}
		counts = append(counts, count{kind.name, n}) // a part of them may be gone
	}
	return errors.Join(append(errs, writeCounts(c.stdout, counts))...)
}

type namedPurger struct {
	name   string
	purger auth.Purger
}

// purgers are those of the service, and stores of which no key or provider is needed
// here.
func (s *service) purgers() []namedPurger {
	return []namedPurger{
		{"tokens", s.tokens}, {"sessions", s.sessions}, {"logins", stored{s.logins}}, {"grants", s.oauth},
		{"attempts", stored{s.attempts}}, {"throttle counters", stored{s.throttle}}, {"one-time tokens", s.oneTime},
	}
}

// stored is a store as an auth.Purger.
type stored struct {
	store interface {
		Purge(ctx context.Context, now time.Time, limit int) (int, error)
	}
}

func (s stored) Purge(ctx context.Context, limit int) (int, error) {
	return s.store.Purge(ctx, time.Now(), limit)
}

// keys shows and replaces the keys that sign JWTs. What changes, a running
// service finds within a minute.
func keys(ctx context.Context, c *call) error {
	file := c.flags.String("key", "", "`file` of the application key (default: beside the SQLite file; required for "+
		"a server)")
	if err := c.parse(1, 2); err != nil {
		return err
	}
	do, id := c.args[0], ""
	if len(c.args) == 2 {
		id = c.args[1]
	}
	if wantsID := do == "promote" || do == "retire"; wantsID != (id != "") {
		return usageErrorf("want list, rotate, promote ID or retire ID")
	}
	beside, ok := database.KeyFile(c.db)
	if *file == "" && !ok {
		return usageErrorf("keys of a database server need -key FILE, the one of the service")
	}
	s, err := open(ctx, c, false)
	if err != nil {
		return err
	}
	defer s.db.Close()
	ring, err := s.keyring(ctx, cmp.Or(*file, beside))
	if err != nil {
		return err
	}
	now := time.Now()
	switch do {
	case "list":
	case "rotate":
		err = ring.Rotate(ctx, now)
	case "promote":
		err = ring.Promote(ctx, id, now)
	case "retire":
		err = ring.Retire(ctx, id, now)
	default:
		return usageErrorf("want list, rotate, promote ID or retire ID")
	}
	if err != nil {
		return err
	}
	infos, err := ring.List(ctx, now)
	if err != nil {
		return err
	}
	return writeKeys(c.stdout, infos)
}

// userError puts the errors about users into a sentence.
func userError(err error, userID string) error {
	switch {
	case errors.Is(err, auth.ErrUserNotFound):
		return fmt.Errorf("there is no user %q", userID)
	case errors.Is(err, auth.ErrUserInactive):
		return fmt.Errorf("%q is inactive", userID)
	}
	return err
}
