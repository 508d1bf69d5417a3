package knox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// maxBody is the longest request body that is read, in bytes.
const maxBody = 8 << 10

func (h handler) login(w http.ResponseWriter, r backend.Request) {
	answer := map[string]any{}
	if h.config.UserInfo != nil {
		info, err := h.config.UserInfo(r.Request, r.User)
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		text, err := json.Marshal(info) // before the token is made: a token that is never shown is of no use
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		answer["user"] = json.RawMessage(text)
	}
	issued, err := h.issue(r, Options{Name: deviceName(r.Request)})
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.tell(r, auth.EventLogin, issued.ID())
	answer["expiry"] = h.instant(issued.Expiry())
	answer["token"] = issued.Secret.Reveal()
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) logout(w http.ResponseWriter, r backend.Request) {
	token, ok := auth.As[*Token](r.Credential)
	if !ok { // a test planted another identity
		h.refuse(w, r, auth.ErrNoCredentials)
		return
	}
	found, err := h.revoke(r.Context(), token.UserID(), token.ID(), EndLoggedOut)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if found { // and not by another request meanwhile
		h.tell(r, auth.EventLogout, token.ID())
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) logoutAll(w http.ResponseWriter, r backend.Request) {
	if _, err := h.RevokeAll(r.Context(), r.User.UserID()); err != nil {
		h.refuse(w, r, err)
		return
	}
	h.tell(r, auth.EventLogout, "")
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) list(w http.ResponseWriter, r backend.Request) {
	page, err := backend.ParsePage(r.Request)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	tokens, next, err := h.List(r.Context(), r.User.UserID(), page)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if own := h.own(r); own != nil {
		tokens = backend.PutCurrentFirst(page, tokens, own, func(t *Token) bool { return t.ID() == own.ID() })
	}
	answer := make([]map[string]any, len(tokens))
	for i, token := range tokens {
		answer[i] = h.describe(token)
		answer[i]["last_used"] = h.instant(token.LastUsed())
		answer[i]["ip"] = token.IP()
		answer[i]["user_agent"] = token.UserAgent()
		answer[i]["current"] = h.isCurrent(r, token.ID())
	}
	backend.SetNextLink(w.Header(), r.Request, next)
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) ended(w http.ResponseWriter, r backend.Request) {
	ended, err := h.Ended(r.Context(), r.User.UserID())
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	answer := make([]map[string]any, len(ended))
	for i, token := range ended {
		answer[i] = map[string]any{"id": token.ID, "name": token.Name, "scopes": scopesOf(token.Scopes, token.Limited),
			"created": h.instant(token.Created), "last_used": h.instant(token.LastUsed),
			"ended":  h.instant(token.EndedAt),
			"reason": token.Reason, "ip": token.IP, "user_agent": token.UserAgent}
	}
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) create(w http.ResponseWriter, r backend.Request) {
	options, err := h.personal(r.Request)
	if err != nil {
		h.guard.Refuse(w, r.Request, err)
		return
	}
	issued, err := h.issue(r, options)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	answer := h.describe(issued.Token)
	answer["token"] = issued.Secret.Reveal()
	backend.WriteJSON(w, http.StatusCreated, answer)
}

func (h handler) revokeOne(w http.ResponseWriter, r backend.Request) {
	id := r.PathValue("id")
	if err := auth.FullAccess(r.Request, r.User, r.Credential); err != nil && !h.isCurrent(r, id) {
		h.refuse(w, r, err)
		return
	}
	switch found, err := h.Revoke(r.Context(), r.User.UserID(), id); {
	case err != nil:
		h.refuse(w, r, err)
	case !found:
		backend.NotFound(h.guard, w, r.Request)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// issue turns the credential of a request into a token. Scopes never grow, and
// what a token makes never outlives it.
func (h handler) issue(r backend.Request, options Options) (*Issued, error) {
	terms, err := backend.TermsOf(r.Credential, h.config.AllowIssueFromToken, time.Now())
	if err != nil {
		return nil, err
	}
	options.IP, options.UserAgent = backend.ClientOf(r.Request)
	options.AuthInfo = terms.AuthInfo
	if h.config.BeforeIssue != nil {
		if err := h.config.BeforeIssue(r.Request, r.User, &options); err != nil {
			return nil, err
		}
	}
	if options.Scopes, options.Limited, err = terms.Narrow(options.Scopes, options.Limited); err != nil {
		return nil, err
	}
	options.end, options.proved = terms.MaxExpiresAt, r.User
	if own := h.own(r); own != nil {
		options.own = own.ID()
	}
	issued, err := h.Issue(r.Context(), r.User.UserID(), options)
	if err != nil {
		return nil, err
	}
	err = backend.FinishOrRevoke(r.Context(), r.Credential, backend.Issued{Backend: h.Backend(),
		UserID:       issued.UserID(),
		CredentialID: issued.ID(), Logger: h.config.Logger, Revoke: func(ctx context.Context) error {
			_, err := h.Revoke(ctx, issued.UserID(), issued.ID())
			return err
		}})
	if err != nil {
		return nil, err
	}
	return issued, nil
}

// refuse answers with err. Over the limit, the member "error" says so where
// clients of django-rest-knox look.
func (h handler) refuse(w http.ResponseWriter, r backend.Request, err error) {
	var extensions map[string]any
	if errors.Is(err, ErrLimit) {
		extensions = map[string]any{"error": ErrLimit.(*auth.Error).Detail}
	}
	h.guard.RefuseWith(w, r.Request, err, extensions)
}

// describe returns the members that a token has in every answer.
func (h handler) describe(token *Token) map[string]any {
	return map[string]any{"id": token.ID(), "name": token.Name(), "scopes": scopesOf(token.Scopes()),
		"created": h.instant(token.Created()), "expiry": h.instant(token.Expiry())}
}

// scopesOf returns scopes as they are answered: null is not limited.
func scopesOf(scopes []string, limited bool) any {
	if !limited {
		return nil
	}
	return append([]string{}, scopes...)
}

// own returns the token that proved a request, or nil.
func (h handler) own(r backend.Request) *Token {
	token, ok := auth.As[*Token](r.Credential)
	if !ok || token.Backend() != h.config.Name {
		return nil
	}
	return token
}

func (h handler) isCurrent(r backend.Request, id string) bool {
	own := h.own(r)
	return own != nil && own.ID() == id
}

// instant formats a time, and never as null.
func (h handler) instant(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.In(h.config.ExpiryLocation).Format(h.config.ExpiryFormat)
}

func (h handler) tell(r backend.Request, kind auth.EventKind, id string) {
	h.events.SendOf(r.Request, auth.Event{Kind: kind, UserID: r.User.UserID(), CredentialID: id})
}

// deviceName returns what a login body calls the device. The login backend has
// judged the body, so nothing in it is an error here.
func deviceName(r *http.Request) string {
	name := backend.Fields{{Name: "name"}}
	if name.From(r) != nil {
		return ""
	}
	return name[0].Value
}

// personal reads the body that asks for a personal token.
func (h handler) personal(r *http.Request) (Options, error) {
	body, err := backend.ReadBody(r, maxBody)
	if err != nil {
		return Options{}, err
	}
	if body.Type != backend.TypeJSON && len(body.Text) > 0 {
		return Options{}, backend.UnsupportedBodyType(r, backend.TypeJSON)
	}
	members, err := body.Members()
	if err != nil {
		return Options{}, err
	}
	var name string
	var scopes []string
	var expiresIn *int64
	for member, into := range map[string]any{"name": &name, "scopes": &scopes, "expires_in": &expiresIn} {
		if text, ok := members[member]; ok && json.Unmarshal(text, into) != nil {
			return Options{}, malformed("The body is not a JSON object with name, scopes and expires_in.")
		}
	}
	return h.personalOptions(name, scopes, expiresIn)
}

func (h handler) personalOptions(name string, scopes []string, expiresIn *int64) (Options, error) {
	switch {
	case name == "" || backend.CleanText(name, 100) != name:
		return Options{}, malformed("name must have 1 to 100 bytes and no control characters.")
	case len(scopes) == 0:
		return Options{}, malformed("scopes must name at least one scope.")
	}
	for _, scope := range scopes {
		if !backend.ValidScope(scope) || h.config.Scopes != nil && !slices.Contains(h.config.Scopes, scope) {
			return Options{}, malformed("scopes names a scope that does not exist.")
		}
	}
	options := Options{Name: name, Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))),
		TTL: min(cmp.Or(h.config.TTL, h.config.MaxPersonalTTL), h.config.MaxPersonalTTL)}
	if expiresIn != nil {
		if *expiresIn <= 0 || *expiresIn > int64(h.config.MaxPersonalTTL/time.Second) {
			return Options{}, malformed("expires_in must be positive and not too far away.")
		}
		options.TTL = time.Duration(*expiresIn) * time.Second
	}
	options.MaxTTL = options.TTL // with Config.AutoRefresh, too
	return options, nil
}

// malformed returns a refusal of a body that asks for a personal token.
func malformed(detail string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: errPersonal}
}

var errPersonal = errors.New("knox: the request for a personal token breaks the rule in the detail")
