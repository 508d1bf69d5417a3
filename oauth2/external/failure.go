package external

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/page"
)

// reason is why a login failed. Apps get it as "error".
type reason string

const (
	reasonInvalid       reason = "invalid_request"
	reasonExpired       reason = "expired"
	reasonUsed          reason = "used"
	reasonDenied        reason = "access_denied"
	reasonRefused       reason = "refused"
	reasonUntrusted     reason = "untrusted"
	reasonUnavailable   reason = "temporarily_unavailable"
	reasonNotAllowed    reason = "not_allowed"
	reasonNoAccount     reason = "no_account"
	reasonAccountExists reason = "account_exists"
	reasonInactive      reason = "inactive"
	reasonTaken         reason = "taken"
	reasonSignIn        reason = "sign_in"
	reasonStale         reason = "stale"
	reasonUnknownAge    reason = "age_unknown"
	reasonLastWay       reason = "last_way"
	reasonOrigin        reason = "cross_origin"
	reasonNoProvider    reason = "no_provider"
	reasonMethod        reason = "method_not_allowed"
)

// text is the text of a page. {provider} and {service} are filled in.
type text struct {
	status  int
	title   string
	kind    error // for the Observer, nil is an outage
	message string
}

var texts = map[reason]text{
	reasonInvalid: {400, "That did not work", auth.ErrMalformed,
		"What your browser was sent here with is incomplete or wrong. Please start again."},
	reasonExpired: {400, "This sign-in cannot be finished", auth.ErrInvalid,
		"It was started in another browser or too long ago, or your browser keeps no cookies. Please start again " +
			"here."},
	reasonUsed: {400, "This sign-in was finished before", auth.ErrInvalid,
		"Each can be used once. You may be signed in already. If not, please start again."},
	reasonDenied: {403, "You were not signed in", auth.ErrInvalid,
		"{provider} says that you did not agree. You can try again, or sign in another way."},
	reasonRefused: {400, "{provider} did not sign you in", auth.ErrInvalid,
		"It may help to start again. If it does not, please tell the people that run {service}."},
	reasonUntrusted: {400, "The answer of {provider} cannot be trusted", auth.ErrInvalid,
		"You were not signed in, and nothing has changed. Please start again. If this comes again, tell the " +
			"people that run {service}."},
	reasonUnavailable: {503, "Signing in is not possible just now", nil,
		"Something is not working, and it is not your fault. Please try again in a moment, or sign in another way."},
	reasonNotAllowed: {403, "You may not sign in with this account", auth.ErrInsufficient,
		"{service} does not admit this account of {provider}. You can use another one, or sign in another way."},
	reasonNoAccount: {403, "There is no account for you yet", auth.ErrInsufficient,
		"This account of {provider} is not in use here. If you have an account, sign in to it and link the two. " +
			"Otherwise ask the people that run {service} for one."},
	reasonAccountExists: {409, "You seem to have an account here already", auth.ErrInsufficient,
		"Sign in the way you did before, and then link {provider} on your account page. An e-mail address alone " +
			"does not prove that the account is yours."},
	reasonInactive: {403, "This account is closed", auth.ErrInvalid,
		"Please ask the people that run {service}."},
	reasonTaken: {409, "This account of {provider} is in use", auth.ErrInsufficient,
		"Another account here signs in with it. Sign in with it and unlink it there first, or use another one."},
	reasonSignIn: {403, "Please sign in first", auth.ErrInvalid,
		"To change how you sign in, you must be signed in, all the time until it is done."},
	reasonStale: {403, "Please sign in again", auth.ErrInsufficient,
		"To change how you sign in, you must have signed in just now. Sign out and in again, and come back."},
	reasonUnknownAge: {403, "This is not possible as you are signed in", auth.ErrInsufficient,
		"To change how you sign in, you must have signed in just now, and the way you signed in does not tell when " +
			"that was. Sign in another way, or ask the people that run {service}."},
	reasonLastWay: {409, "This is your last way in", auth.ErrInsufficient,
		"Without it you could not sign in any more. Add another way first, such as a password."},
	reasonOrigin: {403, "That came from another site", auth.ErrCrossOrigin,
		"To protect your account, this can be done from our own pages only."},
	reasonNoProvider: {404, "There is no such way to sign in", auth.ErrMalformed,
		"Please choose another one."},
	reasonMethod: {405, "That did not work", auth.ErrMalformed,
		"Please start again."},
}

// failure is a login, link or unlink that failed.
type failure struct {
	Reason   reason
	provider *provider
	attempt  *attempt // nil without one that can be believed
	cause    error    // for the log
	account  bool     // it is about changing an account
}

