package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/planted"
)

// Config is the configuration of a [Guard].
type Config struct {
	// Backends are asked in this order. Put credentials that a client sends
	// on purpose (tokens) before those that a browser adds (sessions, Basic).
	Backends []Authenticator

	// Proxies in front of the service.
	Proxies Proxies

	// Challenges are sent with those of the backends on a 401.
	Challenges []Challenge

	// CrossOrigin decides which unsafe requests may carry an [Ambient]
	// credential. Nil allows those of the same origin and those that no
	// browser sent; AddTrustedOrigin allows more.
	CrossOrigin *http.CrossOriginProtection

	// Preflight answers CORS preflight requests, which carry no credentials
	// and are never authenticated. They do not reach protected handlers: one
	// that forgot to look at the method would run for anybody. Nil answers
	// 204 without permission; a CORS middleware around the Guard answers
	// before it, and one inside belongs here:
	//
	//	Preflight: cors.Default().Handler(http.NotFoundHandler())
	Preflight http.Handler

	// Render writes the answer to a refused request. Nil is WriteProblem.
	// Status, challenges and caching headers are set on w's header before;
	// Render adds Content-Type and calls WriteHeader(p.Status).
	Render func(w http.ResponseWriter, r *http.Request, p *Problem)

	// Observer is told of every proof and refusal. Nil is nobody.
	Observer Observer

	// Logger is told the causes of 500 and 503. Nil is slog.Default.
	Logger *slog.Logger
}

// Guard is the middleware. It is immutable and safe for concurrent use.
//
// A request behind two layers of the same Guard is proved once, and each
// layer's policies run; a different Guard proves anew.
type Guard struct {
	config     Config
	backends   []guarded
	challenges []Challenge // one per scheme
	strip      []string
	vary       string
	reword     func(*http.Request, *Problem) // nil for none
}

// guarded is a backend and what it said of itself.
type guarded struct {
	Authenticator
	name    string
	schemes []string // of its challenges
	ambient Ambient  // nil if it has no such method
}

