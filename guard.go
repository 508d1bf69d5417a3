package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/loglimit"
)

// Config is the configuration of a [Guard]. Backends is required.
type Config struct {
	// Backends prove requests, asked in this order. Put credentials that a
	// client sends on purpose (tokens) before those that a browser adds
	// (sessions, Basic).
	Backends []Authenticator

	// Login are the backends by which somebody may log in, asked in this order
	// by the handlers that issue a credential, such as those of knox and
	// session. They are not asked about other requests, unless they are among
	// Backends too. Put password.Authenticator here, which reads the bodies of
	// forms. Add a session, if people that are signed in may have a token. If
	// empty, no handler that issues something can be made.
	Login []Authenticator

	// Proxies in front of the service. This is the one place that names them:
	// backends and handlers find them by [ProxiesFrom] and [ClientIP]. If forwarded
	// headers of another sender would have decided something, the log warns once.
	Proxies Proxies

	// Challenges are sent with those of the backends on a 401.
	Challenges []Challenge

	// MaxAuthorization is the longest Authorization value that is read, in bytes, up to 64
	// KiB. 0 is the constant [MaxAuthorization], 8 KiB. Some issuers sign longer tokens:
	// those of Microsoft Entra ID list up to 200 groups and then have 11 KB. Set
	// jwt.VerifierConfig.MaxLength as well. Longer values cost a stranger's request more
	// work, such as decoding. A proxy in front, and http.Server.MaxHeaderBytes for all
	// headers together (1 MiB by default), must let them through.
	MaxAuthorization int

	// CrossOrigin decides which unsafe requests may carry an [Ambient]
	// credential. If nil, those of the same origin and those that no browser
	// sent. AddTrustedOrigin allows more.
	CrossOrigin *http.CrossOriginProtection

	// Preflight answers CORS preflight requests, which carry no credentials
	// and are never authenticated. They do not reach protected handlers: one
	// that forgot to look at the method would run for a stranger. If nil, they
	// are answered with 204 and no permission. A CORS middleware around the
	// Guard answers before it. One inside belongs here:
	//
	//	Preflight: cors.Default().Handler(http.NotFoundHandler())
	Preflight http.Handler

	// Render writes the answer to a refused request. If nil, WriteProblem does. It may
	// change p, which is its own, and replace values of w's header. It must not change the
	// strings inside a value that is there, because answers share them.
	// Status, challenges and caching headers are set on w's header before.
	// Render adds Content-Type and calls WriteHeader(p.Status).
	//
	// This one function writes the refusals of every handler that takes the Guard:
	// show a login form again, or lead to it, by r.URL.Path or r.Pattern. See
	// session.Sessions.RedirectToLogin.
	Render func(w http.ResponseWriter, r *http.Request, p *Problem)

	// Observer is told of every proof and refusal. Nil is allowed.
	Observer Observer

	// Logger gets one line for each refusal, with its cause: at level Error for 500 and 503,
	// at Info for the others. A request without any credentials is not logged. If nil,
	// slog.Default is used. To turn the lines off, use a handler with a higher level.
	//
	// So that a stranger cannot fill a disk, at most 100 lines at once and then 10 in a
	// second are written of one backend and status. The next line has left_out, which is how
	// many were not. See AllowLogFlood.
	Logger *slog.Logger

	// AllowLogFlood writes a line for every refusal. The senders of bad requests then decide
	// how much is logged.
	AllowLogFlood bool
}

// Guard is the middleware. A program needs one: handlers of knox, jwt, session,
// password, oauth2/server and oauth2/external take the same Guard. It is immutable
// and safe for concurrent use. A nil Guard answers 500 to every request.
//
// Answers share the values of the headers Vary, Cache-Control, Content-Type and
// WWW-Authenticate that a Guard sets. A handler or middleware may set or add to them. It must not
// write into the slice that is there, as slices.DeleteFunc does.
//
// A request behind two layers of the same Guard is proved once, and the policies
// of each layer run. Another Guard proves it again.
type Guard struct {
	config        Config
	backends      []backendInfo
	challenges    []Challenge // one per scheme
	strip         []string
	vary          []string                      // one line, or nil if no backend reads a header
	schemes       []string                      // that its backends read in Authorization
	answers       *answers                      // of these challenges
	login         *Guard                        // asks Config.Login, nil if that is empty
	atLogin       bool                          // of a login guard: see AtLogin
	mapProblem    func(*http.Request, *Problem) // may be nil
	withoutDialog bool                          // see WithoutDialog
	fallback      []Challenge                   // of WithoutDialog
	configured    []Authenticator               // of a login guard: what Config.Login has for each backend
	users         *userTypes
	sharedState   *sharedState // shared with the guards made from this one
}

