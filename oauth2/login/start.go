package login

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// same compares in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Start sends a browser to the provider that the path value "provider" names: GET.
//
// The query may have "next", the path to lead to after the login; one that is no path of
// this service is "/". "max_age" is how many seconds ago the person may have proved who
// they are to the provider, as in OpenID Connect Core §3.1.2.1: 0 has them do it again.
// Presets of providers that do not know it ignore it.
//
// An app has "return_to", one of Config.AppRedirects, "code_challenge" and
// "code_challenge_method" S256 (RFC 7636), and "state", which it gets back: see
// [Logins.Authenticate].
func (l *Logins) Start() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := l.providers[r.PathValue("provider")]
		if p == nil {
			l.fail(w, r, failure{Reason: reasonNoProvider})
			return
		}
		a := &attempt{Purpose: toSignIn}
		if err := l.readStart(r, p, a); err != nil {
			l.fail(w, r, failure{Reason: reasonInvalid, provider: p, cause: err})
			return
		}
		l.send(w, r, p, a)
	})
}

const maxAppState = 256

func (l *Logins) readStart(r *http.Request, p *provider, a *attempt) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errors.New("the query is none")
	}
	for name, values := range query {
		if len(values) > 1 {
			return errors.New("the parameter " + strconv.Quote(backend.CleanText(name, 50)) + " is repeated")
		}
	}
	a.Next = "/"
	if next, ok := backend.LocalPath(query.Get("next")); ok {
		a.Next = next
	}
	if text := query.Get("max_age"); text != "" && p.maxAge {
		seconds, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return errors.New("max_age is no number of seconds")
		}
		age := int(seconds)
		a.MaxAge = &age
	}
	a.ReturnTo = query.Get("return_to")
	switch {
	case a.ReturnTo == "" && l.config.SignIn == nil:
		return errors.New("return_to is missing")
	case a.ReturnTo == "":
		return nil
	case !slices.Contains(l.config.AppRedirects, a.ReturnTo):
		a.ReturnTo = ""
		return errors.New("return_to is none of Config.AppRedirects")
	}
	a.Challenge, a.AppState = query.Get("code_challenge"), query.Get("state")
	switch {
	case query.Get("code_challenge_method") != "S256" || len(a.Challenge) != len(challenge("")) || strings.ContainsFunc(a.Challenge, func(r rune) bool { return !cookieChar(r) || r == '.' }):
		return errors.New("code_challenge is missing, or none of S256 (RFC 7636 §4.2)")
	case len(a.AppState) > maxAppState || strings.ContainsFunc(a.AppState, func(r rune) bool { return r < ' ' || r > '~' }):
		return errors.New("state is longer than 256 bytes, or has other characters than RFC 6749 appendix A.5")
	}
	return nil
}

// send has the browser keep the attempt, and go to the provider (RFC 6749 §4.1.1).
func (l *Logins) send(w http.ResponseWriter, r *http.Request, p *provider, a *attempt) {
	now := time.Now()
	e, err := p.endpoints(r.Context(), now)
	if err != nil {
		l.fail(w, r, failure{Reason: reasonUnavailable, provider: p, attempt: a, cause: err})
		return
	}
	l.begin(w, r, p, a, now)
	query := url.Values{"response_type": {"code"}, "client_id": {p.clientID}, "redirect_uri": {l.RedirectURI(p.name)}, "state": {a.State},
		"code_challenge": {challenge(a.Verifier)}, "code_challenge_method": {"S256"}}
	for name, value := range p.params {
		query.Set(name, value)
	}
	if len(p.scopes) > 0 {
		query.Set("scope", strings.Join(p.scopes, " "))
	}
	if p.nonce {
		query.Set("nonce", a.Nonce)
	}
	if p.formPost {
		query.Set("response_mode", "form_post")
	}
	if a.MaxAge != nil {
		query.Set("max_age", strconv.Itoa(*a.MaxAge))
	}
	redirect(w, withQuery(e.authorize, query))
}

