package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/planted"
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
	// backends and handlers find them by [ProxiesFrom] and [ClientIP].
	Proxies Proxies

	// Challenges are sent with those of the backends on a 401.
	Challenges []Challenge

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

	// Render writes the answer to a refused request. If nil, WriteProblem does.
	// Status, challenges and caching headers are set on w's header before.
	// Render adds Content-Type and calls WriteHeader(p.Status).
	//
	// Every handler that takes the Guard is answered by this one function: show
	// a login form again, or lead to it, by r.URL.Path or r.Pattern. See
	// session.Sessions.RedirectToLogin.
	Render func(w http.ResponseWriter, r *http.Request, p *Problem)

	// Observer is told of every proof and refusal. Nil is allowed.
	Observer Observer

	// Logger is told the causes of 500 and 503. If nil, slog.Default is.
	Logger *slog.Logger
}

// Guard is the middleware. A program needs one: handlers of knox, jwt, session,
// password, oauth2/server and oauth2/login take the same Guard. It is immutable
// and safe for concurrent use. A nil Guard answers 500 to every request.
//
// A request behind two layers of the same Guard is proved once, and the policies
// of each layer run. Another Guard proves it again.
type Guard struct {
	config     Config
	backends   []guarded
	challenges []Challenge // one per scheme
	strip      []string
	vary       string
	login      *Guard                        // asks Config.Login, nil if that is empty
	mapProblem func(*http.Request, *Problem) // may be nil
	quiet      bool                          // WithoutDialog
	users      *userTypes
}

// guarded is a backend with what New read from its optional interfaces.
type guarded struct {
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
//   - no backend has a challenge, which a 401 must carry (RFC 9110 §15.5.2)
//   - two backends speak one scheme, and one of them does not say which tokens
//     are its own, or both own the same: see [TokenOwner]
//   - a backend holds another one in a field and has no Unwrap method, so that
//     the capabilities of the inner one would be lost: see [As] and [Wrap]
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
	if err := checkNames(config.Backends, config.Login); err != nil {
		return nil, err
	}
	g, err := newGuard(config, "Config.Backends", config.Backends)
	if err != nil || len(config.Login) == 0 {
		return g, err
	}
	if g.login, err = newGuard(config, "Config.Login", config.Login); err != nil {
		return nil, err
	}
	g.strip = union(g.strip, g.login.strip)
	g.login.strip = g.strip
	return g, nil
}

