package password

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Purpose says what a one-time token is for. A token of one purpose is unknown
// to every other. Applications may have purposes of their own: 1 to 64 of a-z,
// 0-9, "_" and "-".
type Purpose string

// The purposes that this package knows.
const (
	PurposeReset       Purpose = "reset"        // of a password that was forgotten
	PurposeVerifyEmail Purpose = "verify_email" // that the address in about is the user's

	// A user may change their address after a link was mailed: mark as verified
	// the address that Redeem returns as about, and no other, or let
	// OneTimeConfig.Applies compare the two.
)

// OneTimeConfig is the configuration of [OneTimeTokens]. Store and LoadUser are
// required.
type OneTimeConfig struct {
	Store OneTimeStore
	// LoadUser loads the user of a token when it is issued, checked and
	// redeemed. One for PurposeVerifyEmail may admit users that the LoadUser of the
	// guard refuses, if a login needs a verified address.
	LoadUser auth.UserLoader

	// TTL is how long tokens of a purpose are good. Those it does not name are
	// good for an hour, PurposeVerifyEmail for 24 hours.
	TTL map[Purpose]time.Duration
	// Limit is the most live tokens that a user has of one purpose. One more
	// ends the oldest. 0 is 5.
	Limit int
	// Applies is asked when a token is checked and redeemed: false makes it
	// invalid. It ends, say, a reset that was mailed to an address which is the
	// user's no longer. Nil is always true.
	Applies func(user auth.User, purpose Purpose, about string) bool

	// Prefix starts every token, for secret scanners: at most 10 letters,
	// digits, "_", "-" and ".". Empty is "gwonce_".
	Prefix string
	// Name is the backend of events. Empty is "onetime".
	Name string
	// Observer is told of tokens issued, revoked and, as EventReuse, used a
	// second time.
	Observer auth.Observer
}

// OneTimeTokens issues tokens that are good once, for a while, for one user and
// purpose, and as long as the user's [auth.Stamper] stamp stays what it was. It
// is what resetting a forgotten password and verifying an e-mail address are
// built on. The application sends the mail:
//
//	token, err := tokens.Issue(ctx, user.UserID(), password.PurposeReset, user.Email)
//	link := "https://app.example/reset#" + token.Reveal()
//
// The page behind the link must not give the token away: put it into the
// fragment, which browsers do not send, or into the path of a page that sends
// "Referrer-Policy: same-origin" and loads nothing from elsewhere. With "no-referrer"
// browsers send "Origin: null" with its form, which a guard refuses. The page
// posts it, to [Reset] or a handler that calls Redeem. A GET must only Check:
// programs that look for malware follow every link of a mail.
//
// A visitor that asks for a mail must not learn which accounts exist. Answer "if there is
// such an account, we have sent it a mail" in any case and as fast in any case:
// issue and send after the answer. Slow such requests down with a [MailThrottle],
// or anybody can fill a user's mailbox and end the links they wait for.
//
// It keeps tokens as SHA-256 hashes. It is immutable and safe for concurrent use.
type OneTimeTokens struct {
	config OneTimeConfig
}

var (
	_ auth.Revoker = (*OneTimeTokens)(nil)
	_ auth.Purger  = (*OneTimeTokens)(nil)
)

// Reasons for which a link is refused.
var (
	errLinkForm = badLink(errors.New("password: the one-time token does not have the form of those that Issue makes: " +
		"the link was cut, or is of another OneTimeConfig.Prefix"))
	errLinkUnknown = badLink(errors.New("password: the store has no such one-time token: a newer link or RevokeAll " +
		"ended it, or it expired and was purged"))

	errPurpose = errors.New("the one-time token is of another purpose")
	errUsed    = errors.New("the one-time token was used before")
	errExpired = errors.New("the one-time token has expired")
	errStamp   = errors.New("the one-time token was issued before the user's AuthStamp changed")
	errApplies = errors.New("OneTimeConfig.Applies says that the one-time token is no longer good")
	errEnded   = errors.New("the one-time token was ended by another request meanwhile")
)

// badLink is the one answer to every token that is not good. The client is not told
// whether it was used or never was, or what became of its user. The cause is for the log.
func badLink(cause error) error {
	return &auth.Error{Kind: auth.ErrInvalid, Code: auth.CodeInvalidToken, Cause: cause,
		Detail: "The link is invalid or has expired, possibly because it has already been used. " +
			"Please request a new one."}
}

