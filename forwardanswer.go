package auth

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// answer is the answer to a proxy. Any 2xx lets the request pass, so a refusal that a
// Config.Render or MapProblem would answer with one is 403 instead.
type answer struct {
	http.ResponseWriter
	granted, wrote bool
}

func (a *answer) WriteHeader(status int) {
	if !a.granted && status >= 200 && status <= 299 {
		status = http.StatusForbidden
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
	case KindOf(p.Err) == ErrMalformed && !errors.Is(p.Err, errEscapedDots) && !errors.Is(p.Err, errTwoReadings),
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
