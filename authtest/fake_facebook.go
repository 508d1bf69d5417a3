package authtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
)

// facebookDouble imitates Facebook: every call needs a proof made with the app's secret,
// errors are objects, browsers come back with a fragment, and tokens can be exchanged for
// ones that live longer.
func facebookDouble() FakeProvider {
	return FakeProvider{
		Name: "Facebook", Authorize: "/{version}/dialog/oauth", Token: "/{version}/oauth/access_token",
		Fragment: "#_=_",
		Tokens: func(_ *SignedIn, form url.Values, answer map[string]any) {
			delete(answer, "scope")
			if form.Get("grant_type") == "fb_exchange_token" {
				answer["expires_in"] = 5184000
			}
		},
		Refuse: func(code string) (int, map[string]any) {
			number := 100
			if code == "invalid_client" {
				number = 101
			}
			return http.StatusBadRequest, map[string]any{"error": map[string]any{
				"message": "This authorization code has been used.", "type": "OAuthException", "code": number,
				"fbtrace_id": "x"}}
		},
		serve: func(p *Provider, mux *http.ServeMux) {
			p.handle(mux, "GET /{version}/me", p.facebookMe)
			p.handle(mux, "GET /debug_token", p.facebookDebug)
		},
	}
}

// facebookMe is graph.facebook.com/me.
func (p *Provider) facebookMe(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	mac := hmac.New(sha256.New, []byte(p.ClientSecret.Reveal()))
	mac.Write([]byte(token))
	if r.URL.Query().Get("appsecret_proof") != hex.EncodeToString(mac.Sum(nil)) {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": map[string]any{
			"message": "API calls from the server require an appsecret_proof argument",
			"type":    "GraphMethodException", "code": 100}})
		return
	}
	p.serveProfile(w, r, &FakeProvider{Profile: func(s *SignedIn, _ *http.Request) (int, map[string]any) {
		me := map[string]any{"id": s.Person.Subject, "name": s.Person.Name}
		if s.Person.Email != "" {
			me["email"] = s.Person.Email
		}
		return http.StatusOK, me
	}})
}

// facebookDebug is graph.facebook.com/debug_token, which only the app itself may use.
func (p *Provider) facebookDebug(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+p.ClientID+"|"+p.ClientSecret.Reveal() {
		http.Error(w, "{}", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	s := p.tokens["access "+r.URL.Query().Get("input_token")]
	p.mu.Unlock()
	data := map[string]any{"is_valid": false, "type": "USER", "app_id": p.ClientID} // like an expired token
	if s != nil {
		data = map[string]any{"is_valid": true, "type": "USER", "app_id": s.ClientID, "user_id": s.Person.Subject}
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": data})
}
