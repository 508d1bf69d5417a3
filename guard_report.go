package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatewarden/auth/internal/loglimit"
)

// This file says why a request was refused: to the client in a sentence, to the log and
// the observer with the whole cause.

// The sentences for credentials that no backend reads.
var (
	errNoScheme error = &Error{Kind: ErrNoCredentials,
		Detail: "The Authorization header has no scheme that is accepted here. See WWW-Authenticate.",
		Cause: errors.New("the Authorization header is a single word: a token without its scheme, or a scheme " +
			"without its token. It may be a secret, so it is not shown")}
	errTokenInQuery error = &Error{Kind: ErrNoCredentials,
		Detail: "A token in the address is not accepted. Send it in the Authorization header.",
		Cause: errors.New("the request has access_token in its query, which logs keep, and which is not read (RFC " +
			"9700 §4.3.2)")}
)

// knownSchemes are names of schemes that may be logged, because they are no secrets.
var knownSchemes = []string{"Basic", "Bearer", "Token", "DPoP", "Digest", "Negotiate", "NTLM", "JWT", "ApiKey",
	"Api-Key", "Key", "OAuth", "Hawk", "HOBA", "Mutual", "GNAP", "AWS4-HMAC-SHA256", "Signature", "PrivateToken",
	"SSWS"}

// otherScheme is the cause of a refusal for a scheme that no backend speaks.
type otherScheme struct {
	scheme  string // one of knownSchemes, or ""
	schemes []string
}

func (e otherScheme) Error() string {
	presented := "a scheme that is not shown, because it may be a part of a token"
	if e.scheme != "" {
		presented = "the scheme " + e.scheme
	}
	if len(e.schemes) == 0 {
		return "the Authorization header has " + presented + ", and no backend that was asked reads this header"
	}
	return "the Authorization header has " + presented + ", and the backends that were asked speak " +
		strings.Join(e.schemes, ", ")
}

func (e otherScheme) refusal() error {
	return &Error{Kind: ErrNoCredentials, Cause: e,
		Detail: "The scheme of the Authorization header is not accepted here. See WWW-Authenticate."}
}

// explain returns err with a reason, if it is that there are no credentials and r has
// something that looks like credentials, but for no backend.
func (g *Guard) explain(r *http.Request, err error) error {
	if KindOf(err) != ErrNoCredentials || outermostAbsentError(err) != nil {
		return err
	}
	scheme, value, absent := g.authorization(r)
	switch {
	case absent == nil && containsFold(g.schemes, scheme):
		return err
	case absent == nil && value == "":
		return joinAbsent(errNoScheme, err)
	case absent == nil:
		return joinAbsent(g.refusedScheme(scheme), err)
	case strings.Contains(r.URL.RawQuery, "access_token="):
		return joinAbsent(errTokenInQuery, err)
	}
	return err
}

// joinAbsent returns reason, with what err has to say besides: it may set headers.
func joinAbsent(reason, err error) error {
	if err == ErrNoCredentials {
		return reason
	}
	return errors.Join(reason, err)
}

// schemesOfBackends returns the schemes of the Authorization header that backends speak, each once.
func schemesOfBackends(backends []backendInfo) []string {
	var all []string
	add := func(scheme string) {
		if !containsFold(all, scheme) {
			all = append(all, scheme)
		}
	}
	for i := range backends {
		if owner, ok := As[TokenOwner](backends[i].Authenticator); ok {
			for _, class := range owner.OwnTokens() {
				add(class.Scheme)
			}
		}
		for _, scheme := range backends[i].schemes {
			add(scheme)
		}
	}
	return all
}

func containsFold(all []string, text string) bool {
	for _, each := range all {
		if strings.EqualFold(each, text) {
			return true
		}
	}
	return false
}

