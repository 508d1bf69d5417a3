package session

import (
	"context"
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

// errChanged: what proved the user is void by now.
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
	record = s.prove(*record)
	added, err := s.config.Store.Add(ctx, record, s.presented(r), s.config.Limit, s.config.EvictOldest, now)
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
	return &record.proof.Session, nil
}

// Logout ends the session of the cookie that came with r, if there is one, whatever
// became of its user, and clears the cookie. It reports whether there was a
// session. On an error the session may go on, and the cookie is left.
func (s *Sessions) Logout(w http.ResponseWriter, r *http.Request) (bool, error) {
	found := false
	if digest := s.presented(r); digest != "" {
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
	s.jar.Clear(w.Header())
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
	successor := s.prove(renewed)
	replaced, err := s.config.Store.Replace(r.Context(), session.record.Digest, successor, now)
	if err != nil {
		return "", backend.Outage(err)
	}
	if !replaced {
		return "", s.cleared.ended
	}
	s.events.Send(r.Context(), auth.Event{Kind: auth.EventRefreshed, UserID: successor.UserID,
		CredentialID: successor.ID})
	s.setSessionCookie(w, successor, secret, now)
	return successor.Digest, nil
}

// RevokeOthers implements [auth.Revoker]. The session that proved r gets a new
// identifier. A session that has ended meanwhile stays ended.
func (s *Sessions) RevokeOthers(w http.ResponseWriter, r *http.Request, user auth.User) error {
	kept := ""
	current, ok := auth.CredentialFrom[*Session](r.Context())
	if ok && current.Backend() == s.config.Name && current.UserID() == user.UserID() {
		digest, err := s.renew(w, r, current, user)
		if isStale(err) { // ended, or renewed by a request at the same time
			digest, err = s.successor(w, r, current, user)
		}
		if err != nil {
			return err
		}
		kept = digest
	}
	_, err := s.revokeAll(r.Context(), user.UserID(), kept)
	return err
}

// successor returns the digest that a session has by now, after giving it the
// stamp of user, or "" if it has ended.
func (s *Sessions) successor(w http.ResponseWriter, r *http.Request, session *Session, user auth.User) (string, error) {
	record, err := s.find(r.Context(), user.UserID(), session.ID())
	if err != nil || record == nil {
		return "", err
	}
	if backend.SameStamp(record.Stamp, backend.Stamp(stampLabel, user)) {
		return record.Digest, nil
	}
	digest, err := s.renew(w, r, s.credential(record), user)
	if isStale(err) {
		return "", nil
	}
	return digest, err
}

// find returns the live record of a user with this identifier, or nil. It is the first
// one of the list that begins just above the identifier.
func (s *Sessions) find(ctx context.Context, userID, id string) (*Record, error) {
	records, err := s.config.Store.List(ctx, userID, id+"0", 1, time.Now())
	if err != nil {
		return nil, backend.Outage(err)
	}
	if len(records) == 0 || records[0].ID != id {
		return nil, nil
	}
	return records[0], nil
}

// List returns a page of the sessions of a user that are good, the newest first, and the
// cursor of the next page, or "". It lists no session that has expired or is of before
// the user's stamp changed. Where the user may not log in, no session is good: the error
// is that of Config.LoadUser, such as ErrUserInactive. A page that cannot be meant is
// ErrMalformed.
func (s *Sessions) List(ctx context.Context, userID string,
	page backend.Page) (sessions []*Session, next string, err error) {
	if page, err = page.Checked(); err != nil {
		return nil, "", err
	}
	user, err := s.config.LoadUser.Load(ctx, userID)
	if err != nil {
		return nil, "", err
	}
	now, stamp := time.Now(), backend.Stamp(stampLabel, user)
	records, next, err := backend.ReadPage(page, func(after string, limit int) ([]*Record, error) {
		return s.config.Store.List(ctx, userID, after, limit, now)
	}, func(r *Record) string { return r.ID }, func(r *Record) bool { return backend.SameStamp(r.Stamp, stamp) })
	if err != nil {
		return nil, "", backend.Outage(err)
	}
	for _, record := range records {
		sessions = append(sessions, s.credential(record))
	}
	return sessions, next, nil
}

// Revoke ends the session of a user with this identifier, and reports whether
// there was one. The store is not asked about an identifier that it cannot have, such as
// one with a NUL: there is no such session.
func (s *Sessions) Revoke(ctx context.Context, userID, id string) (bool, error) {
	if !backend.ValidUserID(userID) || !backend.ValidID(id) {
		return false, nil
	}
	found, err := s.config.Store.Revoke(ctx, userID, id)
	if err != nil {
		return false, backend.Outage(err)
	}
	if found {
		s.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return found, nil
}

// RevokeAll ends all sessions of a user and returns how many there were.
func (s *Sessions) RevokeAll(ctx context.Context, userID string) (int, error) {
	return s.revokeAll(ctx, userID, "")
}

func (s *Sessions) revokeAll(ctx context.Context, userID, kept string) (int, error) {
	if !backend.ValidUserID(userID) { // such a user has no sessions, as SignIn refuses it
		return 0, nil
	}
	ids, err := s.config.Store.RevokeAll(ctx, userID, kept)
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, id := range ids {
		s.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: userID, CredentialID: id})
	}
	return len(ids), nil
}

// Purge implements [auth.Purger]. It removes at most limit expired records, with an
// EventExpired for each session among them. Of a session that got another cookie, the
// tombstone that is kept for a minute is a record, too.
func (s *Sessions) Purge(ctx context.Context, limit int) (int, error) {
	purged, err := s.config.Store.Purge(ctx, time.Now(), limit)
	if err != nil {
		return 0, backend.Outage(err)
	}
	for _, record := range purged {
		if !record.IsTombstone() {
			s.events.Send(ctx, auth.Event{Kind: auth.EventExpired, UserID: record.UserID, CredentialID: record.ID})
		}
	}
	return len(purged), nil
}

// newSecret makes the value of a cookie, and writes its digest into record.
func newSecret(record *Record) string {
	secret := backend.NewToken("", record.UserID, backend.DefaultTokenLength)
	record.Digest = backend.TokenDigest(secret, "")
	return secret
}

// presented returns the digest of the cookie that came with r, or "".
func (s *Sessions) presented(r *http.Request) string {
	value, count := backend.CookieValue(r, s.cookie)
	if count != 1 || !backend.OwnsToken(value, "") {
		return ""
	}
	return backend.TokenDigest(value, "")
}