// backendInfo is a backend with what New read from its optional interfaces.
type backendInfo struct {
	Authenticator
	name         string
	schemes      []string // of its challenges
	ambient      Ambient  // nil if it has no such method
	readsProxies bool
	nests        bool // it asks other backends in turn: a Guard or a chain
}

// New returns a Guard, or an error that says which setting cannot be right:
//
//   - there is no backend, or a nil one, or two of the same name
//   - Proxies trusts every address, or one that is not valid
//   - the backends and Config.Challenges have no challenge, which a 401 must
//     carry (RFC 9110 §15.5.2), or one cannot be sent
//   - two backends speak one scheme, and one of them does not say which tokens
//     are its own, or both own the same: see [TokenOwner]
//   - a backend says that another one must not stand beside it: see [Conflicter]
//   - a backend of Login is in a chain or Guard of Backends that is decorated as a
//     whole, so that it cannot be asked alone in its decorator
//   - a backend holds another one in a field and has no Unwrap method, so that
//     the capabilities of the inner one would be lost, or holds several and
//     unwraps to one of them: see [As] and [Wrap]
func New(config Config) (*Guard, error) {
	if config.CrossOrigin == nil {
		config.CrossOrigin = http.NewCrossOriginProtection()
	}
	// Whatever the caller does with these slices later does not change the Guard.
	config.Challenges = slices.Clone(config.Challenges)
	config.Proxies.Trusted = slices.Clone(config.Proxies.Trusted)
	config.Backends, config.Login = flatten(config.Backends), flatten(config.Login)
	if len(config.Backends) == 0 {
		return nil, errors.New("auth: Config.Backends is empty")
	}
	if err := config.Proxies.check(); err != nil {
		return nil, err
	}
	if err := config.checkMaxAuthorization(); err != nil {
		return nil, err
	}
	if err := checkNames(config.Backends, config.Login); err != nil {
		return nil, err
	}
	shared := &sharedState{backends: config.Backends}
	if !config.AllowLogFlood {
		shared.lines = new(loglimit.Limit)
	}
	g, err := newGuard(config, shared, "Config.Backends", config.Backends)
	if err != nil || len(config.Login) == 0 {
		return g, err
	}
	// A backend that is in both lists is asked in its decorator here, too.
	login, configured, err := replaceDecorated(config.Login, g.config.Backends, nil, wraps)
	if err != nil {
		return nil, fmt.Errorf("auth: Config.Login: %w", err)
	}
	if g.login, err = newGuard(config, shared, "Config.Login", login); err != nil {
		return nil, err
	}
	g.login.configured, g.login.atLogin = configured, true
	g.strip = union(g.strip, g.login.strip)
	g.login.strip = g.strip
	return g, nil
}

// newGuard returns a Guard that asks backends. Errors about one of them name it by
// the setting it is in.
func newGuard(config Config, shared *sharedState, setting string, backends []Authenticator) (*Guard, error) {
	g := &Guard{config: config, users: &userTypes{}, sharedState: shared, answers: &answers{}}
	g.config.Backends = backends
	var vary []string
	var challenges []Challenge
	for i, backend := range backends {
		if err := checkBackend(backend); err != nil {
			return nil, fmt.Errorf("auth: %s[%d] %w", setting, i, err)
		}
		b := backendInfo{Authenticator: backend, name: nameOf(backend), readsProxies: readsProxies(backend)}
		b.ambient = ambientOf(backend)
		b.nests = nests(backend)
		if challenger, ok := As[Challenger](backend); ok {
			own := challenger.Challenges()
			challenges = append(challenges, own...)
			b.schemes = schemesOf(own)
		} else {
			b.schemes = schemesOf(config.Challenges) // which speak for it
		}
		if stripper, ok := As[HeaderStripper](backend); ok {
			g.strip = union(g.strip, stripper.StripHeaders())
		}
		vary = append(vary, varyOf(backend)...)
		g.backends = append(g.backends, b)
	}
	if err := errors.Join(checkOwners(backends), checkConflicts(backends)); err != nil {
		return nil, err
	}
	g.challenges = mergeChallenges(append(challenges, config.Challenges...))
	if len(g.challenges) == 0 {
		return nil, fmt.Errorf("auth: %s and Config.Challenges have no challenge, and a 401 must carry one. "+
			"Set Config.Challenges", setting)
	}
	for _, c := range g.challenges {
		if err := c.check(); err != nil {
			return nil, err
		}
	}
	for i, name := range vary {
		vary[i] = http.CanonicalHeaderKey(name)
	}
	slices.Sort(vary)
	if vary = slices.Compact(vary); len(vary) > 0 {
		g.vary = []string{strings.Join(vary, ", ")}
	}
	g.schemes = schemesOfBackends(g.backends)
	return g, nil
}

