// Package external signs people in with accounts they have elsewhere: Google, GitHub,
// Microsoft, Apple, Facebook, GitLab, Bitbucket, Discord, LinkedIn, Slack, X, and whatever
// speaks OpenID Connect, such as the single sign-on of an enterprise (Keycloak, Okta,
// Auth0). A [Provider] of your own is as good as these.
//
//	logins, err := external.New(external.Config{
//		URL: "https://app.example", Keys: keys, Store: store, LoadUser: users.Load,
//		Providers: []external.Provider{
//			external.Google{ClientID: "…", ClientSecret: "…"},
//			external.OIDC{Name: "acme", Issuer: "https://login.acme.example", ClientID: "…", ClientSecret: "…"},
//		},
//		Accounts: external.AccountConfig{
//			NewUser: func(ctx context.Context, p *external.Profile, id string) (auth.User, error) {
//				return users.Add(ctx, id, p.Name) // or the one that was added with this id
//			},
//		},
//		SignIn: func(w http.ResponseWriter, r *http.Request, user auth.User, proof *external.Credential) error {
//			_, err := sessions.SignIn(w, r, user, session.Options{AuthInfo: proof.AuthInfo()})
//			return err
//		},
//	})
//	guard, err := auth.New(auth.Config{
//		Backends: []auth.Authenticator{tokens, sessions}, Login: []auth.Authenticator{passwords, logins}})
//	handlers, err := logins.Handlers(guard) // which proves the user, for linking
//	handlers.Register(mux)                  // a button leads to /login/google/
//
// A person is known by the issuer and the subject that the provider names, and by
// nothing else: two people may have the same e-mail address, one after the other. See Config for
// how such an identity becomes a user, and docs/external-login.md for why.
//
// A login is a primary credential ([auth.Primary]): SignIn makes a session of it, and
// with Config.Apps.Redirects single-page and native apps get a code for a token.
package external

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/fetch"
	"github.com/gatewarden/auth/internal/seal"
)

// Config is the configuration of [Logins]. Providers, URL, Keys, Store, LoadUser, and
// SignIn or Apps.Redirects are required.
//
// A person that comes back from a provider becomes a user in these steps:
//
//  1. Accounts.Allow may refuse them.
//  2. If the identity is linked to a user in the Store, that is the user.
//  3. Accounts.ByEmail finds them, if their address is [Email.Authoritative], which it is not
//     unless the operator listed its domain.
//  4. Accounts.NewUser makes them.
//
// The identity is linked to the user of step 3 when the login is complete, and to that of
// step 4 at once. It is found by step 2 from then on. A user that exists is linked to an
// identity besides by asking for it while signed in: see [Handlers].Link.
type Config struct {
	// Providers are where people can have their accounts. Several [OIDC] may have one
	// issuer, if no client is in two of them, by ClientID or AppClientIDs. A person is then
	// the same user by each of them, if the issuer names the same subject to both clients.
	// The Issuer of an [OAuth2] must be its own: give another one to the second of two.
	Providers []Provider
	// URL is where browsers reach this service, without a path: https, or http of a
	// loopback host. What to register as redirect URI at a provider is
	// [Logins.RedirectURI], such as https://app.example/login/google/callback/.
	URL string
	// Path is below which the handlers are. Empty is "/login".
	Path string

	// Keys are application keys of at least 32 bytes each, the same at every instance.
	// The first seals what a browser keeps while it is away at a provider. All open it.
	Keys []auth.Secret
	// Store keeps which identity is of which user, and what was used.
	Store Store
	// LoadUser finds the user of an identity, at every login.
	LoadUser auth.UserLoader

	// SignIn makes a credential of a login that a browser came back with, such as a session: it sets a cookie, and the
	// browser is then sent to where it wanted to go. An error of kind [auth.ErrInsufficient] is shown as a refusal, and
	// any other as an outage.
	//
	// Return [ErrAnswered] if SignIn has already written the response, for example to ask for a second factor. Keep
	// login.PendingLink() with what is kept of the login until then, and call [Logins.CompleteLink] with it after the
	// second factor. If ByEmail found the user, the identity is linked only then. Otherwise it is linked after SignIn
	// returned nil.
	SignIn func(w http.ResponseWriter, r *http.Request, user auth.User, login *Credential) error

	// Accounts says how a login at a provider becomes the login of a user.
	Accounts AccountConfig
	// Apps is about the logins of single-page and native apps.
	Apps AppConfig
	// Linking is about users that link and unlink accounts while they are signed in.
	Linking LinkingConfig
	// Cookie is about the cookies that keep logins under way.
	Cookie CookieConfig
	// HTTP is about the requests to providers.
	HTTP HTTPConfig
	// Pages are the pages that people see, and the pages of the service that they lead to.
	Pages Pages

	// Observer is told of logins and of those that fail.
	Observer auth.Observer
	// Logger gets one line for each login that failed, with the provider and the cause: the error of the provider, the
	// check that failed, or the function of this Config that refused. Refusals are at level Info, outages at Error. No
	// line has a code, a token or a secret. If nil, slog.Default is used.
	Logger *slog.Logger
}

