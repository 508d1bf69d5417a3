package jwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// Issuer is an issuer of the tokens that a [Verifier] accepts, and what they must say. Issuer,
// Audience and Keys are required, and either LoadUser or User.
type Issuer struct {
	// Issuer is the value of "iss", compared byte by byte (RFC 9068 §4). It may be a template with the place of a
	// tenant, such as "https://login.microsoftonline.com/{tenantid}/v2.0": "iss" must then be the template filled in
	// with the
	// claim "tid", and the key must name that issuer (Profile.KeyIssuers). Subjects are unique in a tenant only, so
	// users and machines are then known by tenant, "/" and identifier.
	Issuer string
	// Audience are our own names: "aud" must have one of them (RFC 7519 §4.1.3).
	Audience []string
	// Keys are the issuer's: a [KeySet], [RemoteKeys] or a [Keyring]. They
	// verify tokens of this issuer and of no other.
	Keys KeySource

	// Profile says which rights a token carries: which claims hold scopes, name the client and mark machines. The zero
	// value is any issuer that is not this library. For tokens that [Tokens] issued it must be [Gatewarden]. Otherwise
	// they are limited to nothing, and their claims "gen" and "stamp" are not looked at, so Revocations does not know
	// their login, and a change of the user's stamp does not end them.
	Profile Profile
	// Format is how tokens name their user. With a TypeClaim, only those of the
	// type "access" are accepted.
	Format Format
	// MachinePrefix is put before the identifier of each machine, such as "github/". Two issuers of a Verifier need
	// prefixes of which no one begins with the other. With the same prefix, equal identifiers are the same machine.
	// Issuers of two Verifiers in one Guard need different ones as well, which is not checked.
	MachinePrefix string

	// Checks are what a token must say besides.
	Checks TokenChecks
	// Shared says which customers of an issuer that many share may call.
	Shared SharedIssuer

	// LoadUser finds the user, at every request. See [auth.UserLoader]. A user
	// that has a stamp ([auth.Stamper]) is refused if the token carries
	// another one.
	LoadUser auth.UserLoader
	// User makes the user of the claims alone, such as [SubjectUser]. It is
	// called when a token is verified and remembered with it, so it must depend
	// on nothing else, and a disabled user stays in until the token expires.
	// ErrUserNotFound and ErrUserInactive are answered with 401, any other error
	// with 503, and so is a nil user.
	User func(ctx context.Context, token *Token) (auth.User, error)
	// Claims makes a value of the application's own type of the claims, for
	// [ClaimsOf]: see [ClaimsAs]. It is called once, after the signature and all
	// claims were found good. An error makes the token invalid.
	Claims func(payload []byte) (any, error)
	// Revocations is asked at every request whether a token is void, for a machine by
	// the UserID of its [auth.Machine]. If nil, a token is good until it expires. With it, a
	// token of a user with an identifier of more than 512 bytes is invalid, because no store
	// can keep that it is void.
	Revocations Revocations

	// AllowFullAccess gives full access to tokens that carry no claim with scopes or a client at all, not even an empty
	// one, and that are of no machine. Without it, tokens of others are limited to their scopes (RFC 9068 §2.2.3),
	// and one without any passes only where a route asks for no scope. An issuer that names its limits in a claim that
	// Profile does not know then hands out more than it meant to.
	AllowFullAccess bool
	// AllowBoundTokens accepts tokens that are bound to a key by "cnf" (RFC 7800) as if they were not. A stolen one
	// can be used, unless something else checks the proof of possession.
	AllowBoundTokens bool
	// AllowUnverifiedEmail lets an address, or any "email", name the user, in a Format.UserClaim other than "sub",
	// without "email_verified" and the same address in "email". An account at the issuer that shows
	// the address of another person is then taken for that person.
	AllowUnverifiedEmail bool
}

