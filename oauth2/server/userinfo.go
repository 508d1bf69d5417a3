package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatewarden/auth"
)

// serveUserInfo is the userinfo endpoint (OpenID Connect Core §5.3): it takes an
// access token for it with the scope "openid" in the header or, of a POST, in the body
// (RFC 6750 §2.1, §2.2).
func (s *Server) serveUserInfo(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		s.report(r, http.StatusMethodNotAllowed, wrongMethod("The method must be GET or POST.", r))
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
		return nil, errInvalidToken(err)
	}
	if err != nil {
		return nil, err
	}
	if user == nil || !slices.Contains(access.Scopes, "openid") {
		return nil, &auth.Error{Kind: auth.ErrInsufficient, Code: auth.CodeInsufficientScope,
			Params: []auth.Param{{Name: "scope", Value: "openid"}}, Cause: noOpenID(access.Scopes)}
	}
	if err := s.checkUserInfoAudience(r.Context(), access, grant); err != nil {
		return nil, err
	}
	claims, err := s.withClaims(r.Context(), map[string]any{"sub": grant.UserID},
		&claimsRequest{target: toUserInfo, user: user, grant: grant, scopes: access.Scopes, resources: access.Audience})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, &auth.Error{Cause: err}
	}
	return text, nil
}

// noOpenID is the cause of a refusal for a token that is of no user, or was not issued for OpenID Connect.
func noOpenID(scopes []string) error {
	return failedValue("the token is a client's own, or does not have the scope openid", strings.Join(scopes, " "),
		"openid")
}

var (
	errTokenInQuery   = errors.New("an access_token came in the query beside another token (RFC 6750 §2)")
	errTokenInBody    = errors.New("an access_token came in the body beside the Authorization header (RFC 6750 §2)")
	errTokenElsewhere = errors.New("the scheme of the Authorization header is not Bearer, or the token is in the query")
)

// bearer returns the token of a request. It may have one only.
func (s *Server) bearer(r *http.Request) (string, error) {
	_, token, err := auth.TokenFrom(r, "Bearer")
	if err != nil && auth.KindOf(err) != auth.ErrNoCredentials {
		return "", err
	}
	if token != "" && r.URL.Query().Has("access_token") {
		return "", &auth.Error{Kind: auth.ErrMalformed, Cause: errTokenInQuery}
	}
	if r.Method == http.MethodPost && isForm(r) {
		form, formErr := bodyForm(r)
		switch {
		case formErr != nil && token != "":
		case formErr != nil:
			return "", &auth.Error{Kind: auth.ErrMalformed, Cause: formErr}
		case form.Get("access_token") != "" && token != "":
			return "", &auth.Error{Kind: auth.ErrMalformed, Cause: errTokenInBody}
		case form.Get("access_token") != "":
			return form.Get("access_token"), nil
		}
	}
	if err == auth.ErrNoCredentials && (r.Header.Get("Authorization") != "" || r.URL.Query().Has("access_token")) {
		err = &auth.Error{Kind: auth.ErrNoCredentials, Cause: errTokenElsewhere}
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
	s.report(r, status, err)
	challenge := auth.Challenge{Scheme: "Bearer", Params: []auth.Param{{Name: "realm", Value: s.config.Pages.Name}}}
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