// ErrNoLogin is what [Guard.Login] returns if there is no backend by which somebody
// may log in.
var ErrNoLogin = errors.New("auth: there is no way to log in")

var errNilGuard = errors.New("auth: the guard is nil")

// With returns a Guard with the settings of g and with other backends. It strips the same
// headers as g.
//
// If g has a decorator around one of these backends, the new Guard has it too. So a decorator
// that limits logins also works for the handlers of a backend. With returns an error if the
// decorator is around a whole chain or Guard of which the backend is a part.
func (g *Guard) With(backends ...Authenticator) (*Guard, error) {
	if g == nil {
		return nil, errNilGuard
	}
	var known []Authenticator
	if g.sharedState != nil {
		known = g.sharedState.backends
	}
	found, _, err := replaceDecorated(flatten(backends), g.config.Backends, known, includes)
	if err != nil {
		return nil, fmt.Errorf("auth: With: %w", err)
	}
	return g.withBackends(found)
}

// withBackends returns a Guard with the settings of g that calls backends as they are.
func (g *Guard) withBackends(backends []Authenticator) (*Guard, error) {
	config := g.config
	config.Backends = backends
	if len(config.Backends) == 0 {
		return nil, errors.New("auth: With has no backend")
	}
	if err := checkNames(config.Backends); err != nil {
		return nil, err
	}
	with, err := newGuard(config, g.sharedState, "backend", config.Backends)
	if err != nil {
		return nil, err
	}
	with.strip = union(g.strip, with.strip)
	with.mapProblem, with.atLogin = g.mapProblem, g.atLogin
	if g.login != nil {
		login := *g.login
		login.strip = with.strip
		with.login = &login
	}
	if g.withoutDialog {
		return with.WithoutDialog(g.fallback...), nil
	}
	return with, nil
}

// replaceDecorated returns wanted with each backend replaced by its decorator in asked or else in
// known, if it has one. configured has the backend of wanted for each of them. matches reports
// whether a backend of asked is the wanted one.
func replaceDecorated(
	wanted, asked, known []Authenticator, matches func(each, backend Authenticator) bool,
) (all, configured []Authenticator, err error) {
	for _, backend := range wanted {
		found, err := findDecorated(backend, asked, known, matches)
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			found = []Authenticator{backend}
		}
		for _, each := range found {
			if !slices.ContainsFunc(all, func(other Authenticator) bool { return same(other, each) }) {
				all, configured = append(all, each), append(configured, backend)
			}
		}
	}
	return all, configured, nil
}

// findDecorated returns the entries of asked, or else of known, through which a backend is called.
// known has the backends that an earlier With left out. Decorators come before other matches.
func findDecorated(
	backend Authenticator, asked, known []Authenticator, matches func(each, backend Authenticator) bool,
) ([]Authenticator, error) {
	for _, by := range []func(each, backend Authenticator) bool{wraps, matches} {
		for _, list := range [][]Authenticator{asked, known} {
			if found, err := findEntries(list, backend, by); err != nil || len(found) > 0 {
				return found, err
			}
		}
	}
	return nil, nil
}