// AccountConfig says how a login at a provider becomes the login of a user: see the steps of [Config].
type AccountConfig struct {
	// Allow may refuse a person, known or not, by an error such as [ErrNotAllowed]. It is called before anything is
	// kept of the person, so it is where strangers are refused.
	Allow func(ctx context.Context, p *Profile) error
	// NewUser makes a user for an identity that is not linked to one. If nil, such a person is refused, so that only
	// people with a linked identity get in. Return [ErrAccountExists] to ask the person to sign in to the account
	// they have, and to link the identity from there. Never return a user that was there before, except one that
	// NewUser made with the same id: an address that a provider names proves nothing.
	//
	// The id is a version 7 UUID that Store reserved for this account. Take it as the ID of the user, or keep it in a
	// column of the users that is unique. NewUser is called again with the same id by another login of the person at
	// the same time, and by the next one within 30 days if NewUser returned the user or failed, and the identity was
	// not linked then, or within an hour if the process ended in NewUser or NewUser refused the person. It must then
	// return the user that it made, as INSERT … ON CONFLICT DO NOTHING and a SELECT do. So no account is made twice,
	// and its owner can reach it. An identity that was linked and is unlinked gets another id.
	//
	// If the users are in the database of Store, NewUser can make the user and link the identity in one transaction:
	// see ConfirmIn of package sqlstore. Config.Linking.Changed is not called then.
	NewUser func(ctx context.Context, p *Profile, id string) (auth.User, error)
	// ByEmail finds the account with an address, for automatic linking. It is asked
	// for [Email.Authoritative] addresses only. [auth.ErrUserNotFound] is that there
	// is no such account. If nil, nothing is linked. An account that has another identity of the same issuer
	// is refused as by ErrAccountExists: the address may be another person's by now.
	ByEmail func(ctx context.Context, address string) (Account, error)
	// DropUnverified is called if ByEmail found an account with an address that its owner never proved
	// to have. The maker of the account may have waited for the owner of the address to come
	// (pre-hijacking), so it is not linked: DropUnverified takes its address, passwords
	// and sessions away, and NewUser follows. Nil asks the person to sign in to the
	// account as ErrAccountExists does.
	DropUnverified func(ctx context.Context, user auth.User, p *Profile) error
	// KeepTokens is given the tokens of the provider, which are dropped otherwise:
	// encrypt what you keep. It is called before SignIn, and after a link. If ByEmail found the
	// user, SignIn and the link come first, and it is not called if SignIn returns ErrAnswered, or
	// for an app: the next login follows, of an identity that is linked.
	KeepTokens func(ctx context.Context, user auth.User, p *Profile, tokens *Tokens) error
	// AllowAssumedAuthTime are the names of providers that do not tell when a person logged in there ("auth_time"),
	// such as "github" and "google". Their logins count as of the moment at which the browser comes back. What is
	// lost: the provider may send a browser back without a question, days after its owner signed in there and left it
	// open. For Config.Linking.MaxAge, for auth.Fresh, and for max_age and prompt=login of package server the owner
	// was then there just now, and ID tokens of that server say so (OpenID Connect Core §2). If nil, the time of such a
	// login is not known. These refuse it, and everything else works.
	AllowAssumedAuthTime []string
}