// redirect sends a browser on with a GET (RFC 9110 §15.4.4), and tells nobody where it
// came from.
func redirect(w http.ResponseWriter, to string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// Link sends the browser of a user who is signed in by Config.Guard to the provider that
// the path value "provider" names, to link the account there: POST of a form of this
// service. They must have signed in within Config.LinkAge, by a credential that is not
// limited to scopes. It leads to Config.AccountURL. An account that is linked to another
// user stays with that one.
func (l *Logins) Link() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, user, ok := l.member(w, r)
		if !ok {
			return
		}
		l.send(w, r, p, &attempt{Purpose: toLink, Next: l.config.AccountURL, UserID: user.UserID(), Stamp: backend.Stamp(stampLabel, user)})
	})
}

// Unlink takes an identity from the user who is signed in, as in [Logins.Link]: POST of
// a form with its ID as "id". It leads to Config.AccountURL. The last way in is not
// unlinked: see Config.HasOtherWay.
func (l *Logins) Unlink() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, user, ok := l.member(w, r)
		if !ok {
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		id := r.PostFormValue("id")
		other := false
		if l.config.HasOtherWay != nil {
			var err error
			if other, err = l.config.HasOtherWay(r.Context(), user); err != nil {
				l.fail(w, r, failure{Reason: reasonUnavailable, cause: err, account: true})
				return
			}
		}
		identity, verdict, err := l.config.Store.Unlink(r.Context(), user.UserID(), id, !other)
		switch {
		case err != nil:
			l.fail(w, r, failure{Reason: reasonUnavailable, cause: err, account: true})
		case verdict == UnlinkLast:
			l.fail(w, r, failure{Reason: reasonLastWay, provider: p, account: true})
		default: // one that is not there is not linked
			if verdict == UnlinkRemoved {
				l.changed(r.Context(), user, Unlinked, identity)
			}
			redirect(w, l.config.AccountURL)
		}
	})
}

// stampLabel tells our hashes of a user's stamp from those of others.
const stampLabel = "login"

// member returns the provider of the path, and the user if they may change how they
// sign in; otherwise it answers.
func (l *Logins) member(w http.ResponseWriter, r *http.Request) (*provider, auth.User, bool) {
	p := l.providers[r.PathValue("provider")]
	guard := l.config.Guard
	refuse := func(reason reason, cause error) (*provider, auth.User, bool) {
		l.fail(w, r, failure{Reason: reason, provider: p, cause: cause, account: true})
		return nil, nil, false
	}
	switch {
	case p == nil || guard == nil:
		return refuse(reasonNoProvider, nil)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		return refuse(reasonMethod, nil)
	}
	if err := guard.CheckOrigin(r); err != nil {
		return refuse(reasonOrigin, err)
	}
	user, credential, err := guard.Authenticate(r)
	if err != nil {
		return refuse(reasonOf(err), err)
	}
	if _, machine := user.(auth.Machine); machine {
		return refuse(reasonNotAllowed, nil)
	}
	if err := auth.FullAccess(r, user, credential); err != nil {
		return refuse(reasonNotAllowed, err)
	}
	if err := auth.Fresh(l.config.LinkAge)(r, user, credential); err != nil {
		return refuse(reasonStale, err)
	}
	return p, user, true
}

// reasonOf says why nobody is signed in.
func reasonOf(err error) reason {
	switch auth.KindOf(err) {
	case nil:
		return reasonUnavailable
	case auth.ErrCrossOrigin:
		return reasonOrigin
	}
	return reasonSignIn
}

// changed tells the application.
func (l *Logins) changed(ctx context.Context, user auth.User, change Change, identity *Identity) {
	if l.config.Changed == nil {
		return
	}
	if err := l.config.Changed(ctx, user, change, identity); err != nil {
		l.logger().ErrorContext(ctx, "oauth2/login: Config.Changed", "change", change, "error", err)
	}
}