// newGuard returns a Guard that asks backends, which a setting lists.
func newGuard(config Config, setting string, backends []Authenticator) (*Guard, error) {
	g := &Guard{config: config, users: &userTypes{}}
	g.config.Backends = backends
	var vary []string
	var challenges []Challenge
	for i, backend := range backends {
		if err := checkBackend(backend); err != nil {
			return nil, fmt.Errorf("auth: %s[%d] %w", setting, i, err)
		}
		b := guarded{Authenticator: backend, name: nameOf(backend), readsProxies: readsProxies(backend)}
		b.ambient, _ = As[Ambient](backend)
		b.nests = nests(backend)
		if challenger, ok := As[Challenger](backend); ok {
			own := challenger.Challenges()
			challenges = append(challenges, own...)
			b.schemes = schemesOf(own)
		} else {
			b.schemes = schemesOf(config.Challenges) // which speak for it
		}
		if stripper, ok := As[Stripper](backend); ok {
			g.strip = union(g.strip, stripper.StripHeaders())
		}
		vary = append(vary, varyOf(backend)...)
		g.backends = append(g.backends, b)
	}
	if err := checkOwners(backends); err != nil {
		return nil, err
	}
	g.challenges = mergeChallenges(append(challenges, config.Challenges...))
	if len(g.challenges) == 0 {
		return nil, fmt.Errorf("auth: no backend has a challenge in %s, and a 401 must carry one. "+
			"See Config.Challenges", setting)
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
	g.vary = strings.Join(slices.Compact(vary), ", ")
	return g, nil
}

var errNilGuard = errors.New("auth: the guard is nil")

// With returns a Guard like g that asks other backends. It strips the headers
// that g strips, too.
func (g *Guard) With(backends ...Authenticator) (*Guard, error) {
	if g == nil {
		return nil, errNilGuard
	}
	config := g.config
	config.Backends = flatten(backends)
	if len(config.Backends) == 0 {
		return nil, errors.New("auth: With has no backend")
	}
	if err := checkNames(config.Backends); err != nil {
		return nil, err
	}
	with, err := newGuard(config, "backend", config.Backends)
	if err != nil {
		return nil, err
	}
	with.strip = union(g.strip, with.strip)
	with.mapProblem = g.mapProblem
	if g.login != nil {
		login := *g.login
		login.strip = with.strip
		with.login = &login
	}
	if g.quiet {
		return with.WithoutDialog(), nil
	}
	return with, nil
}

// Login returns a Guard like g that asks the backends of Config.Login, except for
// those that are among except, or decorate one of them. It returns an error if no backend is left: a handler
// that issues credentials could then never be used.
func (g *Guard) Login(except ...Authenticator) (*Guard, error) {
	if g == nil {
		return nil, errNilGuard
	}
	if g.login == nil {
		return nil, errors.New("auth: Config.Login is empty, so there is no way to log in")
	}
	login := *g.login
	login.mapProblem = g.mapProblem
	if len(except) == 0 {
		return &login, nil
	}
	left := slices.DeleteFunc(slices.Clone(login.config.Backends), func(backend Authenticator) bool {
		return slices.ContainsFunc(except, func(other Authenticator) bool { return wraps(backend, other) })
	})
	if len(left) == len(login.config.Backends) {
		return &login, nil
	}
	if len(left) == 0 {
		return nil, errors.New("auth: Config.Login has no backend by which to log in here")
	}
	return g.With(left...)
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
// Negotiate. Handlers that answer with pages use it. If no other challenge is
// left, it sends instead, because a 401 must have one (RFC 9110 §15.5.2). If that
// is empty, it sends one of the scheme "Form", which no browser acts on and no RFC
// defines.
func (g *Guard) WithoutDialog(instead ...Challenge) *Guard {
	if g == nil {
		return nil
	}
	quiet := *g
	quiet.quiet = true
	quiet.challenges = slices.DeleteFunc(slices.Clone(g.challenges), opensDialog)
	if len(quiet.challenges) == 0 {
		quiet.challenges = slices.Clone(instead)
	}
	if len(quiet.challenges) == 0 {
		quiet.challenges = []Challenge{{Scheme: "Form"}}
	}
	if g.login != nil {
		quiet.login = g.login.WithoutDialog(instead...)
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

func (g *Guard) middleware(policies []Policy, optional bool) func(http.Handler) http.Handler {
	policies = slices.Clone(policies)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.serve(w, r, next, policies, optional)
		})
	}
}

// serve is the whole path of a request through the guard.
func (g *Guard) serve(w http.ResponseWriter, r *http.Request, next http.Handler, policies []Policy, optional bool) {
	if g == nil {
		g.Refuse(w, r, nil)
		return
	}
	if isPreflight(r) {
		g.preflight(w, r)
		return
	}
	switch known := r.Context().Value(guardKey{g}).(type) {
	case *identity: // this guard, further out
		g.serveKnown(w, r, next, known, policies)
		return
	case *planted.Context: // authtest
		user, _ := known.User.(User)
		credential, _ := known.Credential.(Credential)
		if isNil(user) {
			break // as if nothing was planted
		}
		r = g.withoutStripped(r)
		if err := admit(r, user, credential, policies); err != nil {
			g.fail(w, r, failure{err: err, user: user})
			return
		}
		g.pass(w, r, next, proof{user: user, credential: credential})
		return
	}

	proved, fault := g.prove(w, r)
	r = g.withoutStripped(r) // for policies, Render and handlers alike
	switch {
	case fault.err == nil:
		if err := admit(r, proved.user, proved.credential, policies); err != nil {
			fault.err, fault.user = err, proved.user
			g.fail(w, r, fault)
			return
		}
		g.pass(w, r, next, proved)
	case optional && KindOf(fault.err) == ErrNoCredentials:
		setHeaders(w, fault.err, nil)
		g.passAnonymous(w, r, next)
	default:
		g.fail(w, r, fault)
	}
}

// serveKnown serves a request that this guard proved further out.
func (g *Guard) serveKnown(
	w http.ResponseWriter, r *http.Request, next http.Handler, known *identity, policies []Policy,
) {
	err := error(nil)
	if known.ambient && r.Method != known.method {
		// A layer in between made another request of it, which may be unsafe.
		err = g.CheckOrigin(r)
	}
	if err == nil {
		err = admit(r, known.user, known.credential, policies)
	}
	switch {
	case err != nil:
		g.fail(w, r, failure{err: err, user: known.user})
	case r.Context().Value(identityKey{}) != known:
		// Another layer in between set an identity. The handler must see the user
		// that the policies admitted.
		g.pass(w, r, next, known.proof)
	default:
		next.ServeHTTP(w, r)
	}
}

// Authenticate proves r as Require would before it asks policies. It makes a
// Guard a backend of another one. Headers that a credential or error sets are
// not set: see [HeaderSetter].
func (g *Guard) Authenticate(r *http.Request) (User, Credential, error) {
	if g == nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrInternal, errNilGuard)
	}
	proved, fault := g.prove(nil, r)
	return proved.user, proved.credential, fault.err
}

