package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// ErrLimit is returned when a user already has Config.Limit sessions.
var ErrLimit error = &auth.Error{Kind: auth.ErrInsufficient, Code: "session_limit",
	Detail: "Maximum amount of sessions allowed per user exceeded.",
	Cause:  errors.New("session: the user has as many sessions as Config.Limit allows (see Config.EvictOldest)")}

// errChanged refuses a login of a user that changed after the proof: the password
// that proved the user may be an old one.
var errChanged error = &auth.Error{Kind: auth.ErrInvalid, Cause: errors.New("session: the AuthStamp of the user that " +
	"the login proved is not that of the user from Config.LoadUser: the password was changed during the login, or " +
	"the two make the stamp of different fields")}

// Options are the particulars of one session.
type Options struct {
	// Remember gives the session Config.Remember, if there is one: it outlives
	// the browser.
	Remember bool
	// Scopes limit the session, if there are any or Limited is set. Each is a
	// scope-token of RFC 6749 §3.3.
	Scopes  []string
	Limited bool
	// AuthInfo is when and how the user logged in. A zero AuthTime is not known:
	// auth.Fresh refuses the session then.
	AuthInfo auth.AuthInfo
	// ReturnTo is the path, with its query, to which [Handlers].Login leads after the
	// login. It is for Config.BeforeLogin to read: an application that asked for the login
	// may be known by it, as oauth2/server.Server.SignInRequest does.
	ReturnTo string
}

// SignIn starts a session for a user that was just proved, and sets its cookie
// on w. It always makes a new identifier, so one that somebody planted in
// the browser is worth nothing, and ends the session that the browser had. It is
// what [Handlers].Login calls. Call it after a proof of your own, with the user
// as of that proof, in a handler that the guard serves: the address that is kept
// is that of [auth.ClientIP].
//
// The user is loaded again first: ErrUserNotFound or ErrUserInactive is
// returned before anything is written, ErrInvalid if the user's stamp is no
// longer the one that was proved, and [ErrLimit] if there are too many. A UserID or
// AuthInfo that no store can keep is auth.ErrInternal: see [backend.CheckUserID] and
// [backend.CheckAuthInfo].
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request, user auth.User, options Options) (*Session, error) {
	ctx, now := r.Context(), backend.StoreTime(time.Now())
	if user == nil {
		return nil, errors.New("session: SignIn without a user")
	}
	for _, scope := range options.Scopes {
		if !backend.ValidScope(scope) {
			return nil, fmt.Errorf("session: %q is not a scope (RFC 6749 §3.3)", scope)
		}
	}
	fresh, err := s.config.LoadUser.Load(ctx, user.UserID())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(backend.CheckUserID(fresh.UserID()), backend.CheckAuthInfo(options.AuthInfo)); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	stamp := backend.Stamp(stampLabel, fresh)
	// The password may have been changed since it was proved.
	if _, ok := auth.As[auth.Stamper](user); ok && !backend.SameStamp(stamp, backend.Stamp(stampLabel, user)) {
		s.drift.Warn(ctx, s.logger(), "session", fresh.UserID())
		return nil, errChanged
	}
	lifetime, remembered := s.config.Lifetime, options.Remember && s.config.Remember != Lifetime{}
	if remembered {
		lifetime = s.config.Remember
	}
	record := &Record{
		ID: backend.NewIDOf(fresh.UserID()), UserID: fresh.UserID(), Stamp: stamp, AuthInfo: options.AuthInfo,
		Scopes: slices.Clone(options.Scopes), Limited: options.Limited || len(options.Scopes) > 0,
		Remembered: remembered,
		Created:    now, LastUsed: now, ExpiresAt: now.Add(lifetime.Idle), Idle: lifetime.Idle,
		MaxExpiresAt: now.Add(lifetime.Absolute),
	}
	record.IP, record.UserAgent = backend.ClientOf(r)
	record.UserAgent = backend.CleanText(record.UserAgent, 200)
	record.AuthInfo.AuthTime = backend.StoreTime(record.AuthInfo.AuthTime)
	secret := newSecret(record)
	record = s.withCache(*record)
	added, err := s.config.Store.Add(ctx, record, s.cookieDigest(r), s.config.Limit, s.config.EvictOldest, now)
	if err != nil {
		return nil, backend.Outage(err)
	}
	if added.OverLimit {
		return nil, ErrLimit
	}
	if old := added.Replaced; old != nil {
		s.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: old.UserID, CredentialID: old.ID})
	}
	for _, id := range added.Evicted {
		s.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: record.UserID, CredentialID: id})
	}
	s.events.Send(ctx, auth.Event{Kind: auth.EventIssued, UserID: record.UserID, CredentialID: record.ID})
	s.warnOfHTTP(r)
	s.setSessionCookie(w, record, secret, now)
	return &record.cache.Session, nil
}

