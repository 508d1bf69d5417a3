package jwt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/redact"
)

// Options are the particulars of one login. The zero value takes everything
// from Config.
type Options struct {
	// Scopes limit the tokens, if there are any or Limited is set. Each must be
	// one of Config.Scopes.
	Scopes  []string
	Limited bool
	// ClientID is the OAuth 2 client that the tokens are for, written as
	// "client_id" (RFC 9068 §2.2). It needs Config.Scopes and limits the tokens.
	ClientID string
	// Claims are further claims of all access tokens of this session, at most 4
	// KiB as JSON. Claims of this package cannot be set.
	Claims map[string]any

	// IP and UserAgent are those of the client, for the user to know it by.
	IP        string
	UserAgent string
	// Login is when and how the user logged in.
	AuthInfo auth.AuthInfo

	// end is the instant that nothing issued may outlive. Zero is no such end.
	end time.Time
	// proved is the user as of the proof of the login, or nil.
	proved auth.User
	// kept is the identifier of a token of others that stays good, or "".
	kept string
}

// Pair is an access token and the refresh token that gets the next pair. Refresh is ""
// where the one that was presented stays good: see Config.Compat.AllowRefreshReuse.
type Pair struct {
	Access         auth.Secret
	Refresh        auth.Secret
	AccessExpires  time.Time
	RefreshExpires time.Time
	SessionID      string
}

// Sliding is a sliding token: it is presented as an access token is, and
// exchanged as a refresh token is.
type Sliding struct {
	Token       auth.Secret
	Expires     time.Time
	SessionEnds time.Time
	SessionID   string
}

// Format shows nothing of it, since package fmt prints an [auth.Secret] that it
// finds behind a pointer by a verb that does not fit.
func (Pair) Format(f fmt.State, _ rune) { redact.WriteType(f, "jwt.Pair") }

// Format shows nothing of it, since package fmt prints an [auth.Secret] that it
// finds behind a pointer by a verb that does not fit.
func (Sliding) Format(f fmt.State, _ rune) { redact.WriteType(f, "jwt.Sliding") }

// errUserChanged refuses a login of a user that changed after the proof: the password
// that proved the user may be an old one.
var errUserChanged error = &auth.Error{Kind: auth.ErrInvalid,
	Cause: errors.New("the stamp of the user that logged in is " +
		"another one than that of the user of Config.LoadUser: the password was changed meanwhile, or the two " +
		"compute AuthStamp in different ways")}

const (
	maxClaims  = 4 << 10
	longClaims = 1 << 10 // from here on a token may be too long
)

// Issue starts a session of a user and returns its first pair, which is nowhere
// kept. The user is loaded first: ErrUserNotFound or ErrUserInactive is returned
// before anything is written, and [ErrLimit] if there are too many sessions. A UserID or
// AuthInfo that no store can keep is auth.ErrInternal: see [backend.CheckUserID] and
// [backend.CheckAuthInfo].
func (t *Tokens) Issue(ctx context.Context, userID string, options Options) (*Pair, error) {
	m, err := t.start(ctx, userID, options, refreshKind, nil)
	if err != nil {
		return nil, err
	}
	return m.pair()
}

// IssueSliding is Issue for a sliding token.
func (t *Tokens) IssueSliding(ctx context.Context, userID string, options Options) (*Sliding, error) {
	m, err := t.start(ctx, userID, options, slidingKind, nil)
	if err != nil {
		return nil, err
	}
	return m.sliding()
}

// newTokens are tokens that are being made for a session.
type newTokens struct {
	t          *Tokens
	key        *Key
	now        time.Time
	session    *Session
	generation int64
	id         string         // of the refresh or sliding token
	kept       bool           // the token that was presented stays good
	extra      map[string]any // claims of the application
}

