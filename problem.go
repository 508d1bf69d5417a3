package auth

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Problem is the answer to a refused request, in the terms of RFC 9457.
type Problem struct {
	Status     int
	Code       string         // for programs, see the Code constants
	Detail     string         // for people, never built from a cause
	Challenges []Challenge    // as sent in WWW-Authenticate
	RetryAfter time.Duration  // as sent in Retry-After, zero if it is not
	Extensions map[string]any // further members of the body
	Err        error          // what went wrong, not for the client
}

// WriteProblem writes p as application/problem+json: the members type, title
// and status of RFC 9457 §3.1, and detail and code, which clients of Django
// REST framework read. It writes no header but Content-Type.
func WriteProblem(w http.ResponseWriter, p *Problem) {
	body := make(map[string]any, len(p.Extensions)+5)
	for name, value := range p.Extensions {
		body[name] = value
	}
	body["type"] = "about:blank"
	body["title"] = http.StatusText(p.Status)
	body["status"] = p.Status
	body["detail"] = p.Detail
	body["code"] = p.Code
	text, err := json.Marshal(body)
	if err != nil { // an extension that is no JSON
		p.Extensions = nil
		WriteProblem(w, p)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n'))
}

// Refuse answers r with what err deserves: status, challenges, caching headers
// and body. Handlers that issue credentials use it to answer as the Guard
// would.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	if g == nil {
		slog.ErrorContext(r.Context(), "auth: cannot authenticate", "error", errors.Join(errNilGuard, err))
		WriteProblem(w, &Problem{Status: http.StatusInternalServerError, Code: CodeInternal, Detail: detailInternal})
		return
	}
	g.fail(w, r, failure{err: err})
}

// RefuseWith is Refuse with further members in the body.
func (g *Guard) RefuseWith(w http.ResponseWriter, r *http.Request, err error, extensions map[string]any) {
	f := failure{err: err}
	p := g.problem(r, f)
	if len(p.Extensions) > 0 && len(extensions) > 0 {
		p.Extensions = maps.Clone(p.Extensions)
		maps.Copy(p.Extensions, extensions)
	} else if len(extensions) > 0 {
		p.Extensions = extensions
	}
	g.report(r, f, p)
	g.Answer(w, r, p)
}

func (g *Guard) fail(w http.ResponseWriter, r *http.Request, f failure) {
	p := g.problem(r, f)
	g.report(r, f, p)
	g.Answer(w, r, p)
}

// report tells the log and the observer of a refusal.
func (g *Guard) report(r *http.Request, f failure, p *Problem) {
	name, id := "", ""
	if f.backend != nil {
		name = f.backend.name
	}
	if f.user != nil {
		id = f.user.UserID()
	}
	switch {
	case clientGone(r.Context(), f.err):
		// The answer is not read, and nothing is wrong.
	case KindOf(f.err) == ErrNoCredentials:
		// Nothing was presented, so nothing failed.
	default:
		if p.Status >= 500 {
			g.logger().ErrorContext(r.Context(), "auth: cannot authenticate", "backend", name, "error", f.err)
		}
		g.observe(r, Event{Kind: EventFailure, Backend: name, UserID: id, Err: f.err})
	}
}

// Answer sends p as the Guard sends its own: with its challenges and caching
// headers, by Config.Render. It reports no event.
func (g *Guard) Answer(w http.ResponseWriter, r *http.Request, p *Problem) {
	if g.mapProblem != nil {
		g.mapProblem(r, p)
	}
	h := w.Header()
	addVary(h, &[1]string{g.vary})
	h.Set("Cache-Control", "no-store")
	setChallenges(h, p.Challenges)
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(seconds(p.RetryAfter), 10))
	}
	setHeaders(w, p.Err, nil)
	if g.config.Render != nil {
		g.config.Render(w, r, p)
		return
	}
	WriteProblem(w, p)
}

// retryOutage is the Retry-After of a 503 with an error that names no time.
const retryOutage = 5 * time.Second