// TokenChecks are what a token of an [Issuer] must say. The zero value is strict.
type TokenChecks struct {
	// Algorithms are those accepted. Nil is every one that is asymmetric, and
	// of an Issuer.Keys that is a KeySet or Keyring those of its keys.
	Algorithms []Algorithm
	// Types are the values of the header "typ" that are accepted, in any case
	// and with "application/" or not. "" is a token without. Nil is those of Issuer.Profile, or else "at+jwt"
	// (RFC 9068 §4), and with a TypeClaim of Issuer.Format whatever it is. Issuers that
	// are not of RFC 9068 write "JWT" or nothing. Nothing but their audience
	// and Profile.Kinds then tells their access tokens from their ID tokens: make sure that it
	// does.
	Types []string
	// Require are further claims that must be there, of whatever value, such as
	// "client_id" and "jti" (RFC 9068 §2.2).
	Require []string
	// Leeway is how much the issuer's clock and ours may differ: tokens live so
	// much longer, and may be of a time so far ahead. 0 is no leeway for "exp", and 5
	// seconds for "nbf" and "iat", so that fresh tokens are not refused. It is
	// at most 5 minutes.
	Leeway time.Duration
	// AllowNoIssuer also accepts tokens without "iss" as this issuer's, and
	// Issuer.Issuer may be empty. A holder of one of its keys may have made them for
	// another purpose.
	AllowNoIssuer bool
	// AllowNoAudience accepts tokens without "aud", and Issuer.Audience may be empty.
	// A token that was made for another service of the issuer is then good here.
	// One that names an audience must still name ours.
	AllowNoAudience bool
	// AllowNoExpiry accepts tokens without "exp". One that is stolen is good for
	// ever.
	AllowNoExpiry bool
}

// SharedIssuer says which customers of an issuer that many share may call: one with a tenant for each customer, such as
// [Entra], or one that gives tokens for any audience to everybody, such as [GitHubActions] and [Google].
type SharedIssuer struct {
	// Tenants are the tenants with tokens that are accepted, where Issuer.Issuer is a template.
	Tenants []string
	// AllowAnyTenant accepts every tenant in place of Tenants. Everybody can make one, and decides what its tokens say.
	AllowAnyTenant bool
	// RequireValues are claims that must have one of these values: a text, a number or boolean as JSON writes it, or an
	// array with one of them. An "email" counts only if "email_verified" is true. Issuers such as [GitHubActions] and
	// [Google] give tokens for any audience to everybody. One of Profile.BindOneOf must then be here, unless
	// AllowAnyCaller is set.
	RequireValues map[string][]string
	// AllowAnyCaller accepts tokens of every customer of the issuer, where Profile.BindOneOf asks for one of
	// RequireValues. Anybody on the internet can then call.
	AllowAnyCaller bool
	// AllowKeysWithoutIssuer accepts keys without a member "issuer" in spite of Profile.KeyIssuers. A key
	// of any tenant in the set can then sign for all of them.
	AllowKeysWithoutIssuer bool
}

// localKeySource is a KeySource of the service's own keys, which verify for Keep after they signed: a [Keyring].
type localKeySource interface{ Keep() time.Duration }

// Revocations says which tokens are revoked. A [Store] does.
type Revocations interface {
	// Revoked reports whether what a token claims is void at now: see [Claimed]. It is one look-up.
	Revoked(ctx context.Context, claimed Claimed, now time.Time) (bool, error)
}

// SubjectUser is an Issuer.User: a [Subject] of [Token.Subject]. Subjects are unique at their issuer only, so it is for
// one issuer.
func SubjectUser(_ context.Context, token *Token) (auth.User, error) {
	return Subject{token.subject}, nil
}

// issuer is an Issuer that was checked.
type issuer struct {
	Issuer
	algorithms map[Algorithm]bool // nil is every one that a key of Keys is for
	types      []string
	early      time.Duration // what "nbf" and "iat" may be ahead
	reader     *ProfileReader
	tenancy    *tenancy        // if Issuer is a template
	values     []requiredValue // RequireValues
	noScopes   hints           // why a token has no scopes, for the log
	own        *Config         // of Tokens that issue as this issuer, or nil
	slash      *refusal        // of a token of another issuer that differs by a slash only
	otherAlg   *refusal        // of a token by an algorithm that is not accepted
	told       sync.Map        // names of claims that tellIgnored has logged
}

const (
	maxLeeway    = 5 * time.Minute
	defaultEarly = 5 * time.Second
)

func newIssuer(config Issuer) (*issuer, error) {
	s := backend.Settings{Package: "jwt"}
	i := checkIssuer(&s, config)
	i.otherAlg = i.otherAlgorithm()
	return i, s.Err()
}