// New returns a Guard. It refuses a configuration that cannot be right: no
// backend or a nil one, two of the same name, two that own the same scheme and
// prefix, and none with a challenge (a 401 must carry one, RFC 9110 §15.5.2).
func New(config Config) (*Guard, error) {
	if config.CrossOrigin == nil {
		config.CrossOrigin = http.NewCrossOriginProtection()
	}
	config.Backends = flatten(config.Backends)
	if len(config.Backends) == 0 {
		return nil, errors.New("auth: Config.Backends is empty")
	}
	g := &Guard{config: config}
	var vary []string
	var challenges []Challenge
	names, classes := make(map[string]bool), make(map[TokenClass]string)
	for i, backend := range config.Backends {
		if isNil(backend) {
			return nil, fmt.Errorf("auth: Config.Backends[%d] is nil", i)
		}
		b := guarded{Authenticator: backend, name: fmt.Sprintf("%T", backend)}
		if named, ok := backend.(Named); ok {
			b.name = named.Backend()
			if names[b.name] {
				return nil, fmt.Errorf("auth: two backends are named %q; set the Name of one", b.name)
			}
			names[b.name] = true
		}
		if owner, ok := backend.(TokenOwner); ok {
			for _, class := range owner.OwnTokens() {
				class.Scheme = strings.ToLower(class.Scheme)
				for other, name := range classes {
					if name != b.name && class.overlaps(other) {
						return nil, fmt.Errorf("auth: backends %q and %q both own tokens of scheme %s with prefix %q", name, b.name, class.Scheme, class.Prefix)
					}
				}
				classes[class] = b.name
			}
		}
		if challenger, ok := backend.(Challenger); !ok {
			// Config.Challenges speaks for backends that have none.
			for _, c := range config.Challenges {
				b.schemes = append(b.schemes, c.Scheme)
			}
		} else {
			for _, c := range challenger.Challenges() {
				challenges = append(challenges, c)
				b.schemes = append(b.schemes, c.Scheme)
			}
		}
		if stripper, ok := backend.(Stripper); ok {
			g.strip = append(g.strip, stripper.StripHeaders()...)
		}
		if varier, ok := backend.(Varier); ok {
			vary = append(vary, varier.Vary()...)
		} else {
			vary = append(vary, "Authorization", "Cookie")
		}
		b.ambient, _ = backend.(Ambient)
		g.backends = append(g.backends, b)
	}
	g.challenges = mergeChallenges(append(challenges, config.Challenges...))
	if len(g.challenges) == 0 {
		return nil, errors.New("auth: no backend has a challenge, and a 401 must carry one; see Config.Challenges")
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

// overlaps reports whether a token could be of both classes: their prefixes are
// the same, or what one has more could be the start of the other's random part.
func (c TokenClass) overlaps(other TokenClass) bool {
	longer, shorter := c.Prefix, other.Prefix
	if len(longer) < len(shorter) {
		longer, shorter = shorter, longer
	}
	rest, ok := strings.CutPrefix(longer, shorter)
	return ok && strings.EqualFold(c.Scheme, other.Scheme) && strings.Trim(rest, alphanumeric) == ""
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// With returns a Guard like g that asks other backends.
func (g *Guard) With(backends ...Authenticator) (*Guard, error) {
	config := g.config
	config.Backends = backends
	with, err := New(config)
	if err != nil {
		return nil, err
	}
	with.reword = g.reword
	return with, nil
}

// MapProblem returns a Guard like g that lets change change each [Problem] before it
// is answered: status, code, detail, challenges and extensions. Handlers that
// keep the wire of another system use it. What g itself lets change it has the
// last word.
func (g *Guard) MapProblem(reword func(r *http.Request, p *Problem)) *Guard {
	reworded := *g
	reworded.reword = func(r *http.Request, p *Problem) {
		reword(r, p)
		if g.reword != nil {
			g.reword(r, p)
		}
	}
	return &reworded
}

// Require returns middleware that lets only proved requests through to a
// handler, and of these the ones every policy agrees to, in order. Machines
// are refused unless a policy is [AllowMachines].
func (g *Guard) Require(policies ...Policy) func(http.Handler) http.Handler {
	return g.middleware(policies, false)
}

// Optional returns middleware that also lets requests through that have no
// credentials; for these UserFrom finds nobody and no policy is asked. A
// request with bad credentials is refused as by Require: a client whose token
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
	if isPreflight(r) {
		g.preflight(w, r)
		return
	}
	switch known := r.Context().Value(guardKey{g}).(type) {
	case *identity: // this guard, further out
		if err := admit(r, known.user, known.credential, policies); err != nil {
			g.fail(w, r, failure{err: err, user: known.user})
			return
		}
		if r.Context().Value(identityKey{}) != known {
			// Another layer in between said who this is. The handler must see
			// the user that the policies agreed to.
			g.pass(w, r, next, known.user, known.credential)
			return
		}
		next.ServeHTTP(w, r)
		return
	case *planted.Context: // authtest
		user, _ := known.User.(User)
		credential, _ := known.Credential.(Credential)
		if isNil(user) {
			break // planted nobody: as if nothing was planted
		}
		if err := admit(r, user, credential, policies); err != nil {
			g.fail(w, r, failure{err: err, user: user})
			return
		}
		g.pass(w, r, next, user, credential)
		return
	}

	user, credential, fault := g.prove(w, r)
	switch {
	case fault.err == nil:
		if err := admit(r, user, credential, policies); err != nil {
			fault.err, fault.user = err, user
			g.fail(w, r, fault)
			return
		}
		g.pass(w, r, next, user, credential)
	case optional && KindOf(fault.err) == ErrNoCredentials:
		setHeaders(w, fault.err, nil)
		g.passAnonymous(w, r, next)
	default:
		g.fail(w, r, fault)
	}
}

// Authenticate proves r as Require would before it asks policies. It makes a
// Guard a backend of another one. Headers that a credential or error sets are
// not set; see [HeaderSetter].
func (g *Guard) Authenticate(r *http.Request) (User, Credential, error) {
	user, credential, fault := g.prove(nil, r)
	return user, credential, fault.err
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

var (
	_ Authenticator = (*Guard)(nil)
	_ Challenger    = (*Guard)(nil)
	_ Stripper      = (*Guard)(nil)
	_ Varier        = (*Guard)(nil)
)

// failure is an error and the backend it came from.
type failure struct {
	err     error
	backend *guarded // nil if no single one
	user    User     // nil if not proved
}

// prove asks the backends and checks what they say. With a nil error, user is
// not nil and backend is the one that proved it. w may be nil.
func (g *Guard) prove(w http.ResponseWriter, r *http.Request) (User, Credential, failure) {
	// Two Authorization lines or a huge one concern every backend, also those
	// that read another header.
	if lines := r.Header["Authorization"]; len(lines) > 1 || len(lines) == 1 && len(lines[0]) > MaxAuthorization {
		_, _, err := Authorization(r)
		return nil, nil, failure{err: err}
	}
	var (
		v    verdict
		last *guarded // the one whose verdict stands
	)
	for i := range g.backends {
		b := &g.backends[i]
		user, credential, err := b.Authenticate(r)
		if err == nil {
			if err = g.accept(r, b, user, credential); err != nil {
				setHeaders(w, v.absent, nil)
				return nil, nil, failure{err: err, backend: b}
			}
			setHeaders(w, v.absent, credential)
			return user, credential, failure{backend: b}
		}
		if v.settled(err) {
			setHeaders(w, v.absent, nil)
			return nil, nil, failure{err: err, backend: b}
		}
		if v.unrecognized != nil && last == nil { // the first that stands
			last = b
		}
	}
	if v.unrecognized != nil {
		setHeaders(w, v.absent, nil)
	}
	return nil, nil, failure{err: v.result(), backend: last}
}

// accept checks a proof: a backend must not return nobody, nor a machine that
// is not a Machine, and a browser must not have been tricked into sending it.
func (g *Guard) accept(r *http.Request, b *guarded, user User, credential Credential) error {
	if isNil(user) {
		return fmt.Errorf("%w: %s returned neither user nor error", ErrInternal, b.name)
	}
	if credential != nil && isNil(credential) {
		return fmt.Errorf("%w: %s returned a typed nil credential", ErrInternal, b.name)
	}
	if id := user.UserID(); id == "" || isMachineID(id) && !isMachine(user) {
		return fmt.Errorf("%w: %s returned the reserved UserID %q", ErrInternal, b.name, id)
	}
	if isAmbient(b.ambient, credential) {
		if err := g.CheckOrigin(r); err != nil {
			return err
		}
	}
	if g.config.Observer != nil {
		e := Event{Kind: EventSuccess, Backend: b.name, UserID: user.UserID()}
		if identified, ok := credential.(interface{ ID() string }); ok {
			e.CredentialID = identified.ID()
		}
		g.observe(r, e)
	}
	return nil
}

func isAmbient(backend Ambient, credential Credential) bool {
	if backend != nil && backend.Ambient() {
		return true
	}
	ambient, ok := credential.(Ambient)
	return ok && ambient.Ambient()
}

// CheckOrigin returns ErrCrossOrigin for an unsafe request that a page of
// another origin made a browser send, by Config.CrossOrigin. The Guard calls it
// for [Ambient] credentials; handlers of login and logout call it always. A
// request that opens a WebSocket is unsafe, though its method is GET (RFC 6455
// §10.2): browsers let every page open one anywhere.
func (g *Guard) CheckOrigin(r *http.Request) error {
	host, webSocket := g.config.Proxies.Host(r), opensWebSocket(r)
	if host != r.Host || webSocket {
		clone := *r
		clone.Host = host
		if webSocket {
			clone.Method = http.MethodConnect
		}
		r = &clone
	}
	if err := g.config.CrossOrigin.Check(r); err != nil {
		return &Error{Kind: ErrCrossOrigin, Cause: err}
	}
	return nil
}

func opensWebSocket(r *http.Request) bool {
	for _, line := range r.Header["Upgrade"] {
		for protocol := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(protocol), "websocket") {
				return true
			}
		}
	}
	return false
}

// Proxies returns Config.Proxies, for handlers that need the client's address.
func (g *Guard) Proxies() Proxies { return g.config.Proxies }

// pass calls next with the identity in the request's context.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, next http.Handler, user User, credential Credential) {
	id := &identity{Context: r.Context(), guard: g, user: user, credential: credential}
	h := w.Header()
	id.vary[0] = g.vary
	addVary(h, &id.vary)
	// Whatever the handler answers is for this user; it may say otherwise.
	if _, set := h["Cache-Control"]; !set {
		id.caches[0] = "private"
		h["Cache-Control"] = id.caches[:1:1]
	}
	r = r.WithContext(id)
	if len(g.strip) > 0 {
		r.Header = stripped(r.Header, g.strip)
	}
	next.ServeHTTP(w, r)
}