// findEntries returns the entries of backends through which backend is called.
func findEntries(
	backends []Authenticator, backend Authenticator, matches func(each, backend Authenticator) bool,
) (found []Authenticator, err error) {
	for _, each := range backends {
		inner, isGuard := each.(*Guard)
		switch {
		case matches(each, backend):
			found = append(found, each)
		case isGuard:
			more, err := findEntries(inner.config.Backends, backend, matches)
			if err != nil {
				return nil, err
			}
			if len(more) > 0 { // under the rules of the inner guard
				if inner, err = inner.withBackends(more); err != nil {
					return nil, err
				}
				found = append(found, inner)
			}
		case slices.ContainsFunc(decoratorChain(each)[1:],
			func(layer Authenticator) bool { return maybeSame(layer, backend) }):
			return nil, fmt.Errorf("%s cannot be told from a backend that is decorated, as values of type %T cannot "+
				"be compared. Use a type whose values can, such as a pointer", nameOf(backend), backend)
		case slices.ContainsFunc(expand([]Authenticator{each}),
			func(b Authenticator) bool { return matches(b, backend) }):
			return nil, fmt.Errorf("%s is inside a guard or a chain that is decorated as a whole, where it "+
				"cannot be asked alone. List and decorate its backends one by one", nameOf(backend))
		}
	}
	return found, nil
}

// Has reports whether backend is among Config.Backends, also in a decorator, a chain
// or a guard, or as the verifier of an API key. If it is not among them, the Guard
// refuses what it issues.
func (g *Guard) Has(backend Authenticator) bool {
	if g == nil {
		return false
	}
	return slices.ContainsFunc(expand(g.config.Backends),
		func(each Authenticator) bool { return includes(each, backend) })
}

// includes reports whether each is backend, decorates it, or has it as its verifier.
func includes(each, backend Authenticator) bool {
	if by, ok := As[interface{ Verifier() TokenVerifier }](each); ok {
		if verifier, ok := by.Verifier().(Authenticator); ok && wraps(verifier, backend) {
			return true
		}
	}
	return wraps(each, backend)
}

// Login returns a Guard like g that asks the backends of Config.Login, except for
// those that are among except, or decorate one of them. It returns [ErrNoLogin] if no
// backend is left: a handler that issues credentials could then never be used. It
// returns another error if one of except is inside a Guard or a decorated chain, where
// it cannot be left out.
func (g *Guard) Login(except ...Authenticator) (*Guard, error) {
	if g == nil {
		return nil, errNilGuard
	}
	if g.login == nil {
		return nil, fmt.Errorf("%w: Config.Login is empty", ErrNoLogin)
	}
	login := *g.login
	login.mapProblem = g.mapProblem
	if len(except) == 0 {
		return &login, nil
	}
	var left []Authenticator
	for i, backend := range login.config.Backends {
		if slices.ContainsFunc(decoratorChain(backend), func(layer Authenticator) bool {
			return slices.ContainsFunc(except, func(other Authenticator) bool { return maybeSame(layer, other) })
		}) {
			return nil, fmt.Errorf("auth: Config.Login has a %T, which cannot be left out, as its type cannot be "+
				"compared. Use a pointer", backend)
		}
		excepted := func(inner Authenticator) bool {
			return slices.ContainsFunc(except, func(other Authenticator) bool { return wraps(inner, other) })
		}
		switch {
		case excepted(backend), i < len(login.configured) && excepted(login.configured[i]):
		case slices.ContainsFunc(expand([]Authenticator{backend}), excepted):
			return nil, fmt.Errorf("auth: Config.Login has %s inside a guard or a decorated chain, where it cannot "+
				"be left out. List its backends one by one", nameOf(except[0]))
		default:
			left = append(left, backend)
		}
	}
	switch len(left) {
	case len(login.config.Backends):
		return &login, nil
	case 0:
		return nil, fmt.Errorf("%w: Config.Login has no other backend", ErrNoLogin)
	}
	without, err := g.withBackends(left)
	if err != nil {
		return nil, err
	}
	without.login, without.atLogin = nil, true
	return without, nil
}

// MapProblem returns a Guard like g that calls change with each [Problem] before
// it is answered. change may set the status, code, detail, challenges and
// extensions. Handlers that keep the wire of another system use it. If g has
// such a function already, that one is called last.
func (g *Guard) MapProblem(change func(r *http.Request, p *Problem)) *Guard {
	if g == nil {
		return nil
	}
	mapped := *g
	mapped.mapProblem = func(r *http.Request, p *Problem) {
		change(r, p)
		if g.mapProblem != nil {
			g.mapProblem(r, p)
		}
	}
	return &mapped
}

