package auth

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
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
	writeProblemBody(w, p.Status, problemBody(p))
}

// problemType is shared by all answers, so it is never changed.
var problemType = []string{"application/problem+json"}

func writeProblemBody(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = problemType
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// problemBody returns the body of an answer. The members are in the order of their names.
// It leaves out all extensions if one of them is no JSON.
func problemBody(p *Problem) []byte {
	title := http.StatusText(p.Status)
	if len(p.Extensions) > 0 {
		body := make(map[string]any, len(p.Extensions)+5)
		maps.Copy(body, p.Extensions)
		body["type"], body["title"], body["status"], body["detail"], body["code"] =
			"about:blank", title, p.Status, p.Detail, p.Code
		if text, err := json.Marshal(body); err == nil {
			return append(text, '\n')
		}
	}
	text, _ := json.Marshal(struct { // texts and a number always are JSON
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Status int    `json:"status"`
		Title  string `json:"title"`
		Type   string `json:"type"`
	}{p.Code, p.Detail, p.Status, title, "about:blank"})
	return append(text, '\n')
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
	d := g.decide(r, f)
	if len(extensions) > 0 {
		d.extensions = mergeExtensions(d.extensions, extensions)
	}
	if g.mapProblem == nil && len(extensions) == 0 && d.isPlain() {
		prepared := g.answers.get(g, &d)
		g.report(r, f, d.status)
		g.sendPrepared(w, r, prepared, f.err)
		return
	}
	p := g.problem(&d, f.err)
	if g.mapProblem != nil {
		g.mapProblem(r, p)
	}
	g.report(r, f, p.Status)
	g.answer(w, r, p)
}

// mergeExtensions returns the members of both. Those of more count where both have one.
func mergeExtensions(extensions, more map[string]any) map[string]any {
	if len(extensions) == 0 {
		return more
	}
	all := maps.Clone(extensions)
	maps.Copy(all, more)
	return all
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
	g.setCaching(w.Header())
	setChallenges(w.Header(), p.Challenges)
	setRetryAfter(w.Header(), p.RetryAfter)
	setErrorHeaders(w.Header(), p.Err)
	if g.config.Render != nil {
		g.config.Render(w, r, p)
		return
	}
	g.hintLoginPage(r, p.Status)
	WriteProblem(w, p)
}

// noStore is shared by all answers, so it is never changed.
var noStore = []string{"no-store"}

// setCaching keeps a refusal out of caches.
func (g *Guard) setCaching(h http.Header) {
	g.addVary(h)
	h["Cache-Control"] = noStore
}

func setRetryAfter(h http.Header, after time.Duration) {
	if after > 0 {
		h.Set("Retry-After", strconv.FormatInt(roundUpSeconds(after), 10))
	}
}

const detailInternal = "Internal server error."

// roundUpSeconds rounds up, as Retry-After must not promise too early.
func roundUpSeconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// outermostError returns what err, of this kind, has to say to the client: the outermost Error in it. Of
// several errors that are ErrNoCredentials, it is the first that says more than its kind.
func outermostError(err, kind error) *Error {
	if kind == ErrNoCredentials {
		if found := outermostAbsentError(err); found != nil {
			return found
		}
	}
	if err == kind { // a bare one
		return emptyError
	}
	if stated, ok := err.(*Error); ok && stated != nil { // the usual case, without errors.As
		return stated
	}
	var stated *Error
	if errors.As(err, &stated) && stated != nil {
		return stated
	}
	return emptyError
}

// emptyError is the statement of an error without one. It is never changed.
var emptyError = &Error{}

// outermostAbsentError returns the first Error in err with a status or a sentence, or nil.
func outermostAbsentError(err error) *Error {
	if stated, ok := err.(*Error); ok && stated != nil {
		if stated.Status != 0 || stated.Detail != "" {
			return stated
		}
		return nil
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		return outermostAbsentError(wrapper.Unwrap())
	case interface{ Unwrap() []error }:
		for _, each := range wrapper.Unwrap() {
			if found := outermostAbsentError(each); found != nil {
				return found
			}
		}
	}
	return nil
}
