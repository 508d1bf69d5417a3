package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/internal/redact"
)

// ApplicationsPage lists a developer's own applications.
type ApplicationsPage struct {
	Layout
	Applications []*Client
	Path         string // of this page, see PathOf for an application's
	Next         string // path of the next page, or ""
	Later        bool   // it is not the first page
}

// ApplicationPage shows, registers or changes an application. The names of its
// fields are those of django-oauth-toolkit.
type ApplicationPage struct {
	Layout
	Client *Client // nil for a new one
	Form   ApplicationForm
	Grants []string // to choose from
	Fault  string
	Edit   bool   // a form is shown, else what there is
	Path   string // of the list

	secret redact.Secret
}

// Shown returns the client's secret in the clear, on the one page that shows it
// after it was made, and else "".
func (p ApplicationPage) Shown() string { return p.secret.Reveal() }

// ApplicationForm is what is filled in.
type ApplicationForm struct {
	Name, ClientType                     string // "confidential" or "public"
	Grants                               []string
	RedirectURIs, PostLogoutRedirectURIs string // a line each
}

// Has reports whether a grant is chosen.
func (f ApplicationForm) Has(grant string) bool { return slices.Contains(f.Grants, grant) }

// ownApplications are pages on which developers register clients.
type ownApplications struct{}

func (ownApplications) register(r *registry) {
	r.needPages()
	if r.config.Clients.DeveloperGrants == nil {
		r.config.Clients.DeveloperGrants = []string{GrantAuthorizationCode, GrantRefreshToken}
	}
	for _, name := range r.config.Clients.DeveloperGrants {
		r.settings.Refuse(r.grants[name] == nil,
			"Config.Clients.DeveloperGrants has %q, which is not among Config.Tokens.Grants", name)
	}
	r.addRoutes(func(h *handler, to router) { h.routeApplications(to.handle) })
}

func (h *handler) routeApplications(handle func(path string, handler http.Handler)) {
	page := func(serve func(w http.ResponseWriter, r *http.Request, p signedInUser), methods ...string) http.Handler {
		return h.withPageUser(func(w http.ResponseWriter, r *http.Request) {
			h.pages.secure(w, "")
			if !slices.Contains(methods, r.Method) {
				w.Header().Set("Allow", strings.Join(methods, ", "))
				h.showError(w, r, wrongMethod("The method is none that this page has.", r))
				return
			}
			h.requireSignedInUser(w, r, func(w http.ResponseWriter, r *http.Request, p signedInUser) {
				if h.requireFullAccess(w, r, p) && h.isDeveloper(w, r, p) {
					serve(w, r, p)
				}
			})
		})
	}
	handle("/applications", page(h.listApplications, "GET", "HEAD"))
	handle("/applications/register", page(h.registerApplication, "GET", "HEAD", "POST"))
	handle("/applications/{id}", page(h.showApplication, "GET", "HEAD"))
	handle("/applications/{id}/update", page(h.changeApplication, "GET", "HEAD", "POST"))
	handle("/applications/{id}/secret", page(h.renewApplication, "POST"))
	handle("/applications/{id}/delete", page(h.removeApplication, "POST"))
}

// isDeveloper asks Config.Clients.Developers, and reports whether to go on.
func (s *Server) isDeveloper(w http.ResponseWriter, r *http.Request, p signedInUser) bool {
	credential, _ := auth.CredentialFrom[auth.Credential](r.Context())
	switch err := s.config.Clients.Developers(r, p.user, credential); {
	case err == nil:
		return true
	case auth.KindOf(err) == auth.ErrInsufficient:
		s.showError(w, r, &Error{Code: CodeAccessDenied, Description: "You may not register applications.",
			Status: http.StatusForbidden,
			Cause:  &cause.Reason{Check: "Config.Clients.Developers refused the user", Err: err}})
	default:
		s.showError(w, r, err)
	}
	return false
}

func (s *Server) applicationsPath() string { return s.config.Endpoints.Path + "/applications/" }

