package external

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
)

// failedValue returns the cause of a refusal: the check that failed, the value that came, and the values that would
// have passed. The value must not be secret.
func failedValue(failed, came string, want ...string) error {
	return &cause.Reason{Check: failed, Came: came, Want: want}
}

// failedSetting is failedValue with the name of a setting that is likely wrong.
func failedSetting(see, failed, came string, want ...string) error {
	return &cause.Reason{Check: failed, Came: came, Want: want, See: see}
}

// untrustedError is the error for a response of a provider that must not be believed.
type untrustedError struct{ cause.Reason }

// untrusted returns the error for a response of a provider that must not be believed. Other errors of requests to a
// provider are outages.
func untrusted(failed string) error { return &untrustedError{cause.Reason{Check: failed}} }

// untrustedValue is untrusted with what came and what would have passed.
func untrustedValue(failed, came string, want ...string) error {
	return &untrustedError{cause.Reason{Check: failed, Came: came, Want: want}}
}

// untrustedBy is untrusted with the error that says why.
func untrustedBy(failed string, err error) error {
	return &untrustedError{cause.Reason{Check: failed, Err: err}}
}

// isUntrusted reports whether an error says that the response of the provider must not be believed.
func isUntrusted(err error) bool {
	var e *untrustedError
	return errors.As(err, &e) || errors.Is(err, ErrUntrusted)
}

// hookError adds the name of a function of the application, or of a setting, to its error. A nil error stays nil.
func hookError(hook string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", hook, err)
}

// providerError is what a provider says of an error, when a browser comes back or at the token endpoint (RFC 6749
// §4.1.2.1, §5.2).
type providerError struct {
	from        string // the endpoint, or "" for the browser
	status      int    // of the response, or 0
	code        string // without secrets
	description string // without secrets
	number      string // of an error that is an object
	refusal     bool   // the provider refuses a code or token
}

// is reports that the provider says this code.
func (e *providerError) is(code string) bool {
	return e.code == code || e.number != "" && e.number == code
}

// Error returns the code and the description in quotes.
func (e *providerError) Error() string {
	var b strings.Builder
	b.WriteString("the provider says ")
	b.WriteString(cause.Quote(e.code))
	if e.description != "" {
		b.WriteString(", " + cause.Quote(e.description))
	}
	if e.from != "" {
		b.WriteString(" at " + e.from)
	}
	if e.status != 0 {
		b.WriteString(", with status " + strconv.Itoa(e.status))
	}
	return b.String()
}

// isRefusal reports whether the provider refused a code or token. That is no fault of the provider, and no fault of the
// configuration of this service.
func isRefusal(err error) bool {
	var e *providerError
	return errors.As(err, &e) && e.refusal && e.from != "" && !isOutageStatus(e.status)
}

func isOutageStatus(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

// callbackError returns the error in the parameters of a callback, or nil.
func callbackError(form url.Values) *providerError {
	if form.Get("error") == "" {
		return nil
	}
	return &providerError{code: form.Get("error"), description: form.Get("error_description")}
}

// scrub replaces secrets in a text of a provider, which may repeat what it was sent.
func scrub(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= 4 {
			text = strings.ReplaceAll(text, secret, "[secret]")
			text = strings.ReplaceAll(text, url.QueryEscape(secret), "[secret]")
		}
	}
	return backend.CleanText(text, maxText)
}

// publicFields are the fields of requests to the token endpoint that are not secret.
var publicFields = []string{"grant_type", "redirect_uri", "client_id", "client_assertion_type", "scope"}

// secretsOf returns what is secret in a request to the token endpoint.
func secretsOf(form url.Values, header http.Header) (secrets []string) {
	for name, values := range form {
		if !slices.Contains(publicFields, name) {
			secrets = append(secrets, values...)
		}
	}
	r := http.Request{Header: header}
	if _, secret, ok := r.BasicAuth(); ok {
		secrets = append(secrets, secret)
		if plain, err := url.QueryUnescape(secret); err == nil {
			secrets = append(secrets, plain)
		}
	}
	return secrets
}

// refusedLoginError is the cause of a failure for the log: which provider, the word for apps, and why.
type refusedLoginError struct{ f *failure }

// Error returns all three.
func (e *refusedLoginError) Error() string {
	text := string(e.f.Reason)
	if e.f.provider != nil {
		text = "provider " + e.f.provider.name + ": " + text
	}
	if e.f.cause != nil {
		text += ": " + e.f.cause.Error()
	}
	return text
}

// Unwrap returns why.
func (e *refusedLoginError) Unwrap() error { return e.f.cause }

// report tells the Observer and the log why a login ended without one. An outage is not reported if the browser went
// away, because that is what ended the request.
func (l *Logins) report(r *http.Request, status int, f *failure) {
	kind := texts[f.Reason].kind
	if kind == nil && r.Context().Err() != nil {
		return
	}
	event := auth.Event{Status: status, Err: &auth.Error{Kind: kind, Cause: &refusedLoginError{f}}}
	if f.attempt != nil {
		event.UserID = f.attempt.UserID
	}
	l.events.Failed(r, l.config.Logger, event)
}

// The causes of refusals that need no value to be understood.
var (
	errQuery         = errors.New("the query is badly encoded")
	errNoForm        = errors.New("the body is not a form (application/x-www-form-urlencoded)")
	errOtherProvider = errors.New("the attempt was begun with another provider (RFC 9700 §4.4.2)")
	errNoCode        = errors.New("the answer has no code and no error, or a code longer than 4096 bytes")
	errAttemptUsed   = errors.New("the attempt was finished before")
	errNoSubject     = errors.New("the provider names no subject, or one that is longer than 255 bytes or not " +
		"plain text, or an issuer of more than 1,024 bytes")
	errNoLinking    = errors.New("accounts are not linked here, see Config.Linking.Disabled")
	errStampChanged = errors.New("the AuthStamp of the user has changed since the attempt began, as with a new " +
		"password")
	errLastWay = errors.New("it is the only identity of the user, and Config.Linking.HasOtherWay reports no other " +
		"way in")
	errNotAToken = errors.New("the token is empty, longer than 65536 bytes, or has characters that no header " +
		"can have")
	errIDTokenUsed = errors.New("the ID token was used before")

	// Of the cookie that keeps an attempt.
	errStateForm = errors.New("the state does not have the form of one of this package: a link that was not " +
		"begun here, or was cut")
	errNoAttempt = errors.New("this browser sent no cookie for the state: it is another browser or host, the " +
		"cookie has expired, or cookies are blocked")
	errTwoAttempts = errors.New("this browser sent two cookies for the state, of which one may be planted")
	errSealed      = errors.New("the cookie of the attempt cannot be opened: it was changed, sealed by a key " +
		"that is not among Config.Keys, or made with another Config.URL or Path")
	errOtherState = errors.New("the cookie of the attempt is for another state")
	errTooLate    = errors.New("the attempt has expired, see Config.Cookie.TTL")
)