// Pages are the pages that people see, and the pages of the service that they lead to.
type Pages struct {
	// Failure is shown if a login failed. It is executed with a [FailurePage]. If nil, it is the page of this package,
	// which works without script. Its style must be in Site.StyleSheet, since the Content-Security-Policy allows no
	// other.
	Failure *template.Template
	// Site is the look of the application around the content: navigation, style and
	// where to ask.
	Site page.Site
	// Name is what pages call this service. Empty is the host of Config.URL.
	Name string
	// SignInURL is the path of the page where people sign in, to which pages of failures
	// lead. Empty is "/".
	SignInURL string
	// AccountURL is the path where linking and unlinking lead to. Empty is "/".
	AccountURL string
}

// FailurePage says why the person was not signed in, or nothing linked, and what to do. Its
// Service is Config.Pages.Name.
type FailurePage struct {
	page.Layout
	Message  string
	Reason   string // for programs: a word
	Provider string // the label, or ""
	Retry    string // path to try again with the same provider, or ""
	SignIn   string // path to sign in another way
	Account  string // path of the account page, where it is about that, or ""
}

//go:embed templates/failure.html
var failureHTML string

type pages struct {
	failure *template.Template
	site    page.Site
}

func newPages(own Pages) (*pages, error) {
	ps := &pages{failure: own.Failure, site: own.Site}
	if err := own.Site.Check(); err != nil {
		return nil, fmt.Errorf("oauth2/external: Config.Pages: %w", err)
	}
	if ps.failure == nil {
		parsed, err := page.New().Parse(failureHTML)
		if err != nil {
			return nil, fmt.Errorf("oauth2/external: %w", err)
		}
		ps.failure = parsed
	}
	return ps, nil
}

// fail answers a login that failed: an app gets the reason, and a person sees a page. The page has no text of the
// request. The cause is for the log and the Observer.
func (l *Logins) fail(w http.ResponseWriter, r *http.Request, f failure) {
	if f.isForApp() {
		l.report(r, http.StatusSeeOther, &f)
		redirect(w, appURL(f.attempt, "error", string(f.Reason)))
		return
	}
	status := texts[f.Reason].status
	l.report(r, status, &f)
	var body bytes.Buffer
	if err := l.pages.failure.Execute(&body, l.failurePage(r, &f)); err != nil {
		l.logger().ErrorContext(r.Context(), "oauth2/external: cannot make a page", "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	l.pages.site.Secure(h, "")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// isForApp reports whether an app gets the reason, and not a person. An app is not told of a request or a response
// that may be from another person.
func (f *failure) isForApp() bool {
	return f.attempt != nil && f.attempt.ReturnTo != "" && f.Reason != reasonInvalid && f.Reason != reasonUntrusted
}

// failurePage returns what the page of a failure shows.
func (l *Logins) failurePage(r *http.Request, f *failure) FailurePage {
	label := ""
	if f.provider != nil {
		label = f.provider.label
	}
	fill := strings.NewReplacer("{provider}", cmp.Or(label, "the provider"), "{service}", l.config.Pages.Name)
	text := texts[f.Reason]
	page := FailurePage{Layout: l.pages.site.Layout(r, l.config.Pages.Name, fill.Replace(text.title)),
		Message: fill.Replace(text.message), Reason: string(f.Reason), Provider: label,
		SignIn: l.config.Pages.SignInURL}
	switch {
	case f.account || f.attempt != nil && f.attempt.Purpose == toLink:
		l.leadToAccount(&page, f)
	case f.provider != nil && l.config.SignIn != nil && f.Reason != reasonInactive && f.Reason != reasonMethod:
		page.Retry = l.config.Path + "/" + f.provider.name + "/"
		if f.attempt != nil && f.attempt.Next != "/" {
			page.Retry += query(page.Retry, "next", f.attempt.Next)
		}
	}
	return page
}

// leadToAccount makes a page lead to the account page: by a new login if that helps, and otherwise without one.
func (l *Logins) leadToAccount(page *FailurePage, f *failure) {
	page.Account = l.config.Pages.AccountURL
	switch f.Reason {
	case reasonSignIn, reasonStale, reasonUnknownAge:
		page.SignIn += query(page.SignIn, "next", l.config.Pages.AccountURL)
	default:
		page.SignIn = ""
	}
}

// query returns what to add to a path for a parameter.
func query(path, name, value string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return separator + name + "=" + url.QueryEscape(value)
}
