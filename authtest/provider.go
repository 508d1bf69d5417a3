package authtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatewarden/auth"
)

// Provider is a provider of accounts, for tests of third-party logins without the
// network. It is an OpenID provider, and it imitates GitHub, Microsoft, Apple, Facebook
// and GitLab with their paths and their oddities. It has no buttons to press: every
// browser is signed in as the person of the last [Provider.SignIn].
//
//	idp := authtest.NewProvider(t)
//	logins, err := external.New(external.Config{Providers: []external.Provider{
//		external.OIDC{Name: "acme", Issuer: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret},
//		external.GitHub{BaseURL: idp.URL(), ClientID: idp.ClientID, ClientSecret: idp.ClientSecret},
//	}, …})
//	idp.SignIn(authtest.Person{Subject: "1", Email: "alice@acme.example", EmailVerified: true})
//
// It is also an [Issuer], with the keys that sign the ID tokens, so it can rotate them
// and go down. It is as strict as a provider should be: it checks PKCE, the redirect URI
// and the client's secret, and accepts a code once. It is safe for concurrent use.
type Provider struct {
	*Issuer
	ClientID     string
	ClientSecret auth.Secret

	mu       sync.Mutex
	person   Person
	quirks   Quirks
	codes    map[string]*signIn
	tokens   map[string]*signIn // by access and refresh token
	greeted  map[string]bool    // by subject: Apple sends the name at the first login only
	requests []TokenRequest
	metadata map[string]any // without quirks
}

// Person is the owner of an account at a [Provider].
type Person struct {
	Subject       string // a number, for GitHub
	Email         string // if empty, the provider does not send one
	EmailVerified any    // true, false, or "true" as Apple writes it. If nil, it is not sent
	Name          string
	Username      string
	Tenant        string    // "hd" of Google, or the UUID of Microsoft's tenant
	AuthTime      time.Time // zero is now
	Claims        map[string]any
}

// Quirks are ways in which a provider differs from the default. Each func may be nil.
type Quirks struct {
	// Deny acts as if the person pressed "cancel".
	Deny bool
	// Answer changes the parameters with which the browser is sent back.
	Answer func(answer url.Values)
	// NoResponseIssuer leaves "iss" (RFC 9207) out of answers. The metadata says so.
	NoResponseIssuer bool

	// Metadata changes the metadata that the issuer publishes.
	Metadata func(members map[string]any)

	// IDToken changes the claims of the ID token. A claim that is nil is left out.
	IDToken func(claims map[string]any)
	// Sign makes the ID token from its claims, in place of the issuer's key.
	Sign func(claims map[string]any) string
	// Thin leaves the profile out of the ID token. The userinfo endpoint has it.
	Thin bool
	// BareIssuer writes "iss" of the ID token without its scheme, as Google may.
	BareIssuer bool

	// FormAnswers makes the token endpoint answer with a form, whatever Accept says.
	FormAnswers bool
	// TokenAnswer changes the token endpoint's answer before it is sent.
	TokenAnswer func(answer map[string]any)
	// TokenStatus is the status of every answer of the token endpoint. Zero has no effect.
	TokenStatus int
	// Stall makes the token endpoint wait until the channel is closed or the client
	// goes away.
	Stall <-chan struct{}

	// UserInfo changes the answer of the userinfo endpoint, or of the API of the user.
	UserInfo func(claims map[string]any)
	// UserInfoStatus is the status of every answer of these. Zero has no effect.
	UserInfoStatus int
	// NoEmails makes GitHub's /user/emails answer 404, as it does without the scope.
	NoEmails bool
}

// TokenRequest is a request of a client to the token endpoint, or to revoke a token.
type TokenRequest struct {
	Path   string
	Form   url.Values
	Basic  bool // the client's name and secret came by Basic
	Client string
	Secret string
}

// signIn is one login at the provider.
type signIn struct {
	person                             Person
	client, redirect, challenge, nonce string
	scopes                             []string
	maxAge                             bool
	kind                               string
	used                               bool
}