func (s *Server) listApplications(w http.ResponseWriter, r *http.Request, p signedInUser) {
	page := pageOf(r)
	found, next, err := s.Clients(r.Context(), p.user.UserID(), page)
	if err != nil {
		s.showError(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, s.pages.Applications, ApplicationsPage{
		Layout: s.layout(r, "Your applications"), Applications: found,
		Path: s.applicationsPath(), Next: nextOf(s.applicationsPath(), next), Later: page.After != "",
	})
}

// pageOf returns the part of a list of clients that a page shows. It is the first one if
// the address does not name another one: people follow links, and a link may be broken.
func pageOf(r *http.Request) backend.Page {
	after := r.URL.Query().Get("after")
	if !validClientID(after) {
		after = ""
	}
	return backend.Page{After: after}
}

// nextOf returns the path of the next page, or "" after the last one.
func nextOf(path, next string) string {
	if next == "" {
		return ""
	}
	return path + "?after=" + url.QueryEscape(next)
}

func (s *Server) registerApplication(w http.ResponseWriter, r *http.Request, p signedInUser) {
	page := s.applicationPage(r, "Register an application", nil)
	page.Edit, page.Form = true, ApplicationForm{ClientType: "confidential",
		Grants: []string{GrantAuthorizationCode, GrantRefreshToken}}
	if r.Method != http.MethodPost {
		s.show(w, r, http.StatusOK, s.pages.Application, page)
		return
	}
	registration, ok := s.readApplication(w, r, &page)
	if !ok {
		return
	}
	registration.Owner = p.user.UserID()
	client, secret, err := s.AddClient(r.Context(), registration)
	if s.showFormError(w, r, page, err) {
		return
	}
	s.showSecret(w, r, client, secret)
}

// showSecret answers the form that made a secret with the page that shows it: the
// one time that it is known.
func (s *Server) showSecret(w http.ResponseWriter, r *http.Request, client *Client, secret auth.Secret) {
	page := s.applicationPage(r, client.Name, client)
	page.secret = redact.New(secret.Reveal())
	s.show(w, r, http.StatusOK, s.pages.Application, page)
}

func (s *Server) showApplication(w http.ResponseWriter, r *http.Request, p signedInUser) {
	if client := s.ownApplication(w, r, p); client != nil {
		s.show(w, r, http.StatusOK, s.pages.Application, s.applicationPage(r, client.Name, client))
	}
}

func (s *Server) changeApplication(w http.ResponseWriter, r *http.Request, p signedInUser) {
	client := s.ownApplication(w, r, p)
	if client == nil {
		return
	}
	page := s.applicationPage(r, "Change "+client.Name, client)
	page.Edit = true
	if r.Method != http.MethodPost {
		s.show(w, r, http.StatusOK, s.pages.Application, page)
		return
	}
	registration, ok := s.readApplication(w, r, &page)
	if !ok {
		return
	}
	changed, err := s.ChangeClient(r.Context(), client, client.withForm(registration, s.config.Clients.DeveloperGrants))
	if s.showFormError(w, r, page, err) {
		return
	}
	if client.Public() && !changed.Public() { // it needs a secret now
		changed, secret, err := s.RenewSecret(r.Context(), changed)
		if s.showFormError(w, r, page, err) {
			return
		}
		s.showSecret(w, r, changed, secret)
		return
	}
	http.Redirect(w, r, s.applicationsPath()+clientSegment(changed.ID)+"/", http.StatusSeeOther)
}

func (s *Server) renewApplication(w http.ResponseWriter, r *http.Request, p signedInUser) {
	client := s.ownApplication(w, r, p)
	if client == nil {
		return
	}
	changed, secret, err := s.RenewSecret(r.Context(), client)
	if s.showFormError(w, r, s.applicationPage(r, client.Name, client), err) {
		return
	}
	s.showSecret(w, r, changed, secret)
}

func (s *Server) removeApplication(w http.ResponseWriter, r *http.Request, p signedInUser) {
	client := s.ownApplication(w, r, p)
	if client == nil {
		return
	}
	if _, err := s.RemoveClient(r.Context(), client.ID); err != nil {
		s.showError(w, r, err)
		return
	}
	http.Redirect(w, r, s.applicationsPath(), http.StatusSeeOther)
}

// ownApplication returns the application that the path names, if it is this
// person's. Those of others are not there.
func (s *Server) ownApplication(w http.ResponseWriter, r *http.Request, p signedInUser) *Client {
	client, err := s.Client(r.Context(), clientOfSegment(r.PathValue("id")))
	switch {
	case err != nil:
		s.showError(w, r, err)
	case client == nil:
		s.showError(w, r, errNoApplication(
			failedValue("no client is registered with this client_id", r.PathValue("id"))))
	case client.Owner == "" || client.Owner != p.user.UserID():
		s.showError(w, r, errNoApplication(failedValue("the client has another Owner than the user", client.ID)))
	default:
		return client
	}
	return nil
}

// errNoApplication is the one answer to applications that are not there and those of others.
func errNoApplication(cause error) *Error {
	return &Error{Code: CodeInvalidRequest, Description: "There is no such application, or it is not yours.",
		Status: http.StatusNotFound, Cause: cause}
}

// applicationPage is a page about a client, or about a new one.
func (s *Server) applicationPage(r *http.Request, title string, client *Client) ApplicationPage {
	page := ApplicationPage{Layout: s.layout(r, title), Client: client, Grants: s.config.Clients.DeveloperGrants,
		Path: s.applicationsPath()}
	if client != nil {
		page.Form = ApplicationForm{Name: client.Name, ClientType: "confidential", Grants: client.GrantTypes,
			RedirectURIs:           strings.Join(client.RedirectURIs, "\n"),
			PostLogoutRedirectURIs: strings.Join(client.PostLogoutRedirectURIs, "\n")}
		if client.Public() {
			page.Form.ClientType = "public"
		}
	}
	return page
}

// readApplication reads a form into the page and returns what it says. It takes
// what django-oauth-toolkit's form sends: one grant with dashes in its name, which
// implies the refresh token grant, and addresses with white space between them.
func (s *Server) readApplication(w http.ResponseWriter, r *http.Request,
	page *ApplicationPage) (registration Registration, ok bool) {
	values, err := bodyValues(r)
	if err != nil {
		s.showError(w, r, err)
		return registration, false
	}
	for _, field := range []string{"name", "redirect_uris", "post_logout_redirect_uris"} {
		if !isText(values.Get(field)) {
			s.showError(w, r, errNotText(field))
			return registration, false
		}
	}
	grants := s.chosenGrants(values["authorization_grant_type"])
	page.Form = ApplicationForm{Name: values.Get("name"), ClientType: values.Get("client_type"), Grants: grants,
		RedirectURIs: values.Get("redirect_uris"), PostLogoutRedirectURIs: values.Get("post_logout_redirect_uris")}
	registration = Registration{ClientName: page.Form.Name, GrantTypes: append([]string{}, grants...),
		RedirectURIs:           strings.Fields(page.Form.RedirectURIs),
		PostLogoutRedirectURIs: strings.Fields(page.Form.PostLogoutRedirectURIs)}
	if page.Form.ClientType == "public" {
		registration.TokenEndpointAuthMethod = AuthNone
	}
	if err := s.applicationFault(page, registration); err != nil {
		s.showFormError(w, r, *page, err)
		return registration, false
	}
	return registration, true
}

// chosenGrants returns the grants of a form, in which dashes may stand for underscores.
func (s *Server) chosenGrants(names []string) []string {
	var grants []string
	for _, name := range names {
		plain := strings.ReplaceAll(name, "-", "_")
		if plain == "" {
			continue
		}
		grants = append(grants, plain)
		refreshes := slices.Contains(s.config.Clients.DeveloperGrants, GrantRefreshToken)
		if plain == GrantAuthorizationCode && plain != name && refreshes {
			grants = append(grants, GrantRefreshToken)
		}
	}
	return grants
}

// applicationFault says what a developer may not choose. It is nil if the form is good.
func (s *Server) applicationFault(page *ApplicationPage, r Registration) error {
	if kind := page.Form.ClientType; kind != "confidential" && kind != "public" {
		return metadataError("Choose whether the application can keep a secret.",
			failedValue("the client_type is neither confidential nor public", kind))
	}
	for _, grant := range r.GrantTypes {
		if !slices.Contains(s.config.Clients.DeveloperGrants, grant) &&
			(page.Client == nil || !page.Client.Allows(grant)) {
			return metadataError("A grant is none that you may choose.",
				failedSetting("Config.Clients.DeveloperGrants", "the grant is not for developers", grant,
					s.config.Clients.DeveloperGrants...))
		}
	}
	if len(r.RedirectURIs)+len(r.PostLogoutRedirectURIs) > maxURIs {
		return metadataError("There are too many addresses.",
			failedCheck("the application has more than 50 redirect URIs"))
	}
	return nil
}

// maxURIs is how many addresses an application of a developer may have.
const maxURIs = 50

// showFormError shows the form again with what is wrong, and reports whether anything is.
func (s *Server) showFormError(w http.ResponseWriter, r *http.Request, page ApplicationPage, err error) bool {
	var e *Error
	switch {
	case err == nil:
		return false
	case errors.Is(err, ErrClientChanged):
		s.showError(w, r, &Error{Code: CodeInvalidRequest,
			Description: "The application was changed or removed meanwhile.", Status: http.StatusConflict, Cause: err})
	case errors.As(err, &e):
		s.report(r, statusOf(err), err)
		page.Fault, page.Edit = e.Description, true
		s.show(w, r, statusOf(err), s.pages.Application, page)
	default:
		s.showError(w, r, err)
	}
	return true
}