// AppConfig is about the logins of single-page and native apps: see [Logins.Authenticate]. The zero value has no such
// logins.
type AppConfig struct {
	// Redirects are where a single-page or native app may have its logins end. They are compared as a whole: https,
	// http of a loopback host, or a scheme with a dot in it (RFC 8252 §7.1).
	Redirects []string
	// SecondFactor is set if you ask for a second factor when an app exchanges its code, such as by a backend of
	// Guard's Config.Login that calls Authenticate. Config.SignIn is not called for apps. If ByEmail found the user,
	// the endpoint that issues then links nothing: call [Logins.CompleteLink] with [Credential.PendingLink] after the
	// second factor.
	SecondFactor bool
	// CodeTTL is how long the code of an app is valid. 0 is a minute.
	CodeTTL time.Duration
}

// LinkingConfig is about signed-in users that link and unlink accounts.
type LinkingConfig struct {
	// Disabled leaves out the handlers by which signed-in users link and unlink
	// accounts. Set it where the steps of [Config] alone decide about identities, such as
	// in a service for the people of an enterprise.
	Disabled bool
	// MaxAge is how long ago a user that links or unlinks may have logged in. 0 is 5 minutes. A login at an unknown
	// time is refused: see Config.Accounts.AllowAssumedAuthTime.
	MaxAge time.Duration
	// HasOtherWay reports whether a user can get in without any identity, such as by a
	// password. If nil, no user can. The last way in is never unlinked.
	HasOtherWay func(ctx context.Context, user auth.User) (bool, error)
	// Changed is told what was linked and unlinked, to tell the user by mail. An error
	// is logged.
	Changed func(ctx context.Context, user auth.User, change Change, identity *Identity) error
}

// CookieConfig is about the cookies that keep logins under way.
type CookieConfig struct {
	// Name starts the names of the cookies, after "__Host-". Empty is "login".
	// Services that share a host need different names.
	Name string
	// Insecure leaves "__Host-" and Secure out, for a service without HTTPS whose
	// browsers do not take it for local. An attacker on the way can then sign the browser in
	// as another person.
	Insecure bool
	// TTL is how long a browser may be away at a provider, at most 10 minutes. 0
	// is 10 minutes.
	TTL time.Duration
}

// HTTPConfig is about the requests to providers.
type HTTPConfig struct {
	// Client sends the requests. It is copied, without its cookies, and
	// follows redirects within a host only. If nil, a client of this package is used.
	Client *http.Client
	// Timeout is how long a provider may take for one response. 0 is 10 seconds.
	Timeout time.Duration
}

// Account is a user that Config.Accounts.ByEmail found.
type Account struct {
	User auth.User
	// Verified is that the user once proved to have the address.
	Verified bool
}

// Change is what became of an identity.
type Change string

// What Config.Linking.Changed is told.
const (
	Linked   Change = "linked"
	Unlinked Change = "unlinked"
)

// ErrAnswered is what Config.SignIn returns if it has already written the response. No
// login is reported to the Observer then.
var ErrAnswered = errors.New("oauth2/external: answered already")

// Errors for Config.Accounts.Allow and Config.Accounts.NewUser, and for the functions of providers.
var (
	// ErrNotAllowed refuses a person.
	ErrNotAllowed = errors.New("oauth2/external: not allowed")
	// ErrAccountExists asks a person to sign in to the account they have, and to link
	// the identity from there.
	ErrAccountExists = errors.New("oauth2/external: there is an account already")
	// ErrUntrusted is an answer of a provider that is not what it should be, and must
	// not be believed.
	ErrUntrusted = errors.New("oauth2/external: the answer of the provider cannot be trusted")
)