// knownScheme returns the position of a scheme in knownSchemes, or what follows the last.
func knownScheme(scheme string) int {
	scheme = withoutPunctuation(scheme)
	for i, known := range knownSchemes {
		if strings.EqualFold(known, scheme) {
			return i
		}
	}
	return len(knownSchemes)
}

// withoutPunctuation cuts what follows the scheme in "Bearer:" or "Bearer=x".
func withoutPunctuation(scheme string) string {
	if i := strings.IndexAny(scheme, ":="); i >= 0 {
		return scheme[:i]
	}
	return scheme
}

// report tells the log and the observer of a refusal. A request without any credentials is
// no failure, and is not reported.
func (g *Guard) report(r *http.Request, f failure, status int) {
	if f.err == ErrNoCredentials || clientGone(r.Context(), f.err) {
		return
	}
	e := Event{Kind: EventFailure, Err: f.err, Status: status, Method: r.Method, Route: cmp.Or(f.route, r.Pattern)}
	if f.backend != nil {
		e.Backend = f.backend.name
	}
	logger := g.Logger()
	logs := logger.Enabled(r.Context(), levelOf(e))
	if log, ok := g.config.Observer.(slogObserver); ok && log.to() == logger {
		logs = false // the observer writes this line
	}
	leftOut := int64(0)
	if logs && g.sharedState != nil {
		logs, leftOut = g.sharedState.lines.Allow(loglimit.Key{Backend: e.Backend, Kind: KindOf(f.err), Status: status},
			time.Now())
	}
	if !logs && g.config.Observer == nil {
		return // the rest would be for nothing
	}
	e.Err = f.reason()
	if f.user != nil {
		e.UserID = f.user.UserID()
	}
	e = g.observe(r, e)
	if leftOut > 0 {
		logger = logger.With("left_out", leftOut)
	}
	if logs {
		slogObserver{logger}.Observe(r.Context(), e)
	}
}

// reason returns the error for the log. One of a backend that has no kind says that the
// backend cannot decide: it is an outage, or the backend means a refusal and says so wrongly.
func (f failure) reason() error {
	var stated *Error
	if f.backend == nil || f.user != nil || KindOf(f.err) != nil || errors.As(f.err, &stated) {
		return f.err
	}
	if _, named := As[Named](f.backend.Authenticator); named {
		return fmt.Errorf("the backend cannot decide: %w", f.err)
	}
	return fmt.Errorf("the backend cannot decide, since its error has no kind such as auth.ErrInvalid: %w", f.err)
}

// SlogObserver returns an Observer that writes events to logger (nil is
// slog.Default): reuse at level Warn, outages and bugs at Error, successes at Debug, the
// rest at Info. A Guard with the same logger as its Config.Logger writes each failure once.
func SlogObserver(logger *slog.Logger) Observer { return slogObserver{logger} }

type slogObserver struct{ logger *slog.Logger }

func (o slogObserver) to() *slog.Logger {
	if o.logger == nil {
		return slog.Default()
	}
	return o.logger
}

// Observe writes e.
func (o slogObserver) Observe(ctx context.Context, e Event) {
	log, level := o.to(), levelOf(e)
	if !log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("backend", e.Backend)
	add("user", e.UserID)
	add("credential", e.CredentialID)
	if e.ClientIP.IsValid() {
		add("client_ip", e.ClientIP.String())
	}
	add("method", e.Method)
	add("route", e.Route)
	if e.Status != 0 {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	if e.Err != nil {
		add("error", e.Err.Error())
	}
	log.LogAttrs(ctx, level, "auth "+string(e.Kind), attrs...)
}

func levelOf(e Event) slog.Level {
	switch {
	case e.Kind == EventSuccess:
		return slog.LevelDebug
	case e.Kind == EventReuse:
		return slog.LevelWarn
	case e.Kind == EventFailure && (KindOf(e.Err) == nil || KindOf(e.Err) == ErrInternal):
		return slog.LevelError
	}
	return slog.LevelInfo
}
