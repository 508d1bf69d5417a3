package auth

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// This file decides the answer to a failure, and keeps what was written of answers, so that
// the next one of its kind is only sent. A flood of bad credentials then costs less than
// good ones.

// decision is the answer to a failure. With the scheme that was presented, it determines
// the challenges.
type decision struct {
	answerKey
	params     []Param        // more attributes of the challenge
	extensions map[string]any // more members of the body
}

// answerKey determines an answer without params. All of it comes from constants and numbers:
// see Error.Detail and Error.Extensions.
type answerKey struct {
	status       int
	code, detail string
	retryAfter   time.Duration
	presented    int    // the position of the presented scheme in Guard.challenges, or -1
	attribute    string // the error attribute of its challenge, or ""
	// extensions is where the map of an Error's Extensions is, or 0. An answer that is kept
	// keeps its map, so no other one gets there.
	extensions uintptr
}

// isPlain reports an answer that is likely to be given again.
func (d *decision) isPlain() bool {
	return len(d.params) == 0 && (d.retryAfter == 0 || d.retryAfter == retryOutage)
}

// retryOutage is the Retry-After of a 503 with an error that names no time.
const retryOutage = 5 * time.Second

// answerOf says how an error of a kind is answered, unless the error says more. The kind
// nil is an outage.
func answerOf(kind error) answerKey {
	switch kind {
	case ErrNoCredentials:
		return answerKey{status: http.StatusUnauthorized, code: CodeNotAuthenticated,
			detail: "Authentication credentials were not provided."}
	case ErrUnrecognized:
		return answerKey{status: http.StatusUnauthorized, code: CodeInvalidToken, detail: "Invalid token.",
			attribute: CodeInvalidToken}
	case ErrInvalid:
		return answerKey{status: http.StatusUnauthorized, code: CodeAuthenticationFailed,
			detail: "Incorrect authentication credentials.", attribute: CodeInvalidToken}
	case ErrMalformed:
		return answerKey{status: http.StatusBadRequest, code: CodeInvalidRequest,
			detail: "Malformed authentication credentials.", attribute: CodeInvalidRequest}
	case ErrInsufficient:
		return answerKey{status: http.StatusForbidden, code: CodeInsufficientScope,
			detail: "You do not have permission to perform this action."}
	case ErrCrossOrigin:
		return answerKey{status: http.StatusForbidden, code: CodeCrossOrigin, detail: "Cross-origin request refused."}
	case ErrThrottled:
		return answerKey{status: http.StatusTooManyRequests, code: CodeThrottled}
	case ErrInternal:
		return answerKey{status: http.StatusInternalServerError, code: CodeInternal, detail: detailInternal}
	}
	return answerKey{status: http.StatusServiceUnavailable, code: CodeUnavailable,
		detail: "Authentication is temporarily unavailable.", retryAfter: retryOutage}
}

// decide decides the answer to a failure.
func (g *Guard) decide(r *http.Request, f failure) decision {
	kind := KindOf(f.err)
	stated := outermostError(f.err, kind)
	d := decision{answerKey: answerOf(kind)}
	switch kind {
	case nil:
		if stated.RetryAfter > 0 {
			d.retryAfter = stated.RetryAfter
		}
	case ErrThrottled:
		d.retryAfter = max(stated.RetryAfter, time.Second)
		if stated.Detail == "" {
			d.detail = "Request was throttled. Expected available in " + strconv.FormatInt(
				roundUpSeconds(d.retryAfter), 10) +
				" seconds."
		}
	}
	if kind != nil && kind != ErrInternal {
		d.applyStatement(kind, stated)
	}
	d.presented = g.presented(r, f.backend, d.attribute)
	return d
}

// applyStatement puts what an error says to the client in place of what its kind says.
func (d *decision) applyStatement(kind error, stated *Error) {
	if stated.Code != "" {
		d.code = stated.Code
	}
	if stated.Detail != "" {
		d.detail = stated.Detail
	}
	if stated.Status >= 400 && stated.Status <= 499 && kind != ErrThrottled {
		if kind == ErrNoCredentials && stated.Status != d.status && stated.Code == "" {
			d.code = CodeInvalidRequest // the request is at fault, not its credentials
		}
		d.status = stated.Status
	}
	if kind == ErrInsufficient && (d.code == CodeInsufficientScope || d.code == CodeInsufficientUserAuthentication) {
		d.attribute = d.code
	}
	d.params, d.extensions = stated.Params, stated.Extensions
	if len(d.extensions) > 0 {
		d.answerKey.extensions = reflect.ValueOf(d.extensions).Pointer()
	}
}

// presented returns the position of the challenge of the scheme that was presented, if
// the failure is about what it carried, or -1.
func (g *Guard) presented(r *http.Request, backend *backendInfo, attribute string) int {
	scheme, _, err := g.authorization(r)
	if err != nil || attribute == "" {
		return -1
	}
	scheme = withoutPunctuation(scheme)
	for i := len(g.challenges) - 1; i >= 0; i-- {
		if strings.EqualFold(g.challenges[i].Scheme, scheme) && backend.hasScheme(scheme) {
			return i
		}
	}
	return -1
}