// NewProvider starts a provider, which stops when the test ends.
func NewProvider(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{ClientID: "client-" + rand.Text()[:6], ClientSecret: auth.Secret(rand.Text()),
		person: Person{Subject: "1", Name: "Alice"},
		codes:  make(map[string]*signIn), tokens: make(map[string]*signIn), greeted: make(map[string]bool)}
	mux := http.NewServeMux()
	handle := func(pattern string, serve func(w http.ResponseWriter, r *http.Request)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if p.up(w) {
				serve(w, r)
			}
		})
	}
	for kind, path := range map[string]string{
		"oidc":      "/authorize",
		"github":    "/login/oauth/authorize",
		"microsoft": "/{tenant}/oauth2/v2.0/authorize",
		"facebook":  "/{version}/dialog/oauth",
	} {
		handle("GET "+path, func(w http.ResponseWriter, r *http.Request) { p.authorize(w, r, kind) })
	}
	for _, path := range []string{"/token", "/login/oauth/access_token", "/{tenant}/oauth2/v2.0/token",
		"/{version}/oauth/access_token"} {
		handle("POST "+path, p.token)
	}
	handle("POST /revoke", p.revoke)
	handle("GET /userinfo", p.userInfo)
	handle("GET /logout", p.logout)
	handle("GET /api/v3/user", p.githubUser)
	handle("GET /api/v3/user/emails", p.githubEmails)
	handle("GET /{version}/me", p.facebookMe)
	handle("GET /debug_token", p.facebookDebug)
	handle("GET /{tenant}/v2.0/.well-known/openid-configuration", p.microsoftMetadata)
	p.Issuer = newIssuer(t, mux)
	mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", p.serveKeys)
	at := p.URL()
	p.metadata = map[string]any{
		"authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token",
		"userinfo_endpoint": at + "/userinfo", "revocation_endpoint": at + "/revoke",
		"end_session_endpoint": at + "/logout", "response_types_supported": []string{"code"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}
	p.more = p.metadata
	return p
}

// SignIn sets the person that is signed in at the provider from now on.
func (p *Provider) SignIn(person Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person = person
}

// SetQuirks replaces the quirks.
func (p *Provider) SetQuirks(quirks Quirks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quirks = quirks
	p.Issuer.mu.Lock()
	defer p.Issuer.mu.Unlock()
	p.more = maps.Clone(p.metadata)
	p.more["authorization_response_iss_parameter_supported"] = !quirks.NoResponseIssuer
	if quirks.Metadata != nil {
		quirks.Metadata(p.more)
	}
}

// TokenRequests returns the requests of clients, the oldest first.
func (p *Provider) TokenRequests() []TokenRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// up reports whether the provider works, and answers if not.
func (p *Provider) up(w http.ResponseWriter) bool {
	p.Issuer.mu.Lock()
	down, broken := p.down, p.broken
	p.Issuer.mu.Unlock()
	if broken {
		panic(http.ErrAbortHandler)
	}
	if down {
		http.Error(w, "down", http.StatusServiceUnavailable)
	}
	return !down
}

func (p *Provider) state() (Person, Quirks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.person, p.quirks
}

// authorize sends the browser back with a code, at once.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, kind string) {
	person, quirks := p.state()
	query := r.URL.Query()
	redirect, err := url.Parse(query.Get("redirect_uri"))
	switch {
	case err != nil || redirect.Host == "" || query.Get("client_id") != p.ClientID:
		http.Error(w, "the redirect URI or the client is wrong", http.StatusBadRequest)
		return
	case query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" ||
		len(query.Get("code_challenge")) != 43:
		http.Error(w, "no code with PKCE is asked for", http.StatusBadRequest)
		return
	}
	s := &signIn{person: person, client: p.ClientID, redirect: query.Get("redirect_uri"),
		challenge: query.Get("code_challenge"), nonce: query.Get("nonce"),
		scopes: strings.Fields(query.Get("scope")), maxAge: query.Has("max_age"), kind: kind}
	answer := url.Values{"state": query["state"]}
	if quirks.Deny {
		answer.Set("error", "access_denied")
		answer.Set("error_description", "<b>the person</b> pressed cancel")
	} else {
		code := rand.Text()
		p.mu.Lock()
		p.codes[code] = s
		p.mu.Unlock()
		answer.Set("code", code)
	}
	if kind == "oidc" && !quirks.NoResponseIssuer {
		answer.Set("iss", p.URL())
	}
	formPost := query.Get("response_mode") == "form_post"
	p.mu.Lock()
	if formPost && slices.Contains(s.scopes, "name") && !p.greeted[person.Subject] {
		p.greeted[person.Subject] = true
		first, last, _ := strings.Cut(person.Name, " ")
		user, _ := json.Marshal(map[string]any{"name": map[string]string{"firstName": first, "lastName": last},
			"email": "unsigned@example.com"})
		answer.Set("user", string(user))
	}
	p.mu.Unlock()
	if quirks.Answer != nil {
		quirks.Answer(answer)
	}
	if formPost {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = formPostPage.Execute(w, map[string]any{"Action": s.redirect, "Answer": answer})
		return
	}
	separator := "?"
	if strings.Contains(s.redirect, "?") {
		separator = "&"
	}
	to := s.redirect + separator + answer.Encode()
	if kind == "facebook" {
		to += "#_=_"
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

var formPostPage = template.Must(template.New("").Parse(`<!doctype html><title>Back</title>
<form method="post" action="{{.Action}}">
{{range $name, $values := .Answer}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<button>Continue</button></form><script>document.forms[0].submit()</script>`))

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	_, quirks := p.state()
	request, ok := p.client(r)
	if quirks.Stall != nil {
		select {
		case <-quirks.Stall:
		case <-r.Context().Done():
			return
		}
	}
	if quirks.TokenStatus != 0 {
		http.Error(w, "no", quirks.TokenStatus)
		return
	}
	kind := map[string]string{"/login/oauth/access_token": "github"}[r.URL.Path]
	if strings.HasSuffix(r.URL.Path, "/oauth/access_token") && kind == "" {
		kind = "facebook"
	}
	if !ok {
		p.refuse(w, kind, http.StatusUnauthorized, "invalid_client")
		return
	}
	form := request.Form
	s := p.redeem(form)
	if s == nil {
		p.refuse(w, kind, http.StatusBadRequest, "invalid_grant")
		return
	}
	access, refresh := rand.Text(), rand.Text()
	p.mu.Lock()
	p.tokens["access "+access], p.tokens["refresh "+refresh] = s, s
	p.mu.Unlock()
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 3600,
		"scope": strings.Join(s.scopes, " ")}
	switch s.kind {
	case "oidc", "microsoft":
		answer["refresh_token"] = refresh
		if slices.Contains(s.scopes, "openid") {
			answer["id_token"] = p.idToken(s, quirks, access)
		}
	case "github":
		answer["token_type"], answer["scope"] = "bearer", strings.Join(s.scopes, ",")
		delete(answer, "expires_in")
	case "facebook":
		delete(answer, "scope")
		if form.Get("grant_type") == "fb_exchange_token" {
			answer["expires_in"] = 5184000
		}
	}
	if quirks.TokenAnswer != nil {
		quirks.TokenAnswer(answer)
	}
	p.answerToken(w, r, s.kind, answer)
}

