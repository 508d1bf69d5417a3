package knox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ErrLimit is returned when a user already has Config.Limit tokens.
var ErrLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "token_limit",
	Detail: "Maximum amount of tokens allowed per user exceeded.",
	Cause:  errors.New("knox: the user has as many tokens as Config.Limit allows (see Config.EvictOldest)")}

// Options are the particulars of one token. The zero value takes everything
// from Config.
type Options struct {
	// Name is what the user calls the token, such as "my phone": at most 100
	// bytes, longer ones are cut and control characters left out.
	Name string
	// Scopes limit the token, if there are any or Limited is set. Each is a
	// scope-token of RFC 6749 §3.3.
	Scopes  []string
	Limited bool

	// TTL is how long the token lives. 0 is Config.TTL.
	TTL time.Duration
	// NoExpiry makes a token that never expires. It needs
	// Config.AllowNoExpiry, and no TTL.
	NoExpiry bool
	// Sliding makes use prolong the token to its TTL from then, also without
	// Config.Sliding.Enabled.
	Sliding bool
	// MaxTTL is the absolute end of a sliding token from now. 0 is
	// Config.Sliding.MaxTTL.
	MaxTTL time.Duration

	// IP and UserAgent are those of the client, for the user to know it by.
	IP        string
	UserAgent string
	// AuthInfo is when and how the user logged in.
	AuthInfo auth.AuthInfo

	// end is the instant that the token must not outlive, zero is no bound.
	end time.Time
	// loginUser is the user as the login proved them, or nil.
	loginUser auth.User
	// requestTokenID is the identifier of the token that asks for this one, or "".
	requestTokenID string
}

// errChanged refuses a login of a user that changed after the proof: the password
// that proved the user may be an old one.
var errChanged error = &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("knox: the AuthStamp of the user that " +
	"the login proved is not that of the user from Config.LoadUser: the password was changed during the login, or " +
	"the two make the stamp of different fields")}

// Issue makes a token for a user and returns it with its secret, which is kept
// nowhere. The user is loaded first: ErrUserNotFound or ErrUserInactive
// is returned before anything is written, [ErrLimit] if there are too many. A UserID or
// AuthInfo that no store can keep is auth.ErrInternal: see [backend.CheckUserID] and
// [backend.CheckAuthInfo].
func (t *Tokens) Issue(ctx context.Context, userID string, options Options) (*Issued, error) {
	now := backend.StoreTime(time.Now())
	record, err := t.record(now, options)
	if err != nil {
		return nil, err
	}
	user, err := t.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return nil, err
	}
	record.UserID = user.UserID()
	if err := backend.CheckUserID(record.UserID); err != nil {
		return nil, fmt.Errorf("knox: %w", err)
	}
	record.Stamp = backend.Stamp("knox", user)
	if _, ok := auth.As[auth.Stamper](options.loginUser); ok && !backend.SameStamp(record.Stamp,
		backend.Stamp("knox", options.loginUser)) {
		t.drift.Warn(ctx, cmp.Or(t.config.Logger, slog.Default()), "knox", record.UserID)
		return nil, errChanged
	}
	var secret string
	secret, record.Digest = t.format.New(record.UserID)
	record = t.withCache(*record)
	ending := t.ending(EndEvicted)
	ending.Exempt = options.requestTokenID
	added, err := t.config.Store.Add(ctx, record, t.config.Limit, t.config.EvictOldest, ending)
	if err != nil {
		return nil, backend.Outage(err)
	}
	if added.OverLimit {
		return nil, ErrLimit
	}
	for _, id := range added.Evicted {
		t.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: record.UserID, CredentialID: id})
	}
	t.events.Send(ctx, auth.Event{Kind: auth.EventIssued, UserID: record.UserID, CredentialID: record.ID})
	return &Issued{&record.cache.Token, auth.Secret(secret)}, nil
}

// record makes the record that options ask for, without owner and digest.
func (t *Tokens) record(now time.Time, options Options) (*Record, error) {
	if err := t.checkOptions(options); err != nil {
		return nil, fmt.Errorf("knox: %w", err)
	}
	record := &Record{
		ID:        backend.NewID(),
		Name:      backend.CleanText(options.Name, 100),
		Scopes:    slices.Clone(options.Scopes),
		Limited:   options.Limited || len(options.Scopes) > 0,
		Created:   now,
		IP:        backend.CleanText(options.IP, 64),
		UserAgent: backend.CleanText(options.UserAgent, 200),
		AuthInfo:  options.AuthInfo,
	}
	record.AuthInfo.AuthTime = backend.StoreTime(record.AuthInfo.AuthTime)
	t.setExpiry(record, options)
	return record, nil
}

// checkOptions returns what keeps Issue from making a token with options.
func (t *Tokens) checkOptions(options Options) error {
	if options.TTL < 0 || options.MaxTTL < 0 {
		return errors.New("negative TTL or MaxTTL")
	}
	if options.NoExpiry && (!t.config.AllowNoExpiry || options.TTL > 0) {
		return errors.New("NoExpiry with a TTL, or without Config.AllowNoExpiry")
	}
	for _, scope := range options.Scopes {
		if !backend.ValidScope(scope) {
			return fmt.Errorf("%q is not a scope (RFC 6749 §3.3)", scope)
		}
	}
	return backend.CheckAuthInfo(options.AuthInfo)
}

// setExpiry writes into a new record when it expires and how far use prolongs it.
func (t *Tokens) setExpiry(record *Record, options Options) {
	ttl := cmp.Or(options.TTL, t.config.TTL)
	if options.NoExpiry {
		ttl = 0
	}
	if ttl > 0 {
		record.ExpiresAt = record.Created.Add(ttl)
	}
	if ttl > 0 && (options.Sliding || t.config.Sliding.Enabled) {
		record.Slide = ttl
		if end := cmp.Or(options.MaxTTL, t.config.Sliding.MaxTTL); end > 0 {
			record.MaxExpiresAt = record.Created.Add(max(end, ttl))
		}
	}
	if options.end.IsZero() {
		return
	}
	record.ExpiresAt = backend.Earlier(record.ExpiresAt, options.end)
	if record.Slide > 0 {
		record.MaxExpiresAt = backend.Earlier(record.MaxExpiresAt, options.end)
	}
}