// passAnonymous calls next for a request without credentials. An identity that
// came from further out is hidden: the innermost guard decides.
func (g *Guard) passAnonymous(w http.ResponseWriter, r *http.Request, next http.Handler) {
	addVary(w.Header(), &[1]string{g.vary})
	if r.Context().Value(identityKey{}) != nil {
		r = r.WithContext(&identity{Context: r.Context()})
	}
	next.ServeHTTP(w, g.withoutStripped(r))
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
	if setter, ok := credential.(HeaderSetter); ok {
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

// withoutStripped returns r without the headers that no handler may see.
func (g *Guard) withoutStripped(r *http.Request) *http.Request {
	if len(g.strip) == 0 {
		return r
	}
	r = r.WithContext(r.Context())
	r.Header = stripped(r.Header, g.strip)
	return r
}

// stripped returns h without the named headers, h itself if there are none. A
// name matches in any case and with "_" for "-": servers behind us that map
// headers to variables, as CGI does, cannot tell the twins apart.
func stripped(h http.Header, names []string) http.Header {
	var clone http.Header
	for key := range h {
		for _, name := range names {
			if sameVariable(key, name) {
				if clone == nil {
					clone = h.Clone()
				}
				delete(clone, key)
			}
		}
	}
	if clone == nil {
		return h
	}
	return clone
}

func sameVariable(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	fold := func(c byte) byte {
		switch {
		case c == '_':
			return '-'
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return c
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
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
	return r.Method == http.MethodOptions && r.Header["Origin"] != nil && r.Header["Access-Control-Request-Method"] != nil
}

func (g *Guard) preflight(w http.ResponseWriter, r *http.Request) {
	if g.config.Preflight == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	r = r.WithContext(&identity{Context: r.Context()})
	g.config.Preflight.ServeHTTP(w, g.withoutStripped(r))
}

// isNil reports a nil interface or a nil pointer, map or func inside one.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Func, reflect.Slice, reflect.Chan, reflect.Interface:
		return rv.IsNil()
	}
	return false
}
