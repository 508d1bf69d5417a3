package session

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// RedirectToLogin returns an auth.Config.Render for guards of pages: a browser
// that opens a page and must log in first, or again, is sent to the login page
// at path with 303 (RFC 9110 §15.4.4), and after the login back to where it
// wanted to go. A sealed cookie remembers that. Everything else is answered by
// otherwise (if nil, auth.WriteProblem): programs, scripts of pages and requests
// with an Authorization header get 401 and challenges, and a user that is logged in
// and may not do something gets 403. A user that was sent to log in again for [auth.Fresh], did so,
// and is refused as before gets its 401, and the log says why. A browser that waits for a page gets no
// challenge that would raise its own password dialog.
func (s *Sessions) RedirectToLogin(path string,
	otherwise func(http.ResponseWriter, *http.Request, *auth.Problem),
) func(http.ResponseWriter, *http.Request, *auth.Problem) {
	if otherwise == nil {
		otherwise = func(w http.ResponseWriter, _ *http.Request, p *auth.Problem) { auth.WriteProblem(w, p) }
	}
	return func(w http.ResponseWriter, r *http.Request, p *auth.Problem) {
		h := w.Header()
		h.Add("Vary", "Accept, Sec-Fetch-Mode")
		if p.Status != http.StatusUnauthorized || !WantsPage(r) || r.Header["Authorization"] != nil ||
			r.URL.Path == path || requested(r) == path || s.loginDidNotHelp(w, r, p) { // that would go round in circles
			if WantsPage(r) && r.Header["Authorization"] == nil {
				s.leaveOutDialogs(h)
			}
			otherwise(w, r, p)
			return
		}
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if back, ok := backend.LocalPath(requested(r)); ok && len(back) <= maxReturn {
				s.setReturn(w, r, back)
			}
		}
		delete(h, "Www-Authenticate") // belongs to a 401
		h.Set("Location", path)
		w.WriteHeader(http.StatusSeeOther)
	}
}

// leaveOutDialogs removes the challenges on which a browser opens a password
// dialog of its own. The one of the session's cookie stays, or takes their place.
func (s *Sessions) leaveOutDialogs(h http.Header) {
	lines := h["Www-Authenticate"]
	left := slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		scheme, _, _ := strings.Cut(line, " ")
		return slices.Contains([]string{"basic", "digest", "ntlm", "negotiate"}, strings.ToLower(scheme))
	})
	if len(lines) > 0 && len(left) == 0 {
		left = []string{s.Challenges()[0].String()}
	}
	if len(lines) > 0 {
		h["Www-Authenticate"] = left
	}
}

// requested returns the path and query that the client asked for, also where
// http.StripPrefix took some of it away.
func requested(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// WantsPage reports whether somebody is waiting for a page: a browser that
// navigates (Sec-Fetch-Mode, Fetch Metadata §2.2), or, where that header is
// missing, a client that accepts text/html by name and no less than
// application/json (RFC 9110 §12.5.1).
func WantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	html, json := accepted(r)
	return html > 0 && html >= json
}

// accepted returns the qualities with which r accepts pages and JSON by name.
func accepted(r *http.Request) (html, json float64) {
	for _, line := range r.Header["Accept"] {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			switch kind {
			case "text/html", "application/xhtml+xml":
				html = max(html, quality(params))
			case "application/json", "application/problem+json":
				json = max(json, quality(params))
			}
		}
	}
	return html, json
}

// quality returns the weight of a media range in Accept (RFC 9110 §12.4.2): 1 if it has none, and
// 0 if it has one that is no number.
func quality(params map[string]string) float64 {
	q, ok := params["q"]
	if !ok {
		return 1
	}
	value, err := strconv.ParseFloat(q, 64)
	if err != nil {
		return 0
	}
	return value
}
