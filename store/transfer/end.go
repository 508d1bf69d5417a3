package transfer

import (
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

// End ends what was issued to all users: knox tokens, sessions, logins by JWT, grants, and tokens and codes that are
// good once. Use it after a leak, or after a backup was restored, which revives what was revoked since.
//
// The service may be running. What it issues while End runs ends too, if End sees it: a user that logs in meanwhile may
// have to do so again. Caches of running instances are told as of any other revocation.
//
// JWT access tokens that others verify by the published keys are good until they expire, unless the key is retired.
// Tokens of other issuers are not ended either.
//
// An error says that some may be left. Then call it again.
func End(ctx context.Context, source Source, stores EndStores, options EndOptions) (Ended, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	options.Since = options.Since.Truncate(time.Microsecond) // as stores do
	e := &ending{source: source, stores: stores, options: options, now: now, ended: make(Ended)}
	var errs []error
	// A record that was added while the first pass went by its place is found by the second one.
	for range 2 {
		for _, kind := range endedKinds {
			if err := e.pass(ctx, kind); err != nil {
				errs = append(errs, fmt.Errorf("transfer: ending %s: %w", kind, err))
			}
		}
		if len(errs) > 0 {
			break
		}
		// What was issued while the first pass ran ends, too.
		e.again, e.now = true, time.Now().UTC().Truncate(time.Microsecond)
	}
	return e.ended, errors.Join(errs...)
}

// endedKinds begin with what the rest can be had with: a link changes the password, and a session may make tokens.
var endedKinds = []Kind{OneTimeTokens, LoginCodes, Sessions, JWTLogins, OAuthGrants, KnoxTokens, Owners}

// ending is a call of End.
type ending struct {
	source  Source
	stores  EndStores
	options EndOptions
	now     time.Time
	again   bool // the second pass, in which only what was issued before now ends

	mu    sync.Mutex
	ended Ended
}

// endWorkers is how many records end at once.
const endWorkers = 8

// pass ends what there is of a kind.
func (e *ending) pass(ctx context.Context, kind Kind) error {
	seen := 0
	for after := ""; ; {
		page, err := e.source.Export(ctx, kind, after, defaultPageSize, e.now)
		if err != nil {
			return err
		}
		if err := e.page(ctx, page.Records); err != nil {
			return err
		}
		seen += len(page.Records)
		if e.options.Progress != nil && !e.again {
			e.options.Progress(kind, seen, e.ended[kind])
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

// page ends records, some at once.
func (e *ending) page(ctx context.Context, records []Record) error {
	next := make(chan Record)
	errs := make([]error, endWorkers)
	var workers sync.WaitGroup
	for i := range endWorkers {
		workers.Go(func() {
			for record := range next {
				n, err := e.end(ctx, record)
				if err != nil {
					errs[i] = errors.Join(errs[i], fmt.Errorf("key %q: %w", record.Key(), err))
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
	return errors.Join(errs...)
}

// userOf returns the user for whom all records of a kind end in one step, or "" if the record ends alone.
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
		return r.UserID
	case *OAuthGrant:
		return r.UserID
	}
	return ""
}

// all reports whether everything of a user ends in one step.
func (e *ending) all() bool { return e.options.Since.IsZero() && !e.again }

// since reports whether one of some instants is in the time for which things end.
func (e *ending) since(instants ...time.Time) bool {
	for _, at := range instants {
		if !at.Before(e.options.Since) && (!e.again || !at.After(e.now)) {
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
		code, err := e.stores.External.TakeCode(ctx, r.Digest, e.now)
		return count(code != nil, err)
	case *Owner: // access tokens of the user may be of a login that is not known here
		if e.stores.JWT == nil || !e.all() || !r.Voided.Before(e.now) {
			return 0, nil
		}
		_, err := e.stores.JWT.EndAll(ctx, r.UserID, "", "", e.now)
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
	if e.stores.Sessions == nil || r.IsMark() || !e.since(r.Created) {
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
	if e.all() { // also if this one ended before
		ids, err := e.stores.JWT.EndAll(ctx, r.UserID, "", "", e.now)
		return len(ids), err
	}
	return count(e.stores.JWT.End(ctx, r.UserID, r.ID, e.now))
}

func (e *ending) endGrant(ctx context.Context, r *OAuthGrant) (int, error) {
	if e.stores.OAuth == nil || !e.since(r.Created, r.LastUsed) {
		return 0, nil
	}
	if e.all() && r.UserID != "" {
		ids, err := e.stores.OAuth.EndAll(ctx, r.UserID, "", "", e.now)
		return len(ids), err
	}
	return count(e.stores.OAuth.End(ctx, r.ID, e.now))
}

// count returns 1 for something that ended.
func count(ended bool, err error) (int, error) {
	if !ended {
		return 0, err
	}
	return 1, err
}