// checkIssuer returns the issuer, which is good for nothing if s has an error.
func checkIssuer(s *backend.Settings, config Issuer) *issuer {
	i := &issuer{Issuer: config, early: cmp.Or(config.Checks.Leeway, defaultEarly)}
	i.checkSettings(s)
	var err error
	i.Format, err = config.Format.withDefaults()
	s.Add(fmt.Sprintf("issuer %q: Format", config.Issuer), err)
	i.readProfile(s)
	i.readTenants(s)
	i.readValues(s)
	// Whatever the caller does with these slices later does not change it.
	i.Audience, i.Checks.Require = slices.Clone(config.Audience), slices.Clone(config.Checks.Require)
	i.readAlgorithms(s)
	i.readTypes()
	return i
}

// checkSettings checks the settings that stand for themselves.
func (i *issuer) checkSettings(s *backend.Settings) {
	config := &i.Issuer
	refuse := func(wrong bool, text string) { s.Refuse(wrong, "issuer %q: %s", config.Issuer, text) }
	refuse(config.Issuer == "" && !config.Checks.AllowNoIssuer, "Issuer is missing")
	refuse(len(config.Audience) == 0 && !config.Checks.AllowNoAudience, "Audience is missing")
	refuse(slices.Contains(config.Audience, ""), "an Audience is empty")
	s.Need(fmt.Sprintf("issuer %q: Keys", config.Issuer), config.Keys)
	loads, makes := config.LoadUser != nil, config.User != nil
	refuse(loads == makes && (loads || !config.Profile.AllMachines), "either LoadUser or User must be set")
	refuse(config.Checks.Leeway < 0 || config.Checks.Leeway > maxLeeway, "Leeway is not within 0 and 5 minutes")
	if config.Revocations != nil {
		s.Need(fmt.Sprintf("issuer %q: Revocations", config.Issuer), config.Revocations) // a typed nil
	}
}

// readAlgorithms finds out which algorithms are accepted. Symmetric ones need keys of our own.
func (i *issuer) readAlgorithms(s *backend.Settings) {
	_, static := i.Keys.(*KeySet)
	_, keeps := i.Keys.(localKeySource)
	local := static || keeps
	i.Checks.Algorithms = slices.Clone(i.Checks.Algorithms)
	for n, algorithm := range i.Checks.Algorithms {
		algorithm = algorithm.canonical()
		i.Checks.Algorithms[n] = algorithm
		s.Refuse(methods[algorithm].SigningMethod == nil, "issuer %q: there is no algorithm %q here",
			i.Issuer.Issuer, algorithm)
		s.Refuse(algorithm.symmetric() && !local, "issuer %q: symmetric algorithms need a KeySet or Keyring",
			i.Issuer.Issuer)
	}
	if i.Checks.Algorithms == nil && local {
		return // those of the keys
	}
	i.algorithms = make(map[Algorithm]bool)
	for algorithm := range methods {
		i.algorithms[algorithm] = slices.Contains(i.Checks.Algorithms, algorithm) ||
			i.Checks.Algorithms == nil && !algorithm.symmetric()
	}
}

// readTypes finds out which values of "typ" are accepted.
func (i *issuer) readTypes() {
	i.Checks.Types = slices.Clone(i.Checks.Types)
	for _, typ := range i.Checks.Types {
		i.types = append(i.types, mediaType(typ))
	}
	if i.Checks.Types == nil && i.Format.TypeClaim == "" {
		i.types = []string{kinds[accessKind].header}
	}
}

// prove verifies a token that says it is of this issuer: its signature first,
// then what it says, which are the claims all. want are the kinds it may be of. An
// error may be a *refusal.
func (i *issuer) prove(ctx context.Context, u unverifiedToken, all []member, want wanted,
	now time.Time) (*Token, *KeySet, error) {
	h := u.header
	switch {
	case h.refused != nil:
		return nil, nil, h.refused
	case u.twice:
		return nil, nil, errTwiceInClaims
	case i.algorithms != nil && !i.algorithms[h.algorithm]:
		return nil, nil, i.otherAlg
	}
	signature, ok := signatureOf(u.signature)
	if !ok {
		return nil, nil, errSignatureText
	}
	keys, err := i.verify(ctx, u, all, signature, func() *refusal {
		_, fault := i.examine(u, all, want, now)
		return fault
	}, now)
	if err != nil {
		return nil, nil, err
	}
	token, fault := i.examine(u, all, want, now)
	if fault != nil {
		return nil, nil, fault
	}
	return token, keys, nil
}