// refuse returns the answer to the token of a record that is not good.
func (rec *OneTimeRecord) refuse(reason error) error { return badLink(&userError{rec.UserID, reason}) }

var errAbout error = &auth.Error{Kind: auth.ErrMalformed,
	Detail: "What a link is about must be at most 320 bytes of text without control characters.",
	Cause: errors.New("password: the about of a one-time token is longer than 320 bytes, or is not plain text in " +
		"UTF-8")}

const (
	maxAbout = 320 // bytes: 64 + "@" + 255, the longest e-mail address
)

// NewOneTimeTokens returns OneTimeTokens, or an error that says which setting is
// missing or out of range.
func NewOneTimeTokens(config OneTimeConfig) (*OneTimeTokens, error) {
	c := config
	c.Limit, c.Prefix, c.Name = cmp.Or(c.Limit, 5), cmp.Or(c.Prefix, "gwonce_"), cmp.Or(c.Name, "onetime")
	c.TTL = maps.Clone(c.TTL)
	s := backend.Settings{Package: "password"}
	s.Need("OneTimeConfig.Store", c.Store)
	s.Need("OneTimeConfig.LoadUser", c.LoadUser)
	s.Refuse(c.Limit < 0, "OneTimeConfig.Limit is negative")
	s.Refuse(len(c.Prefix) > backend.MaxTokenPrefix || strings.Trim(c.Prefix, urlSafe) != "",
		"OneTimeConfig.Prefix %q is longer than %d or has characters that are not for links", c.Prefix,
		backend.MaxTokenPrefix)
	for purpose, ttl := range c.TTL {
		s.Refuse(!purpose.valid() || ttl <= 0,
			"OneTimeConfig.TTL has %v for purpose %q. It must be positive, and the purpose one", ttl, purpose)
	}
	if err := s.Err(); err != nil {
		return nil, err
	}
	return &OneTimeTokens{c}, nil
}

const urlSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

func (p Purpose) valid() bool {
	return p != "" && len(p) <= 64 && strings.Trim(string(p), "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func (t *OneTimeTokens) ttl(purpose Purpose) time.Duration {
	if ttl := t.config.TTL[purpose]; ttl > 0 {
		return ttl
	}
	if purpose == PurposeVerifyEmail {
		return 24 * time.Hour
	}
	return time.Hour
}

// Issue makes a token for a user and returns it. The token itself is not stored. about is
// what Check and Redeem return with the user, such as the address the mail goes
// to, and may be empty.
//
// The user is loaded first: [auth.ErrUserNotFound] or [auth.ErrUserInactive] is
// returned before anything is written. An about longer than 320 bytes, or with
// control characters or bytes that are no UTF-8, is [auth.ErrMalformed]. A UserID that no
// store can keep is auth.ErrInternal: see [backend.CheckUserID]. Other errors are those of
// the store and the loader, without a kind.
func (t *OneTimeTokens) Issue(ctx context.Context, userID string, purpose Purpose, about string) (auth.Secret, error) {
	if !purpose.valid() {
		return "", fmt.Errorf("password: %q is no purpose", purpose)
	}
	if !backend.ValidText(about, maxAbout) || strings.ContainsFunc(about, unicode.IsControl) {
		return "", errAbout
	}
	user, err := t.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return "", err
	}
	if err := backend.CheckUserID(user.UserID()); err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	now := backend.StoreTime(time.Now())
	token := backend.NewToken(t.config.Prefix, user.UserID(), backend.DefaultTokenLength)
	record := &OneTimeRecord{
		Digest:    backend.TokenDigest(token, t.config.Prefix),
		UserID:    user.UserID(),
		Purpose:   purpose,
		About:     about,
		Stamp:     backend.Stamp("onetime", user),
		Created:   now,
		ExpiresAt: now.Add(t.ttl(purpose)),
	}
	if err := t.config.Store.Add(ctx, record, t.config.Limit, now); err != nil {
		return "", outage("one-time store", err)
	}
	t.observe(ctx, auth.EventIssued, record.UserID)
	return auth.Secret(token), nil
}

// Check proves a token without using it up, and returns the user as they are now
// and what it is about: for the page with the form. Errors are those of Redeem.
func (t *OneTimeTokens) Check(ctx context.Context, purpose Purpose,
	token string) (user auth.User, about string, err error) {
	_, user, about, err = t.check(ctx, purpose, token, false)
	return user, about, err
}