// hasScheme reports whether a failure of b is about what scheme carried. A
// failure of no single backend is.
func (b *backendInfo) hasScheme(scheme string) bool {
	return b == nil || containsFold(b.schemes, scheme)
}

// problem returns the answer that was decided.
func (g *Guard) problem(d *decision, err error) *Problem {
	return &Problem{Status: d.status, Code: d.code, Detail: d.detail, Challenges: g.challengesFor(d),
		RetryAfter: d.retryAfter, Extensions: d.extensions, Err: err}
}

// challengesFor returns all challenges for a 401, the presented scheme's first
// and with the error in it (RFC 6750 §3), and for a 400 or 403 the presented
// scheme's alone.
func (g *Guard) challengesFor(d *decision) []Challenge {
	var challenges []Challenge
	if d.presented >= 0 {
		c := g.challenges[d.presented]
		attributes := errorParams(c.Scheme, d.attribute, d.detail, d.params)
		if d.status == http.StatusUnauthorized || len(attributes) > 0 {
			challenges = append(challenges, c.override(attributes...))
		}
	}
	if d.status == http.StatusUnauthorized {
		for i, c := range g.challenges {
			if i != d.presented {
				challenges = append(challenges, c)
			}
		}
	}
	return challenges
}

// preparedAnswer is an answer as it is sent. It is shared, so it is never changed.
type preparedAnswer struct {
	problem    Problem  // without Err
	challenges []string // lines of WWW-Authenticate
	body       []byte
}

// answers keeps prepared answers. It is safe for concurrent use.
type answers struct {
	kept atomic.Pointer[map[answerKey]*preparedAnswer] // replaced, never changed
	// The refusals of schemes that no backend speaks, by the position of the scheme in
	// knownSchemes, and last that of all others.
	schemes atomic.Pointer[[]error]
}

// maxAnswers is how many prepared answers a Guard keeps. A service has a few dozen. If an
// application puts numbers into Error.Detail, it may have more, and all are dropped then.
const maxAnswers = 64

// maxExtended is how many answers a Guard has when it keeps no more with Extensions. An
// application may make them anew for each Error.
const maxExtended = maxAnswers / 2

// get returns the answer of g that was decided.
func (a *answers) get(g *Guard, d *decision) *preparedAnswer {
	if a == nil { // of a Guard that New did not make
		return g.prepare(d)
	}
	kept := a.kept.Load()
	if kept != nil {
		if found, ok := (*kept)[d.answerKey]; ok {
			return found
		}
	}
	prepared := g.prepare(d)
	if kept != nil && len(*kept) >= maxExtended && len(d.extensions) > 0 {
		return prepared
	}
	more := map[answerKey]*preparedAnswer{d.answerKey: prepared}
	if kept != nil && len(*kept) < maxAnswers {
		for key, each := range *kept {
			more[key] = each
		}
	}
	a.kept.Store(&more) // of two at once one is kept, and the other one is made again
	return prepared
}

func (g *Guard) prepare(d *decision) *preparedAnswer {
	p := g.problem(d, nil)
	prepared := &preparedAnswer{problem: *p}
	for _, c := range p.Challenges {
		prepared.challenges = append(prepared.challenges, c.String())
	}
	prepared.challenges = slices.Clip(prepared.challenges)
	prepared.body = problemBody(p)
	return prepared
}

// sendPrepared answers with what was prepared. A Render gets a problem of its own, which
// it may change.
func (g *Guard) sendPrepared(w http.ResponseWriter, r *http.Request, prepared *preparedAnswer, err error) {
	h := w.Header()
	g.setCaching(h)
	switch have := h["Www-Authenticate"]; {
	case len(prepared.challenges) == 0:
	case len(have) == 0:
		h["Www-Authenticate"] = prepared.challenges
	default:
		h["Www-Authenticate"] = append(slices.Clip(have), prepared.challenges...)
	}
	setRetryAfter(h, prepared.problem.RetryAfter)
	setErrorHeaders(h, err)
	if g.config.Render == nil {
		g.hintLoginPage(r, prepared.problem.Status)
		writeProblemBody(w, prepared.problem.Status, prepared.body)
		return
	}
	p := prepared.problem
	p.Challenges, p.Err = cloneChallenges(p.Challenges), err
	g.config.Render(w, r, &p)
}

// cloneChallenges returns a copy that shares nothing with all.
func cloneChallenges(all []Challenge) []Challenge {
	copies := make([]Challenge, len(all))
	for i, c := range all {
		copies[i] = Challenge{Scheme: c.Scheme, Params: slices.Clone(c.Params)}
	}
	return copies
}

// refusedScheme returns the refusal of a scheme that no backend of g speaks.
func (g *Guard) refusedScheme(scheme string) error {
	if g.answers == nil { // New did not make g
		return otherScheme{scheme: "", schemes: g.schemes}.refusal()
	}
	all := g.answers.schemes.Load()
	if all == nil {
		made := make([]error, len(knownSchemes)+1)
		for i := range made {
			cause := otherScheme{schemes: g.schemes}
			if i < len(knownSchemes) {
				cause.scheme = knownSchemes[i]
			}
			made[i] = cause.refusal()
		}
		all = &made
		g.answers.schemes.Store(all)
	}
	return (*all)[knownScheme(scheme)]
}