// start starts a session. Its first token is of the kind given. adopted is as in
// Store.Start. With adopted, an error may be a *refusal.
func (t *Tokens) start(ctx context.Context, userID string, options Options, k kind,
	adopted *Refresh) (*newTokens, error) {
	now := backend.StoreTime(time.Now())
	session, err := t.newSession(userID, now, options, k)
	if err != nil {
		return nil, err
	}
	user, err := t.config.LoadUser.Load(ctx, userID)
	if auth.KindOf(err) == auth.ErrInvalid {
		c := t.issuer.cause("the user", "may not log in", "LoadUser")
		c.Came, c.Err = []string{userID}, err
		return nil, restate(err, c)
	}
	if err != nil {
		return nil, err
	}
	if err := backend.CheckUserID(user.UserID()); err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	session.UserID, session.Stamp = user.UserID(), stampOf(session.ID, user)
	if _, ok := auth.As[auth.Stamper](options.proved); ok && !backend.SameStamp(session.Stamp,
		stampOf(session.ID, options.proved)) {
		t.drift.Warn(ctx, cmp.Or(t.config.Logger, slog.Default()), "jwt", session.UserID)
		return nil, errUserChanged
	}
	m, err := t.make(ctx, session, user, now)
	if err != nil {
		return nil, err
	}
	first := m.refresh(k)
	if options.kept != "" {
		first = m.keepAdopted(options.kept, adopted)
		adopted = first
	}
	started, err := t.startSession(ctx, session, first, adopted)
	if err != nil {
		return nil, err
	}
	if started.OverLimit {
		return nil, ErrLimit
	}
	if started.Seen && m.kept {
		return nil, errAdoptedMeanwhile
	}
	for _, id := range started.Evicted {
		t.events.Send(ctx, auth.Event{Kind: auth.EventRevoked, UserID: session.UserID, CredentialID: id})
	}
	if started.Seen {
		t.events.Send(ctx, auth.Event{Kind: auth.EventReuse, UserID: session.UserID, CredentialID: session.ID})
		return nil, errSeen
	}
	m.generation = started.Generation
	t.events.Send(ctx, auth.Event{Kind: auth.EventIssued, UserID: session.UserID, CredentialID: session.ID})
	return m, nil
}

// session makes the session of a user that options ask for, without the stamp.
func (t *Tokens) newSession(userID string, now time.Time, options Options, k kind) (*Session, error) {
	f := &Session{
		ID: backend.NewIDOf(userID), UserID: userID, ClientID: options.ClientID,
		Scopes: slices.Clone(options.Scopes), Limited: options.Limited || len(options.Scopes) > 0 ||
			options.ClientID != "",
		Created: now, LastUsed: now, MaxExpiresAt: now.Add(t.config.Lifetimes.Session),
		IP: backend.CleanText(options.IP, 64), UserAgent: backend.CleanText(options.UserAgent, 200),
		AuthInfo: options.AuthInfo,
	}
	if k == slidingKind {
		f.MaxExpiresAt = now.Add(t.config.Lifetimes.SlidingSession)
	}
	f.MaxExpiresAt = backend.Earlier(f.MaxExpiresAt, options.end)
	f.AuthInfo.AuthTime, f.AuthInfo.AMR = backend.StoreTime(f.AuthInfo.AuthTime), slices.Clone(f.AuthInfo.AMR)
	if f.Limited && t.config.Scopes == nil {
		return nil, errors.New("jwt: Options with scopes or a client, but Config.Scopes is nil")
	}
	for _, scope := range f.Scopes {
		if !slices.Contains(t.config.Scopes, scope) {
			return nil, fmt.Errorf("jwt: scope %q is not one of Config.Scopes", scope)
		}
	}
	if err := backend.CheckAuthInfo(options.AuthInfo); err != nil {
		return nil, fmt.Errorf("jwt: %w", err)
	}
	if options.ClientID != backend.CleanText(options.ClientID, 255) {
		return nil, errors.New("jwt: ClientID is longer than 255 bytes or has control characters")
	}
	var err error
	if f.Claims, err = t.storedClaims(options.Claims); err != nil {
		return nil, err
	}
	if k == slidingKind {
		f.ExpiresAt = backend.Earlier(f.MaxExpiresAt, wholeSecond(now.Add(t.config.Lifetimes.Sliding)))
	} else {
		f.ExpiresAt = backend.Earlier(f.MaxExpiresAt, wholeSecond(now.Add(t.config.Lifetimes.Refresh)))
	}
	return f, nil
}

