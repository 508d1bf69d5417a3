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
	g.settle(w, r, failure{err: err}, extensions)
}

func (g *Guard) fail(w http.ResponseWriter, r *http.Request, f failure) {
	g.settle(w, r, f, nil)
}

// settle decides the answer to a failure, reports it, and answers.
func (g *Guard) settle(w http.ResponseWriter, r *http.Request, f failure, extensions map[string]any) {
	f.err = g.explain(r, f.err)
	p := g.problem(r, f)
	if len(p.Extensions) > 0 && len(extensions) > 0 {
		p.Extensions = maps.Clone(p.Extensions)
		maps.Copy(p.Extensions, extensions)
	} else if len(extensions) > 0 {
		p.Extensions = extensions
	}
	if g.mapProblem != nil {
		g.mapProblem(r, p)
	}
	g.report(r, f, p)
	g.answer(w, r, p)
}

// Answer sends p as the Guard sends its own: with its challenges and caching
// headers, by Config.Render. It reports no event.
func (g *Guard) Answer(w http.ResponseWriter, r *http.Request, p *Problem) {
	if g.mapProblem != nil {
		g.mapProblem(r, p)
	}
	g.answer(w, r, p)
}

func (g *Guard) answer(w http.ResponseWriter, r *http.Request, p *Problem) {
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
		if p.Status = http.StatusUnauthorized; stated.Status != 0 && stated.Status != p.Status && stated.Code == "" {
			p.Code = CodeInvalidRequest // the request is at fault, not its credentials
		}
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
	if stated.Status >= 400 && stated.Status <= 499 && p.Status < 500 && p.Status != http.StatusTooManyRequests {
		p.Status = stated.Status
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
		scheme = withoutPunctuation(scheme)
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

// statement returns what err has to say to the client: the outermost Error in it. Of
// several errors that are ErrNoCredentials, it is the first that says more than its kind.
func statement(err error) *Error {
	if KindOf(err) == ErrNoCredentials {
		if found := absentStatement(err); found != nil {
			return found
		}
	}
	var stated *Error
	if errors.As(err, &stated) && stated != nil {
		return stated
	}
	return &Error{}
}

// absentStatement returns the first Error in err with a status or a sentence, or nil.
func absentStatement(err error) *Error {
	if stated, ok := err.(*Error); ok && stated != nil {
		if stated.Status != 0 || stated.Detail != "" {
			return stated
		}
		return nil
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return absentStatement(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, each := range wrapper.Unwrap() {
			if found := absentStatement(each); found != nil {
				return found
			}
		}
	}
	return nil
}
