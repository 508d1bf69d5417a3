package authtest

import (
	"crypto/rand"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// handle adds a handler that answers while the provider is up.
func (p *Provider) handle(mux *http.ServeMux, pattern string, serve http.HandlerFunc) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if p.up(w) {
			serve(w, r)
		}
	})
}

// up reports whether the provider works, and answers if not.
func (p *Provider) up(w http.ResponseWriter) bool {
	p.Issuer.mu.Lock()
	down, broken := p.down, p.broken
	p.Issuer.mu.Unlock()
	if broken {
		panic(http.ErrAbortHandler)
	}
	if down {
		http.Error(w, "down", http.StatusServiceUnavailable)
	}
	return !down
}

func (p *Provider) state() (Person, Quirks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.person, p.quirks
}

// authorize sends the browser back with a code, at once.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, d *FakeProvider) {
	person, quirks := p.state()
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	pkce := query.Get("code_challenge_method") == "S256" && len(query.Get("code_challenge")) == 43
	switch {
	case err != nil || redirect.Host == "" || query.Get("client_id") != p.ClientID:
		http.Error(w, "the redirect URI or the client is wrong", http.StatusBadRequest)
		return
	case query.Get("response_type") != "code" || !pkce && !d.IgnoresPKCE && !d.RefusesPKCE:
		http.Error(w, "no code with PKCE is asked for", http.StatusBadRequest)
		return
	}
	s := &SignedIn{Person: person, ClientID: p.ClientID, redirect: query.Get("redirect_uri"),
		challenge: query.Get("code_challenge"), nonce: query.Get("nonce"),
		Scopes: strings.Fields(query.Get("scope")), maxAge: query.Has("max_age"), double: d}
	answer := url.Values{"state": query["state"]}
	if quirks.Deny {
		answer.Set("error", "access_denied")
		answer.Set("error_description", "<b>the person</b> pressed cancel")
	} else {
		code := rand.Text()
		p.mu.Lock()
		p.codes[code] = s
		p.mu.Unlock()
		answer.Set("code", code)
	}
	if iss := d.responseIssuer(p.URL()); iss != "" && !quirks.NoResponseIssuer {
		answer.Set("iss", iss)
	}
	formPost := query.Get("response_mode") == "form_post"
	if formPost {
		p.addFirstLoginName(s, answer)
	}
	if quirks.Answer != nil {
		quirks.Answer(answer)
	}
	if formPost {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = formPostPage.Execute(w, map[string]any{"Action": s.redirect, "Answer": answer})
		return
	}
	separator := "?"
	if strings.Contains(s.redirect, "?") {
		separator = "&"
	}
	w.Header().Set("Location", s.redirect+separator+answer.Encode()+d.Fragment)
	w.WriteHeader(http.StatusFound)
}

// addFirstLoginName adds the name of a person that comes for the first time, as Apple does.
func (p *Provider) addFirstLoginName(s *SignedIn, answer url.Values) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(s.Scopes, "name") || p.greeted[s.Person.Subject] {
		return
	}
	p.greeted[s.Person.Subject] = true
	first, last, _ := strings.Cut(s.Person.Name, " ")
	user, _ := json.Marshal(map[string]any{"name": map[string]string{"firstName": first, "lastName": last},
		"email": "unsigned@example.com"})
	answer.Set("user", string(user))
}

var formPostPage = template.Must(template.New("").Parse(`<!doctype html><title>Back</title>
<form method="post" action="{{.Action}}">
{{range $name, $values := .Answer}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<button>Continue</button></form><script>document.forms[0].submit()</script>`))

// logout is the end_session_endpoint. It sends the browser back.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("post_logout_redirect_uri"); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	_, _ = w.Write([]byte("signed out"))
}