// problem decides the answer to an error.
func (g *Guard) problem(r *http.Request, f failure) *Problem {
	stated := statement(f.err)
	p := &Problem{Err: f.err, Code: stated.Code, Detail: stated.Detail, Extensions: stated.Extensions}
	say := func(status int, code, detail string) {
		p.Status = status
		if p.Code == "" {
			p.Code = code
		}
		if p.Detail == "" {
			p.Detail = detail
		}
	}
	challenge := "" // the error attribute of the presented scheme's challenge
	switch KindOf(f.err) {
	case ErrNoCredentials:
		say(http.StatusUnauthorized, CodeNotAuthenticated, "Authentication credentials were not provided.")
	case ErrUnrecognized:
		say(http.StatusUnauthorized, CodeInvalidToken, "Invalid token.")
		challenge = CodeInvalidToken
	case ErrInvalid:
		say(http.StatusUnauthorized, CodeAuthenticationFailed, "Incorrect authentication credentials.")
		challenge = CodeInvalidToken
	case ErrMalformed:
		say(http.StatusBadRequest, CodeInvalidRequest, "Malformed authentication credentials.")
		challenge = CodeInvalidRequest
	case ErrInsufficient:
		say(http.StatusForbidden, CodeInsufficientScope, "You do not have permission to perform this action.")
		if p.Code == CodeInsufficientScope || p.Code == CodeInsufficientUserAuthentication {
			challenge = p.Code
		}
	case ErrCrossOrigin:
		say(http.StatusForbidden, CodeCrossOrigin, "Cross-origin request refused.")
	case ErrThrottled:
		p.RetryAfter = max(stated.RetryAfter, time.Second)
		say(http.StatusTooManyRequests, CodeThrottled, "Request was throttled. Expected available in "+
			strconv.FormatInt(seconds(p.RetryAfter), 10)+" seconds.")
	case ErrInternal:
		p.Detail, p.Code, p.Extensions = "", "", nil
		say(http.StatusInternalServerError, CodeInternal, detailInternal)
	default:
		p.RetryAfter = retryOutage
		if stated.RetryAfter > 0 {
			p.RetryAfter = stated.RetryAfter
		}
		p.Detail, p.Code, p.Extensions = "", "", nil
		say(http.StatusServiceUnavailable, CodeUnavailable, "Authentication is temporarily unavailable.")
	}
	if stated.Unauthorized && (p.Status == http.StatusBadRequest || p.Status == http.StatusForbidden) {
		p.Status = http.StatusUnauthorized
	}
	p.Challenges = g.challengesFor(r, f.backend, p, challenge, stated.Params)
	return p
}

// challengesFor returns all challenges for a 401, the presented scheme's first
// and with the error in it (RFC 6750 §3), and for a 400 or 403 the presented
// scheme's alone.
func (g *Guard) challengesFor(r *http.Request, backend *guarded, p *Problem, code string, params []Param) []Challenge {
	presented := -1
	if scheme, _, err := Authorization(r); err == nil && code != "" {
		for i, c := range g.challenges {
			if strings.EqualFold(c.Scheme, scheme) && backend.speaks(scheme) {
				presented = i
			}
		}
	}
	var challenges []Challenge
	if presented >= 0 {
		c := g.challenges[presented]
		attributes := errorParams(c.Scheme, code, p.Detail, params)
		if p.Status == http.StatusUnauthorized || len(attributes) > 0 {
			challenges = append(challenges, c.override(attributes...))
		}
	}
	if p.Status == http.StatusUnauthorized {
		for i, c := range g.challenges {
			if i != presented {
				challenges = append(challenges, c)
			}
		}
	}
	return challenges
}

// speaks reports whether a failure of b is about what scheme carried. A
// failure of no single backend is.
func (b *guarded) speaks(scheme string) bool {
	if b == nil {
		return true
	}
	for _, s := range b.schemes {
		if strings.EqualFold(s, scheme) {
			return true
		}
	}
	return false
}

const detailInternal = "Internal server error."

// seconds rounds up, as Retry-After must not promise too early.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// statement returns the outermost Error in err, or an empty one.
func statement(err error) *Error {
	var stated *Error
	if errors.As(err, &stated) && stated != nil {
		return stated
	}
	return &Error{}
}
