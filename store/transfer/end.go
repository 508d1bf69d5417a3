package transfer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// EndStores are the stores in which [End] ends things. Those that are nil are left out.
type EndStores struct {
	Knox     knox.Store
	Sessions session.Store
	JWT      jwt.Store
	OAuth    server.Store
	OneTime  password.OneTimeStore
	External external.Store
}

// EndOptions say what [End] ends.
type EndOptions struct {
	// Since ends what was issued at this instant or later. A login by JWT and a grant also end if they got tokens
	// since. Zero ends everything.
	Since time.Time
	// KeepEnded is knox.Config.KeepEnded of the service.
	KeepEnded time.Duration
	// Progress is told after each page how many records of a kind were looked at and ended. It may be nil.
	Progress func(kind Kind, seen, ended int)
}

// Ended are how many records of each kind ended.
type Ended map[Kind]int

// ErrStillIssued says that End found something to end in each of its passes, because the service issues meanwhile.
var ErrStillIssued = errors.New("the service still issues: stop it")

// endPasses is how often End looks for what is left.
const endPasses = 20

// End ends what was issued to all users: knox tokens, sessions, logins by JWT, grants, and tokens and codes that are
// good once. Use it after a leak, or after a backup was restored, which revives what was revoked since.
//
// The service may be running. What it issues until the last pass of End begins ends too: a user that logs in meanwhile
// may have to do so again. What it issues during the last pass may be left. End looks again until there is nothing more
// to end. If a service issues all the time, that is an [ErrStillIssued], and what it issued last is left. Caches of
// running instances are told as of any other revocation.
//
// What expired less than five minutes ago ends too, since the clock of the service may be behind.
//
// JWT access tokens that others verify by the published keys are good until they expire, unless the key is retired.
// Tokens of other issuers are not ended either.
//
// Records that cannot be read or ended are left, and all others end. Then the error counts them and names the first of
// them. Any error says that some may be left, or that tokens of no login are not void. Then call End again.
func End(ctx context.Context, source Source, stores EndStores, options EndOptions) (Ended, error) {
	options.Since = options.Since.Truncate(time.Microsecond) // as stores do
	e := &ending{source: source, stores: stores, options: options, ended: make(Ended)}
	var passErr, userPassErr error // what a pass leaves, and why a pass could not end everything of each user
	endedByUser := 0               // how many records the last pass ended that was to end everything of each user
	for range endPasses {
		ended, err := e.pass(ctx)
		if ctx.Err() != nil {
			return e.ended, errors.Join(err, ctx.Err())
		}
		// There are two kinds of passes. The first kind ends everything of a user in one step. One unreadable record
		// makes that step fail. Then the second kind ends each record by itself. End returns when both kinds find
		// nothing. What was added behind a pass is found by the next one.
		if passErr = cmp.Or(err, userPassErr); e.oneByOne && ended == 0 && (userPassErr == nil || endedByUser == 0) {
			return e.ended, passErr
		}
		if !e.oneByOne {
			endedByUser, userPassErr = ended, err
		}
		e.oneByOne = !e.oneByOne || userPassErr == nil
	}
	return e.ended, errors.Join(fmt.Errorf("transfer: %w", ErrStillIssued), passErr)
}

// endedKinds begin with what the rest can be had with: a link changes the password, and a session may make tokens.
var endedKinds = []Kind{OneTimeTokens, LoginCodes, Sessions, JWTLogins, OAuthGrants, KnoxTokens, Owners}

// ending is a call of End.
type ending struct {
	source   Source
	stores   EndStores
	options  EndOptions
	now      time.Time // of the pass
	oneByOne bool      // each record ends alone: a pass has tried to end everything of each user

	mu     sync.Mutex
	ended  Ended
	failed firstErrors     // records of a kind that are left
	told   map[string]bool // what failed has, since an engine may return a record twice
}

// maxDistinct is how many different errors a pass remembers. After them, a record that is returned twice counts twice.
const maxDistinct = 10_000