// Challenges returns the challenges of all backends.
func (g *Guard) Challenges() []Challenge { return slices.Clone(g.challenges) }

// StripHeaders returns the headers that backends of g do not let through.
func (g *Guard) StripHeaders() []string { return slices.Clone(g.strip) }

// Vary returns the request headers that the backends of g read.
func (g *Guard) Vary() []string {
	if g.vary == "" {
		return nil
	}
	return strings.Split(g.vary, ", ")
}

// OwnTokens returns the tokens that backends of g own.
func (g *Guard) OwnTokens() []TokenClass { return chain(g.config.Backends).OwnTokens() }

// Ambient returns false: what the backends of g prove, g has checked for its
// origin already.
func (g *Guard) Ambient() bool { return false }

var (
	_ Authenticator = (*Guard)(nil)
	_ Challenger    = (*Guard)(nil)
	_ TokenOwner    = (*Guard)(nil)
	_ Stripper      = (*Guard)(nil)
	_ Varier        = (*Guard)(nil)
	_ Ambient       = (*Guard)(nil)
)

// proof is what a backend proved.
type proof struct {
	user       User
	credential Credential
	ambient    bool   // its origin was checked, perhaps by a guard inside
	method     string // of the request
}

// failure is an error and the backend it came from.
type failure struct {
	err     error
	backend *guarded // nil if no single one
	user    User     // nil if not proved
}

// prove asks the backends and checks what they say. With a nil error, user is
// not nil and backend is the one that proved it. w may be nil.
func (g *Guard) prove(w http.ResponseWriter, r *http.Request) (proof, failure) {
	// Two Authorization lines or a huge one concern every backend, also those
	// that read another header.
	if lines := r.Header["Authorization"]; len(lines) > 1 || len(lines) == 1 && len(lines[0]) > MaxAuthorization {
		_, _, err := Authorization(r)
		return proof{}, failure{err: err}
	}
	var (
		v    verdict
		last *guarded // the one that has the verdict which stands
	)
	for i := range g.backends {
		b := &g.backends[i]
		user, credential, err := g.ask(b, r, &v)
		if err == nil {
			proved, err := g.accept(r, b, user, credential)
			if err != nil {
				setHeaders(w, v.absent, nil)
				return proof{}, failure{err: err, backend: b}
			}
			setHeaders(w, v.absent, credential)
			return proved, failure{backend: b}
		}
		if v.settled(err) {
			setHeaders(w, v.absent, nil)
			return proof{}, failure{err: err, backend: b}
		}
		if v.unrecognized != nil && last == nil { // the first that stands
			last = b
		}
	}
	if v.unrecognized != nil {
		setHeaders(w, v.absent, nil)
	}
	return proof{}, failure{err: v.result(), backend: last}
}

// ask calls a backend, with a request for which it can ask the proxies.
func (g *Guard) ask(b *guarded, r *http.Request, v *verdict) (User, Credential, error) {
	if !b.readsProxies {
		return v.ask(b.Authenticator, b.ambient, b.nests, r)
	}
	asked := g.WithProxies(r)
	user, credential, err := v.ask(b.Authenticator, b.ambient, b.nests, asked)
	r.Body = asked.Body // a backend that read it has put it back
	return user, credential, err
}

