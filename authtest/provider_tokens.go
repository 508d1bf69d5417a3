package authtest

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request, d *FakeProvider) {
	_, quirks := p.state()
	request, ok := p.client(r)
	if quirks.Stall != nil {
		select {
		case <-quirks.Stall:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case quirks.TokenStatus != 0:
		http.Error(w, "no", quirks.TokenStatus)
		return
	case !ok || d.RefusesPKCE && request.Form.Has("code_verifier"):
		p.refuse(w, d, "invalid_client")
		return
	}
	s := p.redeem(request.Form, d)
	if s == nil {
		p.refuse(w, d, "invalid_grant")
		return
	}
	access, refresh := rand.Text(), rand.Text()
	p.mu.Lock()
	p.tokens["access "+access], p.tokens["refresh "+refresh] = s, s
	p.mu.Unlock()
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600,
		"scope": strings.Join(s.Scopes, " ")}
	if d.IDTokens {
		answer["refresh_token"] = refresh
		if slices.Contains(s.Scopes, "openid") {
			answer["id_token"] = p.idToken(s, quirks, access)
		}
	}
	if d.Tokens != nil {
		d.Tokens(s, request.Form, answer)
	}
	if quirks.TokenAnswer != nil {
		quirks.TokenAnswer(answer)
	}
	if quirks.FormAnswers {
		writeForm(w, answer)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, answer)
}

// redeem returns the login that a grant is for, or nil if the grant is no good.
func (p *Provider) redeem(form url.Values, d *FakeProvider) *SignedIn {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch form.Get("grant_type") {
	case "authorization_code":
		s := p.codes[form.Get("code")]
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if s == nil || s.used || s.redirect != form.Get("redirect_uri") || s.double != d {
			return nil
		}
		if !d.IgnoresPKCE && !d.RefusesPKCE && base64.RawURLEncoding.EncodeToString(sum[:]) != s.challenge {
			return nil
		}
		s.used = true
		return s
	case "fb_exchange_token": // a token that lives longer
		return p.tokens["access "+form.Get("fb_exchange_token")]
	case "refresh_token":
		s := p.tokens["refresh "+form.Get("refresh_token")]
		delete(p.tokens, "refresh "+form.Get("refresh_token"))
		return s
	}
	return nil
}

// refuse answers with an error of the token endpoint, as the imitated provider does.
func (p *Provider) refuse(w http.ResponseWriter, d *FakeProvider, code string) {
	status, body := http.StatusBadRequest, map[string]any{"error": code, "error_description": "no"}
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	if d.Refuse != nil {
		status, body = d.Refuse(code)
	}
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func writeForm(w http.ResponseWriter, answer map[string]any) {
	form := url.Values{}
	for name, value := range answer {
		form.Set(name, fmt.Sprint(value))
	}
	w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	_, _ = w.Write([]byte(form.Encode()))
}

func trimSlash(path string) string { return strings.TrimSuffix(path, "/") }

// client records a request, and reports whether the client's secret is right. A secret
// that is a JWT passes unchecked, and so does an assertion.
func (p *Provider) client(r *http.Request) (TokenRequest, bool) {
	_ = r.ParseForm()
	request := TokenRequest{Path: r.URL.Path, Form: r.PostForm, Client: r.PostForm.Get("client_id"),
		Secret: r.PostForm.Get("client_secret")}
	if name, secret, ok := r.BasicAuth(); ok {
		request.Basic = true
		request.Client, _ = url.QueryUnescape(name)
		request.Secret, _ = url.QueryUnescape(secret)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, request)
	isJWT := strings.Count(request.Secret, ".") == 2 || request.Form.Has("client_assertion")
	isSecret := subtle.ConstantTimeCompare([]byte(request.Secret), []byte(p.ClientSecret.Reveal())) == 1
	return request, request.Client == p.ClientID && (isJWT || isSecret)
}

// idToken makes the ID token of a login.
func (p *Provider) idToken(s *SignedIn, quirks Quirks, access string) string {
	now := time.Now()
	claims := map[string]any{"iss": s.double.issuer(p.URL()), "sub": s.Person.Subject, "aud": s.ClientID,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "at_hash": p.leftHalfHash(access), "jti": nil}
	if s.nonce != "" {
		claims["nonce"] = s.nonce
	}
	if at := s.Person.AuthTime; !at.IsZero() {
		claims["auth_time"] = at.Unix()
	} else if s.maxAge {
		claims["auth_time"] = now.Unix()
	}
	if !quirks.Thin {
		maps.Copy(claims, s.Person.profile(s.Scopes))
	}
	if s.Person.Tenant != "" && s.double.Claims == nil {
		claims["hd"] = s.Person.Tenant
	}
	if s.double.Claims != nil {
		s.double.Claims(s, p.URL(), claims)
	}
	maps.Copy(claims, s.Person.Claims)
	if quirks.BareIssuer {
		_, claims["iss"], _ = strings.Cut(p.URL(), "://")
	}
	if quirks.IDToken != nil {
		quirks.IDToken(claims)
	}
	if quirks.Sign != nil {
		return quirks.Sign(claims)
	}
	return p.MintWith(map[string]any{"typ": "JWT"}, claims)
}

// profile returns the claims that belong to scopes (OpenID Connect Core §5.4).
func (p Person) profile(scopes []string) map[string]any {
	claims := make(map[string]any)
	if slices.Contains(scopes, "profile") {
		for name, value := range map[string]string{"name": p.Name, "preferred_username": p.Username} {
			if value != "" {
				claims[name] = value
			}
		}
	}
	if slices.Contains(scopes, "email") && p.Email != "" {
		claims["email"] = p.Email
		if p.EmailVerified != nil {
			claims["email_verified"] = p.EmailVerified
		}
	}
	return claims
}

func (p *Provider) leftHalfHash(text string) string {
	switch algorithm := string(p.Keys()[0].Algorithm()); {
	case strings.HasSuffix(algorithm, "256"):
		sum := sha256.Sum256([]byte(text))
		return base64.RawURLEncoding.EncodeToString(sum[:16])
	case strings.HasSuffix(algorithm, "384"):
		sum := sha512.Sum384([]byte(text))
		return base64.RawURLEncoding.EncodeToString(sum[:24])
	}
	sum := sha512.Sum512([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:32])
}

// owner returns the login that the token of a request comes from. If there is no such
// token, it answers the request and returns false.
func (p *Provider) owner(w http.ResponseWriter, r *http.Request) (*SignedIn, Quirks, bool) {
	_, quirks := p.state()
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	s := p.tokens["access "+token]
	p.mu.Unlock()
	switch {
	case quirks.UserInfoStatus != 0:
		http.Error(w, "no", quirks.UserInfoStatus)
	case s == nil:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		http.Error(w, "no", http.StatusUnauthorized)
	default:
		return s, quirks, true
	}
	return nil, quirks, false
}

// revoke revokes a token (RFC 7009).
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	request, ok := p.client(r)
	if !ok {
		p.refuse(w, &FakeProvider{}, "invalid_client")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tokens, "access "+request.Form.Get("token"))
	delete(p.tokens, "refresh "+request.Form.Get("token"))
	w.WriteHeader(http.StatusOK)
}