// Logout ends the session of the cookie that came with r, if there is one, whatever
// became of its user, and clears the cookie. It reports whether there was a
// session. On an error the session may go on, and the cookie is left.
func (s *Sessions) Logout(w http.ResponseWriter, r *http.Request) (bool, error) {
	found := false
	if digest := s.cookieDigest(r); digest != "" {
		record, err := s.config.Store.Find(r.Context(), digest)
		if err != nil {
			return false, backend.Outage(err)
		}
		user := ""
		switch {
		case record == nil:
		case !record.IsTombstone():
			user = record.UserID
		case record.Live(time.Now()): // the session goes on by another cookie
			user = record.Owner
		}
		if user != "" {
			if found, err = s.Revoke(r.Context(), user, record.ID); err != nil {
				return false, err
			}
		}
	}
	s.cookie.Clear(w.Header())
	return found, nil
}

// Renew gives the session of the cookie that came with r a new identifier. Call it
// when the session becomes worth more, such as when a user switches to an
// administrator's rights. Its end stays. If it has ended meanwhile, it stays
// so, and the error is ErrNoCredentials.
//
// A request that was under way with the old cookie is answered as one of a
// stranger, but does not clear the new one.
func (s *Sessions) Renew(w http.ResponseWriter, r *http.Request) error {
	user, credential, err := s.Authenticate(r)
	if err != nil {
		return err
	}
	current, _ := auth.As[*Session](credential)
	_, err = s.renew(w, r, current, user)
	return err
}

// renew replaces a session by one with another secret and the present stamp of
// user, and returns its digest.
func (s *Sessions) renew(w http.ResponseWriter, r *http.Request, session *Session,
	user auth.User) (digest string, err error) {
	now := backend.StoreTime(time.Now())
	renewed := *session.record
	renewed.Stamp = backend.Stamp(stampLabel, user)
	secret := newSecret(&renewed)
	successor := s.withCache(renewed)
	replaced, err := s.config.Store.Replace(r.Context(), session.record.Digest, successor, now)
	if err != nil {
		return "", backend.Outage(err)
	}
	if !replaced {
		return "", s.staleAnswers.ended
	}
	s.events.Send(r.Context(), auth.Event{Kind: auth.EventRefreshed, UserID: successor.UserID,
		CredentialID: successor.ID})
	s.setSessionCookie(w, successor, secret, now)
	return successor.Digest, nil
}

// newSecret makes the value of a cookie, and writes its digest into record.
func newSecret(record *Record) string {
	secret := backend.NewToken("", record.UserID, backend.DefaultTokenLength)
	record.Digest = backend.TokenDigest(secret, "")
	return secret
}

// cookieDigest returns the digest of the cookie that came with r, or "".
func (s *Sessions) cookieDigest(r *http.Request) string {
	value, count := backend.CookieValue(r, s.cookieName)
	if count != 1 || !backend.OwnsToken(value, "") {
		return ""
	}
	return backend.TokenDigest(value, "")
}
