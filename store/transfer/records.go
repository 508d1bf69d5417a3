package transfer

import (
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth/jwt"
	"github.com/gatewarden/auth/knox"
	"github.com/gatewarden/auth/oauth2/external"
	"github.com/gatewarden/auth/oauth2/server"
	"github.com/gatewarden/auth/password"
	"github.com/gatewarden/auth/session"
)

// Record is what is copied as a whole. It holds everything that a store keeps of one thing. Times are UTC, with
// microseconds.
type Record interface {
	// Kind is the kind of the record. [Once] is a record of two kinds and is told by its field.
	Kind() Kind

	// Key is the key of the record among those of its kind, for errors. It is made of the fields that identify the
	// record, and is no secret.
	Key() string

	// Keep drops the parts of the record that are of no use at now, such as tokens of a login that expired. It returns
	// false if that is the whole record. It keeps what a purge of the stores keeps.
	Keep(now time.Time) bool
}

// Owner says what is void for a user. Users for whom nothing was voided have no record.
type Owner struct {
	UserID     string
	Generation int64     // how often all tokens of the user were revoked
	Voided     time.Time // what other issuers issued until then is void; zero is nothing
}

func (*Owner) Kind() Kind    { return Owners }
func (r *Owner) Key() string { return r.UserID }
func (r *Owner) Keep(time.Time) bool {
	return r.Generation != 0 || !r.Voided.IsZero()
}

// JWTKey is a key of a Keyring. It stays sealed under the application key of the service.
type JWTKey struct{ *jwt.KeyRecord }

func (JWTKey) Kind() Kind          { return JWTKeys }
func (r JWTKey) Key() string       { return r.ID }
func (JWTKey) Keep(time.Time) bool { return true }

// KnoxToken is a token of package knox.
type KnoxToken struct{ *knox.Record }

func (KnoxToken) Kind() Kind                { return KnoxTokens }
func (r KnoxToken) Key() string             { return r.Digest }
func (r KnoxToken) Keep(now time.Time) bool { return r.Live(now) }

// KnoxEndedToken is what is kept of a token that ended. Its key is its user, its identifier and when it ended.
type KnoxEndedToken struct{ *knox.EndedToken }

func (KnoxEndedToken) Kind() Kind { return KnoxEnded }
func (r KnoxEndedToken) Key() string {
	return joined(r.UserID, r.ID) + " " + strconv.FormatInt(r.EndedAt.UnixMicro(), 10)
}
func (KnoxEndedToken) Keep(time.Time) bool { return true } // only Config.KeepEnded of the service says for how long

// Session is a session, or the tombstone of one that got another cookie.
type Session struct{ *session.Record }

func (Session) Kind() Kind    { return Sessions }
func (r Session) Key() string { return r.Digest }

// Keep goes by the expiry alone: a tombstone is never live.
func (r Session) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// Once is a key that was used once. Its key is the text.
type Once struct {
	Of        Kind // OAuthOnce or LoginOnce
	Text      string
	ExpiresAt time.Time
}

func (r *Once) Kind() Kind              { return r.Of }
func (r *Once) Key() string             { return r.Text }
func (r *Once) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// Identity is an account elsewhere that a user signs in with. Its key is the issuer and the subject.
type Identity struct{ *external.Identity }

func (Identity) Kind() Kind          { return Identities }
func (r Identity) Key() string       { return joined(r.Issuer, r.Subject) }
func (Identity) Keep(time.Time) bool { return true }

// Reservation is an account that is being made for an identity. Its key is the issuer and the subject.
type Reservation struct{ *external.Reservation }

func (Reservation) Kind() Kind                { return Reservations }
func (r Reservation) Key() string             { return joined(r.Issuer, r.Subject) }
func (r Reservation) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// LoginCode is a code that an app exchanges for a token after an external login.
type LoginCode struct{ *external.Code }

func (LoginCode) Kind() Kind                { return LoginCodes }
func (r LoginCode) Key() string             { return r.Digest }
func (r LoginCode) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// OneTimeToken is a token of package password that is good once.
type OneTimeToken struct{ *password.OneTimeRecord }

func (OneTimeToken) Kind() Kind                { return OneTimeTokens }
func (r OneTimeToken) Key() string             { return r.Digest }
func (r OneTimeToken) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// ThrottleCount is a counter of failed logins.
type ThrottleCount struct {
	Digest string // its key
	password.Counter
}

func (*ThrottleCount) Kind() Kind                { return ThrottleCounts }
func (r *ThrottleCount) Key() string             { return r.Digest }
func (r *ThrottleCount) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// OAuthClient is a client of the authorization server.
type OAuthClient struct{ *server.Client }

func (OAuthClient) Kind() Kind          { return OAuthClients }
func (r OAuthClient) Key() string       { return r.ID }
func (OAuthClient) Keep(time.Time) bool { return true }

// OAuthConsent is what a user agreed to for a client. Its key is both. It is copied only if its client is there.
type OAuthConsent struct{ *server.Consent }

func (OAuthConsent) Kind() Kind          { return OAuthConsents }
func (r OAuthConsent) Key() string       { return joined(r.UserID, r.ClientID) }
func (OAuthConsent) Keep(time.Time) bool { return true }

// OAuthPage is a page of the authorization server that waits for its user.
type OAuthPage struct{ *server.Interaction }

func (OAuthPage) Kind() Kind                { return OAuthPages }
func (r OAuthPage) Key() string             { return r.Digest }
func (r OAuthPage) Keep(now time.Time) bool { return now.Before(r.ExpiresAt) }

// latest returns the latest of some instants.
func latest(all ...time.Time) (last time.Time) {
	for _, at := range all {
		if at.After(last) {
			last = at
		}
	}
	return last
}

// joined names a record by two of its fields. A space in one of them is no border: the first is quoted if it has one.
func joined(first, second string) string {
	if strings.ContainsAny(first, " \"") {
		first = strconv.Quote(first)
	}
	return first + " " + second
}