// accept checks a proof: a backend must not return a nil user, or a machine
// that is not a Machine, and a page of another origin must not have made a
// browser send it.
func (g *Guard) accept(r *http.Request, b *guarded, user User, credential Credential) (proof, error) {
	if isNil(user) {
		return proof{}, fmt.Errorf("%w: %s returned neither user nor error", ErrInternal, b.name)
	}
	if credential != nil && isNil(credential) {
		return proof{}, fmt.Errorf("%w: %s returned a typed nil credential", ErrInternal, b.name)
	}
	if id := user.UserID(); id == "" || isMachineID(id) && !isMachine(user) {
		return proof{}, fmt.Errorf("%w: %s returned the reserved UserID %q", ErrInternal, b.name, id)
	}
	if err := g.users.check(user); err != nil {
		return proof{}, err
	}
	ambient := isAmbient(b.ambient, credential) != ambientNo
	if ambient {
		if err := g.CheckOrigin(r); err != nil {
			return proof{}, err
		}
	}
	if g.config.Observer != nil {
		e := Event{Kind: EventSuccess, Backend: b.name, UserID: user.UserID()}
		if identified, ok := As[interface{ ID() string }](credential); ok {
			e.CredentialID = identified.ID()
		}
		g.observe(r, e)
	}
	return proof{user, credential, ambient || b.nests, r.Method}, nil
}

// Proxies returns Config.Proxies, for handlers that need the client's address.
func (g *Guard) Proxies() Proxies {
	if g == nil {
		return Proxies{}
	}
	return Proxies{Trusted: slices.Clone(g.config.Proxies.Trusted)}
}

// pass calls next with the identity in the request's context.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, next http.Handler, proved proof) {
	id := &identity{Context: r.Context(), guard: g, proof: proved}
	h := w.Header()
	id.vary[0] = g.vary
	addVary(h, &id.vary)
	// Whatever the handler answers is for this user. It may say otherwise.
	if _, set := h["Cache-Control"]; !set {
		id.caches[0] = "private"
		h["Cache-Control"] = id.caches[:1:1]
	}
	next.ServeHTTP(w, r.WithContext(id))
}

// passAnonymous calls next for a request without credentials. An identity that
// came from further out is hidden: the innermost guard decides.
func (g *Guard) passAnonymous(w http.ResponseWriter, r *http.Request, next http.Handler) {
	addVary(w.Header(), &[1]string{g.vary})
	next.ServeHTTP(w, g.anonymous(r))
}

// anonymous returns r without an identity, and with the guard's proxies.
func (g *Guard) anonymous(r *http.Request) *http.Request {
	if r.Context().Value(identityKey{}) == nil {
		return g.WithProxies(r)
	}
	return r.WithContext(&identity{Context: r.Context(), guard: g})
}

// addVary adds the guard's Vary line, unless a layer of it did already.
func addVary(h http.Header, line *[1]string) {
	have := h["Vary"]
	switch {
	case line[0] == "": // no backend reads a header
	case len(have) == 0:
		h["Vary"] = line[:1:1]
	case !slices.Contains(have, line[0]):
		h["Vary"] = append(have, line[0])
	}
}

// setHeaders lets an absent-credential error and a credential set headers.
func setHeaders(w http.ResponseWriter, absent error, credential Credential) {
	if w == nil {
		return
	}
	setErrorHeaders(w.Header(), absent)
	if setter, ok := As[HeaderSetter](credential); ok {
		setter.SetHeaders(w.Header())
	}
}

// setErrorHeaders lets every error that is joined in err set headers.
func setErrorHeaders(h http.Header, err error) {
	if setter, ok := err.(HeaderSetter); ok {
		setter.SetHeaders(h)
		return
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		setErrorHeaders(h, wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range wrapper.Unwrap() {
			setErrorHeaders(h, err)
		}
	}
}

func (g *Guard) observe(r *http.Request, e Event) {
	if g.config.Observer == nil {
		return
	}
	e.Time = time.Now()
	e.ClientIP = g.config.Proxies.ClientIP(r)
	g.config.Observer.Observe(r.Context(), e)
}

func (g *Guard) logger() *slog.Logger {
	if g.config.Logger != nil {
		return g.config.Logger
	}
	return slog.Default()
}

// isPreflight reports a CORS preflight (Fetch §3.2.2).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header["Origin"] != nil &&
		r.Header["Access-Control-Request-Method"] != nil
}

// preflight answers a CORS preflight, of which no handler hears.
func (g *Guard) preflight(w http.ResponseWriter, r *http.Request) {
	if g.config.Preflight == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	g.config.Preflight.ServeHTTP(w, g.withoutStripped(g.anonymous(r)))
}