// Logins signs people in by providers. It is safe for concurrent use.
//
// It is also a backend: see [Logins.Authenticate].
type Logins struct {
	config    Config // without Keys and Providers, which hold secrets
	origin    string
	providers map[string]*provider
	order     []string
	seals     []seal.Key
	pages     *pages
	events    backend.Events
}

// New returns Logins, or an error that says which settings are missing, out of range or
// contradict others. It asks no provider.
func New(config Config) (*Logins, error) {
	l := &Logins{config: config, providers: make(map[string]*provider)}
	c := &l.config
	settings := backend.Settings{Package: "oauth2/external"}
	settings.Refuse(len(c.Providers) == 0, "Config.Providers is missing")
	settings.Need("Config.Store", c.Store)
	settings.Need("Config.LoadUser", c.LoadUser)
	settings.Refuse(c.SignIn == nil && len(c.Apps.Redirects) == 0,
		"Config.SignIn is missing, and there are no Apps.Redirects")
	settings.Refuse(c.Accounts.DropUnverified != nil && c.Accounts.ByEmail == nil,
		"Config.Accounts.DropUnverified without ByEmail")
	settings.Refuse(c.Linking.MaxAge < 0 || c.Apps.CodeTTL < 0 || c.HTTP.Timeout < 0 || c.Cookie.TTL < 0 ||
		c.Cookie.TTL > maxAttempt,
		"Config.Linking.MaxAge, Apps.CodeTTL or HTTP.Timeout is negative, or Cookie.TTL out of range")
	l.checkURL(&settings)
	c.Linking.MaxAge, c.Cookie.TTL = cmp.Or(c.Linking.MaxAge, 5*time.Minute), cmp.Or(c.Cookie.TTL, maxAttempt)
	c.Apps.CodeTTL, c.HTTP.Timeout = cmp.Or(c.Apps.CodeTTL, time.Minute), cmp.Or(c.HTTP.Timeout, 10*time.Second)
	c.Cookie.Name = cmp.Or(c.Cookie.Name, "login")
	settings.Add("Config.Cookie.Name", backend.Cookie{Name: c.Cookie.Name}.Check())
	c.Apps.Redirects = slices.Clone(c.Apps.Redirects)
	for _, uri := range c.Apps.Redirects {
		if err := checkAppRedirect(uri); err != nil {
			settings.Refuse(true, "Config.Apps.Redirects %q %w", uri, err)
		}
	}
	var err error
	l.seals, err = seal.NewKeys(c.Keys, "gatewarden oauth2 login")
	settings.Add("Config.Keys", err)
	l.events = backend.NewEvents(c.Observer, backendName)
	if l.pages, err = newPages(c.Pages); err != nil {
		return nil, err
	}
	faults := []error{settings.Err()}
	env := environment{client: fetch.Client(c.HTTP.Client), timeout: c.HTTP.Timeout, logger: l.logger()}
	for _, given := range c.Providers {
		faults = append(faults, l.add(given, env))
	}
	c.Keys, c.Providers, c.Accounts.AllowAssumedAuthTime = nil, nil, slices.Clone(c.Accounts.AllowAssumedAuthTime)
	faults = append(faults, l.checkAssumed())
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return l, nil
}