// storedClaims returns the claims of a session as a store keeps them, and nil if there are none.
func (t *Tokens) storedClaims(claims map[string]any) ([]byte, error) {
	if len(claims) == 0 {
		return nil, nil
	}
	if err := t.checkClaims(claims); err != nil {
		return nil, err
	}
	text, err := json.Marshal(claims)
	if err != nil || !backend.ValidText(string(text), maxClaims) {
		return nil, errors.New("jwt: Options.Claims are not JSON in UTF-8, or longer than 4 KiB")
	}
	return text, nil
}

// wholeSecond is an instant as a token can say it.
func wholeSecond(at time.Time) time.Time { return at.Truncate(time.Second) }

// checkClaims refuses claims that are not the application's.
func (t *Tokens) checkClaims(claims map[string]any) error {
	f := t.config.Compat.Format
	for name := range claims {
		if reserved[name] || name == f.UserClaim || name == f.IDClaim || name == f.TypeClaim ||
			name == f.RefreshExpClaim {
			return fmt.Errorf("jwt: the claim %s is this package's", name)
		}
	}
	return nil
}

// make prepares tokens. What can fail of making them fails here, so that nothing is used up for tokens that cannot be
// made.
func (t *Tokens) make(ctx context.Context, session *Session, user auth.User, now time.Time) (*newTokens, error) {
	keys, err := t.config.Keys.Current(ctx, now)
	if err != nil {
		return nil, backend.Outage(err)
	}
	key := keys.Signing()
	if key == nil {
		return nil, errors.New("jwt: there is no key that signs")
	}
	m := &newTokens{t: t, key: key, now: now, session: session, id: backend.NewID(), extra: map[string]any{}}
	if err := m.addStored(session.Claims); err != nil {
		return nil, err
	}
	added, err := m.addNow(ctx, user)
	if err != nil {
		return nil, err
	}
	if len(session.Claims)+added > longClaims {
		// Whether they fit is known when they are signed. A sliding token has
		// all that an access token has, and says a little more.
		if _, err := m.sliding(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// addStored adds the claims of Options.Claims, as they were written at the login.
func (m *newTokens) addStored(text []byte) error {
	if text == nil {
		return nil
	}
	var stored map[string]json.RawMessage
	if err := json.Unmarshal(text, &stored); err != nil {
		return fmt.Errorf("jwt: stored claims: %w", err)
	}
	for name, value := range stored {
		m.extra[name] = value
	}
	return nil
}

// addNow adds the claims of Config.Issue.AddClaims, and returns their length as JSON.
func (m *newTokens) addNow(ctx context.Context, user auth.User) (length int, err error) {
	if m.t.config.Issue.AddClaims == nil {
		return 0, nil
	}
	added, err := m.t.config.Issue.AddClaims(ctx, user)
	if err != nil {
		return 0, backend.Outage(err)
	}
	if err := m.t.checkClaims(added); err != nil {
		return 0, err
	}
	text, err := json.Marshal(added)
	if err != nil {
		return 0, fmt.Errorf("jwt: AddClaims: %w", err)
	}
	maps.Copy(m.extra, added)
	return len(text), nil
}

// digestOf is what stores keep of an identifier of a refresh token. It begins with the shard of the user, which is the
// subject of the token, as the digests of opaque tokens do. So a store in several parts knows from a token which part
// has it.
func digestOf(userID, id string) string {
	sum := sha256.Sum256([]byte(id))
	return backend.Shard(userID) + base64url.EncodeToString(sum[:])
}

// refresh is the refresh or sliding token as a store keeps it.
func (m *newTokens) refresh(k kind) *Refresh {
	return &Refresh{Digest: digestOf(m.session.UserID, m.id), SessionID: m.session.ID, Issued: m.now,
		ExpiresAt: m.session.ExpiresAt}
}

// common are the claims that tokens of all kinds have.
func (m *newTokens) common(k kind, id string, expires time.Time) map[string]any {
	c := m.t.config
	claims := map[string]any{"iat": m.now.Unix(), "exp": expires.Unix(), c.Compat.Format.IDClaim: id,
		"sid": m.session.ID, "gen": m.generation}
	claims[c.Compat.Format.UserClaim] = m.session.UserID
	if c.Compat.Format.NumericUser {
		if n, err := strconv.ParseInt(m.session.UserID, 10, 64); err == nil && strconv.FormatInt(n,
			10) == m.session.UserID {
			claims[c.Compat.Format.UserClaim] = n
		}
	}
	if c.Issuer != "" {
		claims["iss"] = c.Issuer
	}
	switch audience := m.t.config.audienceOf(k); len(audience) {
	case 0:
	case 1:
		claims["aud"] = audience[0]
	default:
		claims["aud"] = audience
	}
	if c.Compat.Format.TypeClaim != "" {
		claims[c.Compat.Format.TypeClaim] = kinds[k].claim
	}
	return claims
}

// addUserClaims adds the claims about the user that access and sliding tokens have, and refresh tokens have not.
func (m *newTokens) addUserClaims(claims map[string]any) {
	for name, value := range m.extra {
		claims[name] = value
	}
	f := m.session
	if f.Stamp != "" {
		claims["stamp"] = f.Stamp
	}
	if f.ClientID != "" {
		claims["client_id"] = f.ClientID
	}
	if f.Limited {
		ours := slices.DeleteFunc(slices.Clone(f.Scopes), func(scope string) bool { // of Config, since the login
			return !slices.Contains(m.t.config.Scopes, scope)
		})
		claims["scope"] = strings.Join(ours, " ")
	}
	if !f.AuthInfo.AuthTime.IsZero() {
		claims["auth_time"] = f.AuthInfo.AuthTime.Unix()
	}
	if len(f.AuthInfo.AMR) > 0 {
		claims["amr"] = f.AuthInfo.AMR
	}
	if f.AuthInfo.ACR != "" {
		claims["acr"] = f.AuthInfo.ACR
	}
}

func (m *newTokens) sign(k kind, claims map[string]any) (auth.Secret, error) {
	typ := kinds[k].header
	if m.t.config.Compat.Format.TypeClaim != "" {
		typ = "JWT"
	}
	token, err := Sign(m.key, typ, claims)
	if err == nil && len(token) > maxToken-len("Bearer ") {
		err = errors.New("jwt: a token with these claims is too long for a header")
	}
	return auth.Secret(token), err
}

// refreshToken signs the refresh token.
func (m *newTokens) refreshToken() (auth.Secret, error) {
	return m.sign(refreshKind, m.common(refreshKind, m.id, m.session.ExpiresAt))
}

// access signs an access token, which lives no longer than the refresh token.
func (m *newTokens) access() (auth.Secret, time.Time, error) {
	expires := wholeSecond(backend.Earlier(m.now.Add(m.t.config.Lifetimes.Access), m.session.ExpiresAt))
	claims := m.common(accessKind, backend.NewID(), expires)
	m.addUserClaims(claims)
	token, err := m.sign(accessKind, claims)
	return token, expires, err
}

func (m *newTokens) pair() (*Pair, error) {
	if m.kept {
		return m.pairWith("")
	}
	refresh, err := m.refreshToken()
	if err != nil {
		return nil, err
	}
	return m.pairWith(refresh)
}

func (m *newTokens) pairWith(refresh auth.Secret) (*Pair, error) {
	access, expires, err := m.access()
	if err != nil {
		return nil, err
	}
	return &Pair{Access: access, Refresh: refresh, AccessExpires: expires,
		RefreshExpires: wholeSecond(m.session.ExpiresAt), SessionID: m.session.ID}, nil
}

func (m *newTokens) sliding() (*Sliding, error) {
	claims := m.common(slidingKind, m.id, m.session.ExpiresAt)
	m.addUserClaims(claims)
	claims[m.t.config.Compat.Format.RefreshExpClaim] = m.session.MaxExpiresAt.Unix()
	token, err := m.sign(slidingKind, claims)
	if err != nil {
		return nil, err
	}
	return &Sliding{Token: token, Expires: wholeSecond(m.session.ExpiresAt),
		SessionEnds: wholeSecond(m.session.MaxExpiresAt), SessionID: m.session.ID}, nil
}
