package auth

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// answer is the answer to a proxy. Any 2xx lets the request pass, so a refusal that a
// Config.Render or MapProblem would answer with one is 403 instead, and an outage is 503.
type answer struct {
	http.ResponseWriter
	granted, wrote bool
	outage         bool // what is answered is no refusal
}

// noteOutages returns a Config.Render that notes outages.
func (g *Guard) noteOutages() func(w http.ResponseWriter, r *http.Request, p *Problem) {
	render := g.config.Render
	if render == nil {
		render = func(w http.ResponseWriter, _ *http.Request, p *Problem) { WriteProblem(w, p) }
	}
	return func(w http.ResponseWriter, r *http.Request, p *Problem) {
		if a, ok := w.(*answer); ok {
			a.outage = isOutage(p)
		}
		render(w, r, p)
	}
}

// isOutage reports a problem that is no refusal, whatever status MapProblem gave it.
func isOutage(p *Problem) bool {
	kind := KindOf(p.Err)
	return p.Status >= http.StatusInternalServerError || kind == nil || kind == ErrInternal
}

// refusal is the status of an answer without a status, or with one that would let pass.
func (a *answer) refusal() int {
	if a.outage {
		return http.StatusServiceUnavailable
	}
	return http.StatusForbidden
}

func (a *answer) WriteHeader(status int) {
	if !a.granted && status >= 200 && status <= 299 {
		status = a.refusal()
	}
	a.wrote = a.wrote || status >= 200
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(body []byte) (int, error) {
	if !a.wrote {
		a.WriteHeader(http.StatusOK) // as net/http would
	}
	return a.ResponseWriter.Write(body)
}

// mapForNginx makes 401 or 403 of each refusal that is no outage.
func (g *Guard) mapForNginx(p *Problem) {
	switch {
	case p.Status == http.StatusUnauthorized, p.Status == http.StatusForbidden, p.Status >= 500:
		return
	case isOutage(p):
		p.Status = http.StatusServiceUnavailable
	case KindOf(p.Err) == ErrMalformed && !errors.Is(p.Err, errEscapedDots) && !errors.Is(p.Err, errAmbiguousPath),
		KindOf(p.Err) == ErrNoCredentials:
		p.Status = http.StatusUnauthorized
		for _, c := range g.challenges { // a 401 has them all (RFC 9110 §15.5.2)
			if !slices.ContainsFunc(p.Challenges, func(have Challenge) bool {
				return strings.EqualFold(have.Scheme,
					c.Scheme)
			}) {
				p.Challenges = append(p.Challenges, c)
			}
		}
	default:
		p.Status = http.StatusForbidden
	}
}

// renderForNginx writes a refusal with its code, which nginx can put into a variable.
func renderForNginx(w http.ResponseWriter, _ *http.Request, p *Problem) {
	w.Header().Set("X-Auth-Code", p.Code)
	WriteProblem(w, p)
}

// isHeaderText reports whether a header can carry text unchanged.
func isHeaderText(text string) bool {
	if text == "" || text != strings.TrimSpace(text) || !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