// addUser checks the subject of a token that was proved, and adds what is made of its claims: the
// value of Issuer.Claims and, of a machine or with Issuer.User, the user. An error may be a *refusal.
func (i *issuer) addUser(ctx context.Context, v *verified, payload string) (err error) {
	t := v.token
	if t.machine == "" {
		if fault := i.checkSubject(t); fault != nil {
			return fault
		}
	}
	if fault := i.checkRevocable(t); fault != nil {
		return fault
	}
	if i.Claims != nil && t.kind != refreshKind { // a refresh token has no claims of the application
		if t.claims, err = i.Claims([]byte(payload)); err != nil {
			return i.refusedClaims(err)
		}
	}
	switch {
	case t.machine != "":
		v.user = auth.Machine{ID: i.MachinePrefix + t.machine}
	case i.User != nil:
		v.user, err = i.makeUser(ctx, t)
	}
	return err
}

// admit decides about a token that is good by itself: whether it was revoked,
// and what its user is now. An error may be a *refusal.
func (i *issuer) admit(ctx context.Context, v *verified, now time.Time) (auth.User, error) {
	t := v.token
	if i.Revocations != nil {
		switch revoked, err := i.Revocations.Revoked(ctx, i.claimed(t), now); {
		case err != nil:
			return nil, backend.Outage(err)
		case revoked:
			return nil, errRevoked
		}
	}
	if v.user != nil {
		return v.user, nil
	}
	return i.loadUser(ctx, v)
}

func (i *issuer) claimed(t *Token) Claimed {
	c := Claimed{SessionID: t.sessionID, UserID: t.subject, Generation: t.generation, IssuedAt: t.issued}
	if t.machine != "" && t.generation < 0 { // no user with its subject, and no login of ours
		c.UserID = auth.Machine{ID: i.MachinePrefix + t.machine}.UserID()
	}
	if i.own == nil && t.generation < 0 {
		c.SessionID = "" // a session of others, which this store cannot know
	}
	if t.kind == slidingKind {
		c.Digest = digestOf(t.subject, t.id)
		if i.own != nil {
			c.Grace = i.own.Lifetimes.Grace
		}
	}
	return c
}

func (i *issuer) loadUser(ctx context.Context, v *verified) (auth.User, error) {
	user, err := i.LoadUser.Load(ctx, v.token.subject)
	if err != nil {
		return nil, i.refusedUser(v.token, "LoadUser", err)
	}
	if v.token.stamp == "" && i.own == nil {
		return user, nil // others know of no stamps, and theirs are not read
	}
	stamper, ok := user.(auth.Stamper) // the usual case, found faster than by As
	if !ok {
		stamper, ok = auth.As[auth.Stamper](user)
	}
	if !ok {
		if v.token.stamp != "" {
			return nil, errNoStamp
		}
		return user, nil
	}
	// Most requests find the stamp that was compared before: what the
	// application says now is compared with what it said then.
	stamp := stamper.AuthStamp()
	if last := v.stamp.Load(); last != nil && *last == stamp {
		return user, nil
	}
	if v.token.stamp == "" && i.own.Compat.AllowNoSession && v.token.sessionID == "" {
		return user, nil
	}
	if !backend.SameStamp(v.token.stamp, stampOf(v.token.sessionID, user)) {
		return nil, errStamp
	}
	matched := stamp // or every call would allocate
	v.stamp.Store(&matched)
	return user, nil
}

// makeUser calls User. It has no say but that the user is invalid, as a
// [auth.UserLoader]: any other kind would let it turn a token that was presented
// into one that is absent.
func (i *issuer) makeUser(ctx context.Context, t *Token) (auth.User, error) {
	user, err := i.User(ctx, t)
	switch {
	case err == nil && user == nil:
		return nil, backend.Outage(errors.New("jwt: Issuer.User returned neither user nor error"))
	case err == nil:
		return user, nil
	case auth.KindOf(err) == auth.ErrInvalid:
		return nil, i.refusedUser(t, "User", err)
	}
	return nil, backend.Outage(err)
}

// stampOf is the claim "stamp": a hash of the user's stamp that is another in
// every session, since everybody that sees the token can read it.
func stampOf(sessionID string, user auth.User) string {
	return backend.Stamp("jwt\x00"+sessionID, user)
}

// looksLikeMachine reports a subject that could be taken for a client.
func looksLikeMachine(subject string) bool {
	return strings.HasPrefix(subject, auth.Machine{}.UserID())
}