// Redeem proves a token and uses it up: of any number of calls, one succeeds. It
// ends the other tokens that the user has for this purpose. Errors are
//
//   - [auth.ErrInvalid]: the token is unknown, of another purpose, expired or
//     used, or its user gone, inactive or of another stamp, which cannot be told
//     apart. It is not used up then
//   - any other error: the store or the loader failed
func (t *OneTimeTokens) Redeem(ctx context.Context, purpose Purpose,
	token string) (user auth.User, about string, err error) {
	digest, user, about, err := t.check(ctx, purpose, token, true)
	if err != nil {
		return nil, "", err
	}
	verdict, err := t.config.Store.Redeem(ctx, digest, backend.StoreTime(time.Now()))
	switch {
	case err != nil:
		return nil, "", outage("one-time store", err)
	case verdict == OneTimeUsed:
		t.observe(ctx, auth.EventReuse, user.UserID())
		return nil, "", badLink(&userError{user.UserID(), errUsed})
	case verdict != OneTimeFirst:
		return nil, "", badLink(&userError{user.UserID(), errEnded})
	}
	return user, about, nil
}

// check is Check that reports reuse if the token was to be redeemed.
func (t *OneTimeTokens) check(ctx context.Context, purpose Purpose, token string,
	redeem bool) (digest string, user auth.User, about string, err error) {
	// The alphabet matters too: part of the token is a key in the store.
	if !backend.OwnsToken(token, t.config.Prefix) || strings.Trim(token, urlSafe) != "" {
		return "", nil, "", errLinkForm
	}
	digest = backend.TokenDigest(token, t.config.Prefix)
	record, err := t.config.Store.Find(ctx, digest)
	if err != nil {
		return "", nil, "", outage("one-time store", err)
	}
	if err := t.usable(ctx, record, purpose, redeem); err != nil {
		return "", nil, "", err
	}
	user, err = t.config.LoadUser.Load(ctx, record.UserID)
	if auth.KindOf(err) == auth.ErrInvalid {
		return "", nil, "", record.refuse(err)
	}
	if err != nil {
		return "", nil, "", err
	}
	if !backend.SameStamp(record.Stamp, backend.Stamp("onetime", user)) {
		return "", nil, "", record.refuse(errStamp)
	}
	if t.config.Applies != nil && !t.config.Applies(user, purpose, record.About) {
		return "", nil, "", record.refuse(errApplies)
	}
	return digest, user, record.About, nil
}

// usable returns why the record of a token, which may be nil, is not good now.
func (t *OneTimeTokens) usable(ctx context.Context, record *OneTimeRecord, purpose Purpose, redeem bool) error {
	switch {
	case record == nil:
		return errLinkUnknown
	case record.Purpose != purpose:
		return record.refuse(errPurpose)
	case !record.Used.IsZero():
		if redeem {
			t.observe(ctx, auth.EventReuse, record.UserID)
		}
		return record.refuse(errUsed)
	case !record.Live(time.Now()):
		return record.refuse(errExpired)
	}
	return nil
}

// RevokeAll ends all tokens of a user, whatever their purpose, and returns how
// many there were that had not been used. Errors are those of the store, without a kind.
func (t *OneTimeTokens) RevokeAll(ctx context.Context, userID string) (int, error) {
	if !backend.ValidUserID(userID) { // Issue refuses the user
		return 0, nil
	}
	n, err := t.config.Store.RemoveUnused(ctx, userID)
	if err != nil {
		return 0, outage("one-time store", err)
	}
	if n > 0 {
		t.observe(ctx, auth.EventRevoked, userID)
	}
	return n, nil
}

// RevokeOthers implements [auth.Revoker]: it ends all tokens of the user, since no token
// of this kind ever proves a request.
func (t *OneTimeTokens) RevokeOthers(_ http.ResponseWriter, r *http.Request, user auth.User) error {
	_, err := t.RevokeAll(r.Context(), user.UserID())
	return err
}

// Purge implements [auth.Purger]. It removes at most limit expired tokens.
func (t *OneTimeTokens) Purge(ctx context.Context, limit int) (int, error) {
	purged, err := t.config.Store.Purge(ctx, time.Now(), limit)
	if err != nil {
		return 0, outage("one-time store", err)
	}
	return purged, nil
}

func (t *OneTimeTokens) observe(ctx context.Context, kind auth.EventKind, userID string) {
	backend.Events{Observer: t.config.Observer, Backend: t.config.Name}.Send(ctx,
		auth.Event{Kind: kind, UserID: userID})
}
