package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/gatewarden/auth"
)

// serveUserInfo is the userinfo endpoint (OpenID Connect Core §5.3): it takes an
// access token with the scope "openid" in the header or, of a POST, in the body
// (RFC 6750 §2.1, §2.2).
func (s *Server) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, HEAD, POST")
		answerJSON(w, http.StatusMethodNotAllowed, map[string]string{"error": CodeInvalidRequest})
		return
	}
	claims, err := s.userInfo(r)
	if err != nil {
		s.refuseBearer(w, r, err)
		return
	}
	answerJSON(w, http.StatusOK, claims)
}

// userInfo returns the claims as JSON, which those of the application may not be.
func (s *Server) userInfo(r *http.Request) (json.RawMessage, error) {
	token, err := s.bearer(r)
	if err != nil {
		return nil, err
	}
	access, grant, err := s.find(r.Context(), token)
	if err != nil {
		return nil, err
	}
	user, err := s.userOf(r.Context(), grant)
	if isRefusal(err) {
		return nil, errToken
	}
	if err != nil {
		return nil, err
	}
	if user == nil || !slices.Contains(access.Scopes, "openid") {
		return nil, &auth.Error{Kind: auth.ErrInsufficient, Code: auth.CodeInsufficientScope, Params: []auth.Param{{Name: "scope", Value: "openid"}}}
	}
	claims := make(map[string]any)
	if s.config.Claims != nil {
		more, err := s.config.Claims(r.Context(), user, access.Scopes)
		if err != nil {
			return nil, &auth.Error{Cause: err}
		}
		maps.Copy(claims, more)
	}
	claims["sub"] = grant.UserID // which nothing may replace
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, &auth.Error{Cause: err}
	}
	return text, nil
}

// bearer returns the token of a request; it may have one only.
func (s *Server) bearer(r *http.Request) (string, error) {
	_, token, err := auth.TokenFrom(r, "Bearer")
	if err != nil && auth.KindOf(err) != auth.ErrNoCredentials {
		return "", err
	}
	if token != "" && r.URL.Query().Has("access_token") {
		return "", auth.ErrMalformed // RFC 6750 §2
	}
	if r.Method == http.MethodPost && isForm(r) {
		form, formErr := bodyForm(r)
		switch {
		case formErr != nil && token != "":
		case formErr != nil:
			return "", &auth.Error{Kind: auth.ErrMalformed, Cause: formErr}
		case form.Get("access_token") != "" && token != "":
			return "", auth.ErrMalformed
		case form.Get("access_token") != "":
			return form.Get("access_token"), nil
		}
	}
	return token, err
}

// refuseBearer answers as RFC 6750 §3.1.
func (s *Server) refuseBearer(w http.ResponseWriter, r *http.Request, err error) {
	status, code := http.StatusUnauthorized, ""
	switch auth.KindOf(err) {
	case auth.ErrNoCredentials:
	case auth.ErrInvalid, auth.ErrUnrecognized:
		code = auth.CodeInvalidToken
	case auth.ErrMalformed:
		status, code = http.StatusBadRequest, auth.CodeInvalidRequest
	case auth.ErrInsufficient:
		status, code = http.StatusForbidden, auth.CodeInsufficientScope
	default:
		s.answerError(w, r, err)
		return
	}
	challenge := auth.Challenge{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: s.config.Name}}}
	body := map[string]string{}
	if code != "" {
		challenge.Params = append(challenge.Params, auth.Param{Name: "error", Value: code})
		body["error"] = code
	}
	if code == auth.CodeInsufficientScope {
		challenge.Params = append(challenge.Params, auth.Param{Name: "scope", Value: "openid"})
	}
	w.Header().Set("WWW-Authenticate", challenge.String())
	answerJSON(w, status, body)
}