// checkURL reads where the service is, and the paths of its pages.
func (l *Logins) checkURL(settings *backend.Settings) {
	c := &l.config
	u, err := url.Parse(c.URL)
	settings.Need("Config.URL", c.URL)
	switch {
	case err != nil:
		u = &url.URL{}
		fallthrough
	case c.URL != "" && (fetch.CheckURL(c.URL) != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != ""):
		settings.Refuse(true, "Config.URL %q is no https URL without a path, nor one by http of a loopback host", c.URL)
	}
	l.origin, c.Pages.Name = u.Scheme+"://"+u.Host, cmp.Or(c.Pages.Name, u.Host)
	given := cmp.Or(c.Path, "/login")
	c.Path = strings.TrimSuffix(given, "/")
	_, ok := backend.LocalPath(c.Path)
	settings.Refuse(!ok || strings.ContainsAny(c.Path, "{}?#%") || backend.CheckPrefix(c.Path) != nil,
		"Config.Path %q is no path below the root", given)
	c.Pages.SignInURL, c.Pages.AccountURL = cmp.Or(c.Pages.SignInURL, "/"), cmp.Or(c.Pages.AccountURL, "/")
	for _, page := range [][2]string{{"Pages.SignInURL", c.Pages.SignInURL}, {"Pages.AccountURL", c.Pages.AccountURL}} {
		_, ok := backend.LocalPath(page[1])
		settings.Refuse(!ok, "Config.%s %q is no path of this service", page[0], page[1])
	}
}

// add makes a provider ready.
func (l *Logins) add(given Provider, env environment) error {
	if isNil(given) {
		return errors.New("oauth2/external: a provider is nil")
	}
	defined, err := given.Define()
	switch {
	case err != nil:
		return err
	case isNil(defined):
		return errors.New("oauth2/external: " + kindOf(given) + ".Define returned no definition and no error")
	}
	p, err := defined.ready(env, kindOf(given))
	if err != nil {
		return err
	}
	if p.formPost && l.config.Cookie.Insecure {
		return fmt.Errorf("oauth2/external: provider %q answers by POST, and browsers send no insecure cookie with "+
			"one of another site: Config.Cookie.Insecure", p.name)
	}
	if l.providers[p.name] != nil {
		return fmt.Errorf("oauth2/external: two providers %q: give one another Name", p.name)
	}
	for _, name := range l.order {
		if err := p.checkSameIssuer(l.providers[name]); err != nil {
			return err
		}
	}
	l.providers[p.name] = p
	l.order = append(l.order, p.name)
	return nil
}

// Choice is a provider as a page of sign-in shows it.
type Choice struct {
	Name  string // in paths
	Label string // for people
	URL   string // where the button leads: a path
}

// Choices returns the providers in the order of Config.Providers, for buttons that
// lead to next after the login. "" is "/".
func (l *Logins) Choices(next string) []Choice {
	all := make([]Choice, len(l.order))
	for i, name := range l.order {
		path := l.config.Path + "/" + name + "/"
		if next != "" {
			path += "?next=" + url.QueryEscape(next)
		}
		all[i] = Choice{name, l.providers[name].label, path}
	}
	return all
}

// ForEmail returns the name of the provider that is responsible for the domain of an
// address, so that a page which asks for the address first can lead people of an
// enterprise to their own single sign-on.
func (l *Logins) ForEmail(address string) (name string, ok bool) {
	domain := domainOf(address)
	for _, name := range l.order {
		if domain != "" && slices.Contains(l.providers[name].domains, domain) {
			return name, true
		}
	}
	return "", false
}

// RedirectURI returns what to register at a provider.
func (l *Logins) RedirectURI(provider string) string {
	return l.origin + l.config.Path + "/" + provider + "/callback/"
}

func (l *Logins) logger() *slog.Logger { return cmp.Or(l.config.Logger, slog.Default()) }

// checkAppRedirect refuses what an app cannot own (RFC 8252 §7).
func checkAppRedirect(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || u.Fragment != "" || strings.Contains(uri, "#") || u.User != nil ||
		html.EscapeString(uri) != uri && strings.ContainsAny(uri, "<>\"'"):
		return errors.New("is no URI without fragment and user")
	case u.Scheme == "https" && u.Host != "", u.Scheme == "http" && backend.IsLoopback(u.Hostname()):
		return nil
	case strings.Contains(u.Scheme, "."):
		return nil
	}
	return errors.New("must be https, http of a loopback host, or have a scheme with a dot (RFC 8252 §7.1)")
}