// WithoutDialog returns a Guard like g with a 401 on which no browser opens its own
// password dialog: it leaves out the challenges of Basic, Digest, NTLM and
// Negotiate. Handlers that answer with pages use it. If no other challenge is left, the
// 401 has those of fallback, because it must have one (RFC 9110 §15.5.2). If fallback
// is empty too, it has one of the scheme "Form", which no browser acts on and no RFC
// defines.
func (g *Guard) WithoutDialog(fallback ...Challenge) *Guard {
	if g == nil {
		return nil
	}
	quiet := *g
	quiet.withoutDialog, quiet.fallback, quiet.answers = true, slices.Clone(fallback), &answers{}
	quiet.challenges = slices.DeleteFunc(slices.Clone(g.challenges), opensDialog)
	if len(quiet.challenges) == 0 {
		quiet.challenges = slices.Clone(fallback)
	}
	if len(quiet.challenges) == 0 {
		quiet.challenges = []Challenge{{Scheme: "Form"}}
	}
	if g.login != nil {
		quiet.login = g.login.WithoutDialog(fallback...)
	}
	return &quiet
}

func opensDialog(c Challenge) bool {
	return slices.ContainsFunc([]string{"Basic", "Digest", "NTLM", "Negotiate"}, func(scheme string) bool {
		return strings.EqualFold(c.Scheme, scheme)
	})
}

// Require returns middleware that lets only proved requests through to a
// handler, and of these only the ones that every policy admits. Policies run in
// order. Machines are refused unless a policy is [AllowMachines].
func (g *Guard) Require(policies ...Policy) func(http.Handler) http.Handler {
	return g.middleware(policies, false)
}

// Optional returns middleware that also lets requests through that have no
// credentials. For these UserFrom returns false, and no policy is asked. A
// request with bad credentials is refused as by Require: a client with a token that
// expired must learn of it rather than see what strangers see.
func (g *Guard) Optional(policies ...Policy) func(http.Handler) http.Handler {
	return g.middleware(policies, true)
}

// Authenticate proves r as Require would before it asks policies. It asks the
// backends again if this Guard has proved r further out. It makes a Guard a backend of
// another one. Headers that a credential or error sets are
// not set: see [HeaderSetter].
func (g *Guard) Authenticate(r *http.Request) (User, Credential, error) {
	if g == nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInternal, errNilGuard)
	}
	proved, fault := g.authenticate(nil, r, "")
	return proved.user, proved.credential, fault.err
}

// Challenges returns the challenges of all backends.
func (g *Guard) Challenges() []Challenge {
	if g == nil {
		return nil
	}
	return slices.Clone(g.challenges)
}

// StripHeaders returns the headers that backends of g do not let through.
func (g *Guard) StripHeaders() []string {
	if g == nil {
		return nil
	}
	return slices.Clone(g.strip)
}

// Vary returns the request headers that the backends of g read.
func (g *Guard) Vary() []string {
	if g == nil || len(g.vary) == 0 {
		return nil
	}
	return strings.Split(g.vary[0], ", ")
}

// OwnTokens returns the tokens that backends of g own.
func (g *Guard) OwnTokens() []TokenClass {
	if g == nil {
		return nil
	}
	return chain(g.config.Backends).OwnTokens()
}

// Ambient returns false: what the backends of g prove, g has checked for its
// origin already.
func (g *Guard) Ambient() bool { return false }

var (
	_ Authenticator  = (*Guard)(nil)
	_ Challenger     = (*Guard)(nil)
	_ TokenOwner     = (*Guard)(nil)
	_ HeaderStripper = (*Guard)(nil)
	_ Varier         = (*Guard)(nil)
	_ Ambient        = (*Guard)(nil)
)

// Proxies returns Config.Proxies, for handlers that need the client's address.
func (g *Guard) Proxies() Proxies {
	if g == nil {
		return Proxies{}
	}
	return Proxies{Trusted: slices.Clone(g.config.Proxies.Trusted)}
}

// observe tells the observer, and returns the event with its time and the client's address.
func (g *Guard) observe(r *http.Request, e Event) Event {
	e.Time = time.Now()
	e.ClientIP = g.config.Proxies.ClientIP(r)
	if g.config.Observer != nil {
		g.config.Observer.Observe(r.Context(), e)
	}
	return e
}

// Logger returns Config.Logger, or [slog.Default] if that is nil, for handlers that
// write a refusal to the log which they answer with [Guard.Answer].
func (g *Guard) Logger() *slog.Logger {
	if g == nil || g.config.Logger == nil {
		return slog.Default()
	}
	return g.config.Logger
}
