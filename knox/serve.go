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

func (h handler) serveLogin(w http.ResponseWriter, r backend.Request) {
	answer := map[string]any{}
	if h.config.Answer.UserInfo != nil {
		info, err := h.config.Answer.UserInfo(r.Request, r.User)
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
	h.sendEvent(r, auth.EventLogin, issued.ID())
	answer["expiry"] = h.formatTime(issued.IdleExpiresAt())
	answer["token"] = issued.Secret.Reveal()
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) serveLogout(w http.ResponseWriter, r backend.Request) {
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
		h.sendEvent(r, auth.EventLogout, token.ID())
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) serveLogoutAll(w http.ResponseWriter, r backend.Request) {
	if _, err := h.RevokeAll(r.Context(), r.User.UserID()); err != nil {
		h.refuse(w, r, err)
		return
	}
	h.sendEvent(r, auth.EventLogout, "")
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) serveList(w http.ResponseWriter, r backend.Request) {
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
	if current := h.requestToken(r); current != nil {
		tokens = backend.PutCurrentFirst(page, tokens, current, func(t *Token) bool { return t.ID() == current.ID() })
	}
	answer := make([]map[string]any, len(tokens))
	for i, token := range tokens {
		answer[i] = h.describe(token)
		answer[i]["last_used"] = h.formatTime(token.LastUsed())
		answer[i]["ip"] = token.IP()
		answer[i]["user_agent"] = token.UserAgent()
		answer[i]["current"] = h.isCurrent(r, token.ID())
	}
	backend.SetNextLink(w.Header(), r.Request, next)
	backend.WriteJSON(w, http.StatusOK, answer)
}

func (h handler) serveEnded(w http.ResponseWriter, r backend.Request) {
	ended, err := h.Ended(r.Context(), r.User.UserID())
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	answer := make([]map[string]any, len(ended))
	for i, token := range ended {
		answer[i] = map[string]any{"id": token.ID, "name": token.Name, "scopes": scopesOf(token.Scopes, token.Limited),
			"created": h.formatTime(token.Created), "last_used": h.formatTime(token.LastUsed),
			"ended":  h.formatTime(token.EndedAt),
			"reason": token.Reason, "ip": token.IP, "user_agent": token.UserAgent}
	}
	backend.WriteJSON(w, http.StatusOK, answer)
}

// serveCreate makes a personal token.
func (h handler) serveCreate(w http.ResponseWriter, r backend.Request) {
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

func (h handler) serveRevokeOne(w http.ResponseWriter, r backend.Request) {
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
	terms, err := backend.TermsOf(r.Credential, h.config.Issue.AllowFromToken, time.Now())
	if err != nil {
		return nil, err
	}
	options.IP, options.UserAgent = backend.ClientOf(r.Request)
	options.AuthInfo = terms.AuthInfo
	if h.config.Issue.Before != nil {
		if err := h.config.Issue.Before(r.Request, r.User, &options); err != nil {
			return nil, err
		}
	}
	if options.Scopes, options.Limited, err = terms.Narrow(options.Scopes, options.Limited); err != nil {
		return nil, err
	}
	options.end, options.loginUser = terms.MaxExpiresAt, r.User
	if asking := h.requestToken(r); asking != nil {
		options.requestTokenID = asking.ID()
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
		"created": h.formatTime(token.Created()), "expiry": h.formatTime(token.IdleExpiresAt())}
}

// scopesOf returns scopes as they are answered: null is not limited.
func scopesOf(scopes []string, limited bool) any {
	if !limited {
		return nil
	}
	return append([]string{}, scopes...)
}

// requestToken returns the token that authenticated the request, or nil. It returns nil for a
// token of other Tokens on the same guard.
func (h handler) requestToken(r backend.Request) *Token {
	token, ok := auth.As[*Token](r.Credential)
	if !ok || token.Backend() != h.config.Name {
		return nil
	}
	return token
}

func (h handler) isCurrent(r backend.Request, id string) bool {
	current := h.requestToken(r)
	return current != nil && current.ID() == id
}

// formatTime returns a time as JSON has it. The zero time, which stands for never, is null.
func (h handler) formatTime(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.In(h.config.Answer.TimeLocation).Format(h.config.Answer.TimeLayout)
}

// sendEvent tells the Observer of what the user of a request did.
func (h handler) sendEvent(r backend.Request, kind auth.EventKind, id string) {
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
	settings := h.config.Personal
	for _, scope := range scopes {
		if !backend.ValidScope(scope) || settings.Scopes != nil && !slices.Contains(settings.Scopes, scope) {
			return Options{}, malformed("scopes names a scope that does not exist.")
		}
	}
	options := Options{Name: name, Scopes: slices.Compact(slices.Sorted(slices.Values(scopes))),
		TTL: min(cmp.Or(h.config.TTL, settings.MaxTTL), settings.MaxTTL)}
	if expiresIn != nil {
		if *expiresIn <= 0 || *expiresIn > int64(settings.MaxTTL/time.Second) {
			return Options{}, malformed("expires_in must be positive and not too far away.")
		}
		options.TTL = time.Duration(*expiresIn) * time.Second
	}
	options.MaxTTL = options.TTL // with Config.Sliding.Enabled, too
	return options, nil
}

// malformed returns a refusal of a body that asks for a personal token.
func malformed(detail string) error {
	return &auth.Error{Kind: auth.ErrMalformed, Detail: detail, Cause: errPersonal}
}

var errPersonal = errors.New("knox: the request for a personal token breaks the rule in the detail")