// redeem returns the login that a grant is for, or nil if the grant is no good.
func (p *Provider) redeem(form url.Values) *signIn {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch form.Get("grant_type") {
	case "authorization_code":
		s := p.codes[form.Get("code")]
		sum := sha256.Sum256([]byte(form.Get("code_verifier")))
		if s == nil || s.used || s.redirect != form.Get("redirect_uri") ||
			base64.RawURLEncoding.EncodeToString(sum[:]) != s.challenge {
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

// answerToken answers with JSON, or with a form as GitHub does if the client does not
// ask for JSON.
func (p *Provider) answerToken(w http.ResponseWriter, r *http.Request, kind string, answer map[string]any) {
	_, quirks := p.state()
	if quirks.FormAnswers || kind == "github" && !strings.Contains(r.Header.Get("Accept"), "application/json") {
		form := url.Values{}
		for name, value := range answer {
			form.Set(name, fmt.Sprint(value))
		}
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		_, _ = w.Write([]byte(form.Encode()))
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(answer)
}

// refuse answers with an error of the token endpoint, as the imitated provider does.
func (p *Provider) refuse(w http.ResponseWriter, kind string, status int, code string) {
	body := map[string]any{"error": code, "error_description": "no"}
	switch kind {
	case "github": // errors come with 200
		status = http.StatusOK
		if code == "invalid_grant" {
			body["error"] = "bad_verification_code"
		}
	case "facebook":
		status = http.StatusBadRequest
		number := 100
		if code == "invalid_client" {
			number = 101
		}
		body = map[string]any{"error": map[string]any{"message": "This authorization code has been used.",
			"type": "OAuthException", "code": number, "fbtrace_id": "x"}}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

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
func (p *Provider) idToken(s *signIn, quirks Quirks, access string) string {
	now := time.Now()
	claims := map[string]any{"iss": p.URL(), "sub": s.person.Subject, "aud": s.client, "iat": now.Unix(),
		"exp": now.Add(time.Hour).Unix(), "at_hash": p.halfHash(access), "jti": nil}
	if s.nonce != "" {
		claims["nonce"] = s.nonce
	}
	if at := s.person.AuthTime; !at.IsZero() {
		claims["auth_time"] = at.Unix()
	} else if s.maxAge {
		claims["auth_time"] = now.Unix()
	}
	if !quirks.Thin {
		maps.Copy(claims, s.person.profile(s.scopes))
	}
	maps.Copy(claims, s.person.Claims)
	switch {
	case s.kind == "microsoft":
		claims["iss"], claims["tid"] = p.URL()+"/"+s.person.Tenant+"/v2.0", s.person.Tenant
		claims["oid"], claims["ver"] = "oid-"+s.person.Subject, "2.0"
	case s.person.Tenant != "":
		claims["hd"] = s.person.Tenant
	}
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

func (p *Provider) halfHash(text string) string {
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
func (p *Provider) owner(w http.ResponseWriter, r *http.Request) (*signIn, Quirks, bool) {
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

func (p *Provider) tell(w http.ResponseWriter, quirks Quirks, claims map[string]any) {
	if quirks.UserInfo != nil {
		quirks.UserInfo(claims)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(claims)
}

func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request) {
	if s, quirks, ok := p.owner(w, r); ok {
		claims := s.person.profile(s.scopes)
		claims["sub"] = s.person.Subject
		p.tell(w, quirks, claims)
	}
}

// githubUser is api.github.com/user. The id is a number, and the profile shows no email
// address.
func (p *Provider) githubUser(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("User-Agent") == "" {
		http.Error(w, "Request forbidden by administrative rules.", http.StatusForbidden)
		return
	}
	if s, quirks, ok := p.owner(w, r); ok {
		p.tell(w, quirks, map[string]any{"id": json.Number(s.person.Subject), "login": s.person.Username,
			"name": s.person.Name, "email": nil, "avatar_url": "https://avatars.example/1"})
	}
}

func (p *Provider) githubEmails(w http.ResponseWriter, r *http.Request) {
	s, quirks, ok := p.owner(w, r)
	switch {
	case !ok:
		return
	case quirks.NoEmails || !slices.Contains(s.scopes, "user:email"):
		http.Error(w, `{"message":"Not Found"}`, http.StatusNotFound)
		return
	}
	emails := []map[string]any{{"email": "other@example.net", "primary": false, "verified": true}}
	if s.person.Email != "" {
		emails = append(emails, map[string]any{"email": s.person.Email, "primary": true,
			"verified": s.person.EmailVerified == true, "visibility": "private"})
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(emails)
}

// facebookMe is graph.facebook.com/me. Every call needs a proof made with the app's
// secret.
func (p *Provider) facebookMe(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	mac := hmac.New(sha256.New, []byte(p.ClientSecret.Reveal()))
	mac.Write([]byte(token))
	if r.URL.Query().Get("appsecret_proof") != hex.EncodeToString(mac.Sum(nil)) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"message": "API calls from the server require an appsecret_proof argument",
			"type":    "GraphMethodException", "code": 100}})
		return
	}
	if s, quirks, ok := p.owner(w, r); ok {
		me := map[string]any{"id": s.person.Subject, "name": s.person.Name}
		if s.person.Email != "" {
			me["email"] = s.person.Email
		}
		p.tell(w, quirks, me)
	}
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
		data = map[string]any{"is_valid": true, "type": "USER", "app_id": s.client, "user_id": s.person.Subject}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

// IssueToken returns an access token of a person for a client, like the one that an SDK
// in an app gets. If client is empty, it is the client of this Provider.
func (p *Provider) IssueToken(person Person, client string) string {
	if client == "" {
		client = p.ClientID
	}
	token := rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens["access "+token] = &signIn{person: person, client: client, kind: "facebook",
		scopes: []string{"public_profile", "email"}}
	return token
}

// microsoftMetadata is the metadata of a tenant. For "common" and "organizations", which
// stand for many tenants, the issuer is a template.
func (p *Provider) microsoftMetadata(w http.ResponseWriter, r *http.Request) {
	tenant := r.PathValue("tenant")
	issuer := tenant
	switch tenant {
	case "common", "organizations":
		issuer = "{tenantid}"
	case "consumers":
		issuer = "9188040d-6c67-4c5b-b112-36a304b66dad"
	}
	at := p.URL() + "/" + tenant
	p.answer(w, r, map[string]any{
		"issuer":                 p.URL() + "/" + issuer + "/v2.0",
		"authorization_endpoint": at + "/oauth2/v2.0/authorize",
		"token_endpoint":         at + "/oauth2/v2.0/token",
		"jwks_uri":               at + "/discovery/v2.0/keys",
		"userinfo_endpoint":      p.URL() + "/userinfo",
	})
}

// revoke revokes a token (RFC 7009).
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) {
	request, ok := p.client(r)
	if !ok {
		p.refuse(w, "oidc", http.StatusUnauthorized, "invalid_client")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tokens, "access "+request.Form.Get("token"))
	delete(p.tokens, "refresh "+request.Form.Get("token"))
	w.WriteHeader(http.StatusOK)
}

// logout is the end_session_endpoint. It sends the browser back.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if to := r.URL.Query().Get("post_logout_redirect_uri"); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	_, _ = w.Write([]byte("signed out"))
}