// endWorkers is how many records end at once.
const endWorkers = 8

// pass ends what there is, and returns how many records it ended. The error is about those that are left.
func (e *ending) pass(ctx context.Context) (ended int, err error) {
	e.now = time.Now().UTC().Truncate(time.Microsecond)
	before := e.count()
	var errs []error
	for _, kind := range endedKinds {
		e.failed, e.told = firstErrors{}, make(map[string]bool)
		stopped := e.kind(ctx, kind)
		if n := e.failed.n; n > 0 {
			errs = append(errs, fmt.Errorf("transfer: %d %s are left: %w", n, kind, e.failed.err()))
		}
		if stopped != nil {
			errs = append(errs, fmt.Errorf("transfer: ending %s: %w", kind, stopped))
		}
	}
	return e.count() - before, errors.Join(errs...)
}

// count returns how many records have ended.
func (e *ending) count() (n int) {
	for _, ended := range e.ended {
		n += ended
	}
	return n
}

// kind ends what there is of a kind. It passes over records that cannot be read.
func (e *ending) kind(ctx context.Context, kind Kind) error {
	seen := 0
	for after := ""; ; {
		page, err := e.source.Export(ctx, kind, after, defaultPageSize, e.now.Add(-clockSkew))
		var unreadable *UnreadableError
		if errors.As(err, &unreadable) {
			for _, err := range unreadable.Errs {
				e.fail(err)
			}
		} else if err != nil {
			return err
		}
		e.page(ctx, page.Records)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		seen += len(page.Records)
		if e.options.Progress != nil && !e.oneByOne {
			e.options.Progress(kind, seen, e.ended[kind])
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// fail notes a record that is left.
func (e *ending) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := err.Error()
	if e.told[text] {
		return
	}
	if len(e.told) < maxDistinct {
		e.told[text] = true
	}
	_ = e.failed.add(func() (error, error) { return err, nil })
}

// page ends records, some at once.
func (e *ending) page(ctx context.Context, records []Record) {
	next := make(chan Record)
	var workers sync.WaitGroup
	for range endWorkers {
		workers.Go(func() {
			for record := range next {
				n, err := e.end(ctx, record)
				if err != nil {
					e.fail(fmt.Errorf("key %q: %w", record.Key(), err))
				}
				e.mu.Lock()
				e.ended[record.Kind()] += n
				e.mu.Unlock()
			}
		})
	}
	done := make(map[string]bool) // users for whom everything of the kind ended
	for _, record := range records {
		if user := e.userOf(record); user != "" {
			if done[user] {
				continue
			}
			done[user] = true
		}
		next <- record
	}
	close(next)
	workers.Wait()
}

// userOf returns the user for whom all records of a kind end in one step, or "" if the record ends alone. A login or a
// grant that has expired by this clock ends alone, because the step would leave it.
func (e *ending) userOf(record Record) string {
	if !e.all() {
		return ""
	}
	switch r := record.(type) {
	case KnoxToken:
		return r.UserID
	case Session:
		return r.UserID
	case *JWTLogin:
		return userUnless(e.justExpired(r.ExpiresAt), r.UserID)
	case *OAuthGrant:
		return userUnless(e.justExpired(r.ExpiresAt), r.UserID)
	}
	return ""
}

// userUnless returns a user unless the record ends alone.
func userUnless(alone bool, userID string) string {
	if alone {
		return ""
	}
	return userID
}

// justExpired reports whether a record that expires at an instant has expired by this clock, and may live by the one of
// the service.
func (e *ending) justExpired(at time.Time) bool {
	return !at.After(e.now) && at.After(e.now.Add(-clockSkew))
}

// instantFor is when a record ends that expires at an instant: now, or just before it expired. Stores end what lives.
func (e *ending) instantFor(expires time.Time) time.Time {
	if e.justExpired(expires) {
		return expires.Add(-time.Microsecond)
	}
	return e.now
}

// all reports whether everything of a user ends in one step.
func (e *ending) all() bool { return e.options.Since.IsZero() && !e.oneByOne }

// since reports whether one of some instants is in the time for which things end.
func (e *ending) since(instants ...time.Time) bool {
	for _, at := range instants {
		if !at.Before(e.options.Since) {
			return true
		}
	}
	return false
}

// end ends a record, or all of its user, and returns how many ended.
func (e *ending) end(ctx context.Context, record Record) (int, error) {
	switch r := record.(type) {
	case KnoxToken:
		return e.endToken(ctx, r)
	case Session:
		return e.endSession(ctx, r)
	case *JWTLogin:
		return e.endLogin(ctx, r)
	case *OAuthGrant:
		return e.endGrant(ctx, r)
	case OneTimeToken:
		if e.stores.OneTime == nil || !r.Used.IsZero() || !e.since(r.Created) {
			return 0, nil
		}
		return e.stores.OneTime.RemoveUnused(ctx, r.UserID)
	case LoginCode: // it lives for a moment, and does not say when it was made
		if e.stores.External == nil {
			return 0, nil
		}
		code, err := e.stores.External.TakeCode(ctx, r.Digest, e.instantFor(r.ExpiresAt))
		return count(code != nil, err)
	case *Owner: // access tokens of the user may be of a login that is not known here
		if e.stores.JWT == nil || !e.all() || !r.Voided.Before(e.now) {
			return 0, nil
		}
		_, err := e.stores.JWT.RevokeAll(ctx, r.UserID, "", "", e.now)
		return 0, err
	}
	return 0, nil
}

func (e *ending) endToken(ctx context.Context, r KnoxToken) (int, error) {
	if e.stores.Knox == nil || !e.since(r.Created) {
		return 0, nil
	}
	how := knox.Ending{Reason: knox.EndRevokedAll, At: e.now, Keep: e.options.KeepEnded > 0,
		KeepFor: e.options.KeepEnded}
	if e.all() {
		ids, err := e.stores.Knox.RevokeAll(ctx, r.UserID, "", "", how)
		return len(ids), err
	}
	return count(e.stores.Knox.Revoke(ctx, r.UserID, r.ID, how))
}

func (e *ending) endSession(ctx context.Context, r Session) (int, error) {
	if e.stores.Sessions == nil || r.IsTombstone() || !e.since(r.Created) {
		return 0, nil
	}
	if e.all() {
		ids, err := e.stores.Sessions.RevokeAll(ctx, r.UserID, "")
		return len(ids), err
	}
	return count(e.stores.Sessions.Revoke(ctx, r.UserID, r.ID))
}

func (e *ending) endLogin(ctx context.Context, r *JWTLogin) (int, error) {
	if e.stores.JWT == nil || !e.since(r.Created, r.LastUsed) {
		return 0, nil
	}
	if !e.all() || e.justExpired(r.ExpiresAt) {
		n, err := count(e.stores.JWT.Revoke(ctx, r.UserID, r.ID, e.instantFor(r.ExpiresAt)))
		if err != nil || !e.all() {
			return n, err
		}
		ids, err := e.stores.JWT.RevokeAll(ctx, r.UserID, "", "", e.now)
		return n + len(ids), err
	}
	ids, err := e.stores.JWT.RevokeAll(ctx, r.UserID, "", "", e.now) // also if this one ended before
	return len(ids), err
}

func (e *ending) endGrant(ctx context.Context, r *OAuthGrant) (int, error) {
	if e.stores.OAuth == nil || !e.since(r.Created, r.LastUsed) {
		return 0, nil
	}
	if e.all() && r.UserID != "" && !e.justExpired(r.ExpiresAt) {
		ids, err := e.stores.OAuth.EndAll(ctx, r.UserID, "", "", e.now)
		return len(ids), err
	}
	return count(e.stores.OAuth.End(ctx, r.ID, e.instantFor(r.ExpiresAt)))
}

// count returns 1 for something that ended.
func count(ended bool, err error) (int, error) {
	if !ended {
		return 0, err
	}
	return 1, err
}
