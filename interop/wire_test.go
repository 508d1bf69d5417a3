package interop

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exchange is a request that both services are sent.
type exchange struct {
	says string
	// sent is the body: JSON, unless a line with its type is before it. For /me
	// it is the Authorization header. Names in braces stand for tokens: those of
	// minted, or else of a login at the service itself, as obtain makes them.
	sent string
}

const (
	form  = "application/x-www-form-urlencoded\n"
	parts = "multipart/form-data; boundary=x\n"
)

// wire is what is sent to each endpoint.
var wire = map[string][]exchange{
	"/api/token/": {
		{"a login", `{"username":"alice","password":"correct-horse-battery"}`},
		{"a login by form", form + `username=alice&password=correct-horse-battery`},
		{"a member more", `{"username":"alice","password":"correct-horse-battery","more":1}`},
		{"a wrong password", `{"username":"alice","password":"x"}`},
		{"an unknown user", `{"username":"nobody","password":"x"}`},
		{"an inactive user", `{"username":"inactive","password":"correct-horse-battery"}`},
		{"no password", `{"username":"alice"}`},
		{"no password by form", form + `username=alice`},
		{"no username", `{"password":"x"}`},
		{"no members", `{}`},
		{"no body", ``},
		{"blanks", `{"username":"","password":""}`},
		{"spaces", `{"username":" ","password":"  "}`},
		{"blanks by form", form + `username=alice&password=`},
		{"null", `{"username":null,"password":null}`},
		{"one null, one missing", `{"username":null}`},
		{"true and false", `{"username":true,"password":false}`},
		{"lists", `{"username":["alice"],"password":[]}`},
		{"objects", `{"username":{},"password":{}}`},
		{"numbers", `{"username":17,"password":1.5}`},
		{"NUL", `{"username":"a\u0000","password":"a\u0000"}`},
		{"half a surrogate", `{"username":"\ud800","password":"x"}`},
		{"a tab in the username", `{"username":"al\tice","password":"x"}`},
		{"a username of 300", `{"username":"` + strings.Repeat("a", 300) + `","password":"x"}`},
		{"a password of 5000", `{"username":"alice","password":"` + strings.Repeat("a", 5000) + `"}`},
		{"spaces around the username", `{"username":" alice ","password":"correct-horse-battery"}`},
		{"spaces around the password", `{"username":"alice","password":" correct-horse-battery "}`},
		{"a member twice", `{"username":"x","username":"alice","password":"correct-horse-battery"}`},
		{"a field twice", form + `username=x&username=alice&password=correct-horse-battery`},
		{"half a JSON", `{"username":`},
		{"a JSON list", `["alice"]`},
		{"a JSON string", `"alice"`},
		{"a JSON null", `null`},
		{"plain text", "text/plain\nusername=alice"},
		{"a form of parts",
			parts + "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n--x--\r\n"},
	},
	"/api/token/refresh/": {
		{"a refresh token", `{"refresh":"{refresh}"}`},
		{"one of Django's", `{"refresh":"{django refresh}"}`},
		{"a refresh token by form", form + `refresh={refresh}`},
		{"one with spaces around it", `{"refresh":" {refresh} "}`},
		{"no member", `{}`},
		{"no body", ``},
		{"blank", `{"refresh":""}`},
		{"spaces", `{"refresh":"  "}`},
		{"null", `{"refresh":null}`},
		{"a list", `{"refresh":[]}`},
		{"a number", `{"refresh":17}`},
		{"NUL", `{"refresh":"a\u0000"}`},
		{"a JSON list", `["x"]`},
		{"garbage", `{"refresh":"garbage"}`},
		{"garbage in three parts", `{"refresh":"a.b.c"}`},
		{"garbage of 9,000 bytes", `{"refresh":"` + strings.Repeat("a", 9000) + `"}`},
		{"a body of 20,000 bytes", `{"refresh":"` + strings.Repeat("a", 20000) + `"}`},
		{"one with another signature", `{"refresh":"{refresh}AAAA"}`},
		{"an access token", `{"refresh":"{access}"}`},
		{"a sliding token", `{"refresh":"{sliding}"}`},
		{"one that expired", `{"refresh":"{expired refresh}"}`},
		{"one that was used", `{"refresh":"{used refresh}"}`},
		{"the successor of one that was used twice", `{"refresh":"{successor}"}`},
		{"one that was blacklisted", `{"refresh":"{ended refresh}"}`},
		{"one without jti", `{"refresh":"{refresh without jti}"}`},
		{"one without type", `{"refresh":"{refresh without type}"}`},
		{"one without exp", `{"refresh":"{refresh without exp}"}`},
		{"one without user", `{"refresh":"{refresh without user}"}`},
		{"one of nobody", `{"refresh":"{refresh of nobody}"}`},
		{"one of an inactive user", `{"refresh":"{refresh of inactive}"}`},
	},
	"/api/token/verify/": {
		{"an access token", `{"token":"{access}"}`},
		{"a refresh token", `{"token":"{refresh}"}`},
		{"a sliding token", `{"token":"{sliding}"}`},
		{"an access token of Django's", `{"token":"{django access}"}`},
		{"a refresh token of Django's", `{"token":"{django refresh}"}`},
		{"a sliding token of Django's", `{"token":"{django sliding}"}`},
		{"no member", `{}`},
		{"blank", `{"token":""}`},
		{"null", `{"token":null}`},
		{"garbage", `{"token":"garbage"}`},
		{"one that expired", `{"token":"{expired access}"}`},
		{"one that is not good yet", `{"token":"{early access}"}`},
		{"one that was used", `{"token":"{used refresh}"}`},
		{"one that was blacklisted", `{"token":"{ended refresh}"}`},
		{"one without jti", `{"token":"{access without jti}"}`},
		{"one without type", `{"token":"{access without type}"}`},
		{"one without exp", `{"token":"{access without exp}"}`},
		{"one without user", `{"token":"{access without user}"}`},
		{"one of nobody", `{"token":"{access of nobody}"}`},
		{"one of an inactive user", `{"token":"{access of inactive}"}`},
	},
	"/api/token/blacklist/": {
		{"a refresh token", `{"refresh":"{refresh}"}`},
		{"one of Django's", `{"refresh":"{django refresh}"}`},
		{"no member", `{}`},
		{"blank", `{"refresh":""}`},
		{"null", `{"refresh":null}`},
		{"garbage", `{"refresh":"garbage"}`},
		{"an access token", `{"refresh":"{access}"}`},
		{"a sliding token", `{"refresh":"{sliding}"}`},
		{"one that expired", `{"refresh":"{expired refresh}"}`},
		{"one that was used", `{"refresh":"{used refresh}"}`},
		{"one that was blacklisted", `{"refresh":"{ended refresh}"}`},
		{"one without jti", `{"refresh":"{refresh without jti}"}`},
		{"one of nobody", `{"refresh":"{refresh of nobody}"}`},
		{"one of an inactive user", `{"refresh":"{refresh of inactive}"}`},
	},
	"/api/token/sliding/": {
		{"a login", `{"username":"alice","password":"correct-horse-battery"}`},
		{"a wrong password", `{"username":"alice","password":"x"}`},
		{"an inactive user", `{"username":"inactive","password":"correct-horse-battery"}`},
		{"no members", `{}`},
	},
	"/api/token/sliding/refresh/": {
		{"a sliding token", `{"token":"{sliding}"}`},
		{"one of Django's", `{"token":"{django sliding}"}`},
		{"no member", `{}`},
		{"blank", `{"token":""}`},
		{"garbage", `{"token":"garbage"}`},
		{"an access token", `{"token":"{access}"}`},
		{"a refresh token", `{"token":"{refresh}"}`},
		{"one that expired", `{"token":"{expired sliding}"}`},
		{"one that was used", `{"token":"{used sliding}"}`},
	},
	"/me": {
		{"an access token", `Bearer {access}`},
		{"one of Django's", `Bearer {django access}`},
		{"no header", ``},
		{"spaces for a header", ` `},
		{"no token", `Bearer`},
		{"two tokens", `Bearer a b`},
		{"another case of the scheme", `bearer {access}`},
		{"another scheme", `Token {access}`},
		{"garbage", `Bearer garbage`},
		{"a refresh token", `Bearer {refresh}`},
		{"a sliding token", `Bearer {sliding}`},
		{"one that expired", `Bearer {expired access}`},
		{"one that is not good yet", `Bearer {early access}`},
		{"one of tomorrow", `Bearer {future access}`},
		{"one of a login that was blacklisted", `Bearer {ended access}`},
		{"one without jti", `Bearer {access without jti}`},
		{"one without type", `Bearer {access without type}`},
		{"one without exp", `Bearer {access without exp}`},
		{"one without user", `Bearer {access without user}`},
		{"one of nobody", `Bearer {access of nobody}`},
		{"one of an inactive user", `Bearer {access of inactive}`},
		{"one with an issuer", `Bearer {access of other}`},
		{"one with an audience", `Bearer {access for other}`},
	},
}

// difference is what is not equal, status or members, and why.
type difference struct{ what, why string }

// documented are the differences that docs/jwt.md has under "What is different,
// on purpose".
var documented = map[string]difference{
	"/api/token/refresh/ the successor of one that was used twice": {"200, here 401",
		"the login ends when a token is replayed"},
	"/api/token/verify/ one that was used": {"400, here 401",
		"verify/ refuses what was used; Django does by this setting, as a fault of the form"},
	"/api/token/verify/ one that was blacklisted": {"400, here 401",
		"verify/ refuses what was blacklisted; Django does by this setting, as a fault of the form"},
	"/api/token/sliding/refresh/ one that was used": {"200, here 401", "a refreshed sliding token ends"},
	"/me one of a login that was blacklisted": {"200, here 401",
		"blacklisting ends the access tokens"},
	"/me another case of the scheme": {"401, here 200",
		"the scheme is of any case (RFC 9110 §11.1)"},
	"/me no token":   {"401, here 400", "a malformed header is 400"},
	"/me two tokens": {"401, here 400", "a malformed header is 400"},
}

// undocumented are the others.
var undocumented = map[string]difference{
	// What is read is less.
	"/api/token/ numbers": {"401, here 400", "a number is no string here; REST framework " +
		"turns it into one"},
	"/api/token/refresh/ a number": {"401, here 400", "a number is no string here; REST framework " +
		"turns it into one"},
	"/api/token/ spaces around the username": {"200, here 401", "REST framework trims; password.Authenticator " +
		"takes what was sent"},
	"/api/token/ spaces around the password": {"200, here 401", "REST framework trims; password.Authenticator " +
		"takes what was sent"},
	"/api/token/ a tab in the username": {"401, here 400", "password.Authenticator looks for no such name"},
	"/api/token/ a username of 300":     {"401, here 400", "password.Authenticator looks for no such name"},
	"/api/token/ a password of 5000":    {"401, here 400", "password.Authenticator hashes no such password"},
	"/api/token/ a member twice": {"200, here 400", "which one is meant, nobody knows; Django takes " +
		"the last"},
	"/api/token/ a field twice": {"200, here 400", "which one is meant, nobody knows; Django takes " +
		"the last"},
	"/api/token/refresh/ garbage of 9,000 bytes": {"401, here 400", "tokens of more than 8 KiB are not looked at"},
	"/api/token/refresh/ a body of 20,000 bytes": {"401, here 413", "bodies of more than 16 KiB are not read"},

	// Other words.
	"/api/token/ half a JSON":              {"detail", "Django's is its parser's"},
	"/me another scheme":                   {"detail", "ours says that the scheme is at fault"},
	"/api/token/ plain text":               {"detail", "ours says what would be read"},
	"/api/token/ NUL":                      {"password, username", "no text, for us"},
	"/api/token/refresh/ NUL":              {"refresh", "no text, for us"},
	"/api/token/ half a surrogate":         {"username", "no text, for us"},
	"/api/token/ a JSON list":              {"non_field_errors", "what is no object cannot be parsed, for us"},
	"/api/token/ a JSON string":            {"non_field_errors", "what is no object cannot be parsed, for us"},
	"/api/token/ a JSON null":              {"non_field_errors", "what is no object cannot be parsed, for us"},
	"/api/token/refresh/ a JSON list":      {"non_field_errors", "what is no object cannot be parsed, for us"},
	"/api/token/refresh/ one without type": {"detail", "no type is a wrong one"},
	"/api/token/refresh/ one without exp":  {"detail", "invalid, as without other claims that must be there"},
	"/api/token/verify/ one without exp":   {"detail", "invalid, as without other claims that must be there"},
	"/me one without type":                 {"messages", "no type is a wrong one"},
	"/me one without exp":                  {"messages", "invalid, as without other claims that must be there"},

	// Which tokens are good.
	"/api/token/refresh/ one without user": {"200, here 401", "Django's view refreshes what its other views refuse"},
	"/api/token/verify/ one without user":  {"200, here 401", "nothing here would take it"},
	"/api/token/verify/ one without type":  {"200, here 401", "nothing here would take it"},
	"/me one with an issuer": {"200, here 401", "of an issuer that is not ours; Django looks at none " +
		"unless told to"},
	"/me one with an audience": {"200, here 401", "for somebody else (RFC 7519 §4.1.3); Django looks at " +
		"none unless told to"},
	"/me a sliding token":                   {"401, here 200", "AUTH_TOKEN_CLASSES has both kinds here"},
	"/api/token/blacklist/ a sliding token": {"401, here 200", "a login with a sliding token can be ended, too"},
	"/api/token/refresh/ one without jti":   {"500, here 401", "simplejwt with its blacklist fails"},
	"/api/token/blacklist/ one without jti": {"500, here 401", "simplejwt with its blacklist fails"},
	"/api/token/refresh/ one of nobody":     {"500, here 401", "simplejwt fails for users who are gone"},
}

// minted are tokens that Django makes; each service is sent one of its own.
var minted = map[string]spec{
	"django access":        {Kind: "access"},
	"django refresh":       {Kind: "refresh"},
	"django sliding":       {Kind: "sliding"},
	"expired access":       {Kind: "access", Set: map[string]any{"exp": 1 << 30}},
	"expired refresh":      {Kind: "refresh", Set: map[string]any{"exp": 1 << 30}},
	"expired sliding":      {Kind: "sliding", Set: map[string]any{"exp": 1 << 30}},
	"early access":         {Kind: "access", Set: map[string]any{"nbf": 1 << 33}},
	"future access":        {Kind: "access", Set: map[string]any{"iat": 1 << 33, "exp": 1 << 34}},
	"access without jti":   {Kind: "access", Drop: []string{"jti"}},
	"refresh without jti":  {Kind: "refresh", Drop: []string{"jti"}},
	"access without type":  {Kind: "access", Drop: []string{"token_type"}},
	"refresh without type": {Kind: "refresh", Drop: []string{"token_type"}},
	"access without exp":   {Kind: "access", Drop: []string{"exp"}},
	"refresh without exp":  {Kind: "refresh", Drop: []string{"exp"}},
	"access without user":  {Kind: "access", Drop: []string{"user_id"}},
	"refresh without user": {Kind: "refresh", Drop: []string{"user_id"}},
	"access of nobody":     {Kind: "access", Set: map[string]any{"user_id": "99"}},
	"refresh of nobody":    {Kind: "refresh", Set: map[string]any{"user_id": "99"}},
	"access of inactive":   {Kind: "access", User: "inactive"},
	"refresh of inactive":  {Kind: "refresh", User: "inactive"},
	"access of other":      {Kind: "access", Set: map[string]any{"iss": "other"}},
	"access for other":     {Kind: "access", Set: map[string]any{"aud": "other"}},
}

// obtain makes a token of a login at a service.
func obtain(t *testing.T, service, name string) string {
	t.Helper()
	url := service + "/api/token/"
	if strings.HasSuffix(name, "sliding") {
		token := ask(t, url+"sliding/", credentials, "token")
		if name == "used sliding" {
			ask(t, url+"sliding/refresh/", map[string]any{"token": token}, "token")
		}
		return token
	}
	access, refresh := logIn(t, service)
	used := map[string]any{"refresh": refresh}
	switch name {
	case "access":
		return access
	case "refresh":
	case "used refresh":
		ask(t, url+"refresh/", used, "refresh")
	case "successor":
		next := ask(t, url+"refresh/", used, "refresh")
		post(t, url+"refresh/", "refresh", refresh)
		return next
	case "ended access":
		ask(t, url+"blacklist/", used, "")
		return access
	case "ended refresh":
		ask(t, url+"blacklist/", used, "")
	default:
		t.Fatalf("there is no token {%s}", name)
	}
	return refresh
}

var placeholder = regexp.MustCompile(`\{[a-z ]+\}`)

// exchange sends a request to a service.
func (p *pair) exchange(t *testing.T, service, endpoint, sent string) response {
	t.Helper()
	sent = placeholder.ReplaceAllStringFunc(sent, func(name string) string {
		name = strings.Trim(name, "{}")
		if s, ok := minted[name]; ok {
			return p.mint(t, s)
		}
		return obtain(t, service, name)
	})
	switch {
	case endpoint == "/me" && sent == "":
		return send(t, "GET", service+endpoint, "")
	case endpoint == "/me":
		return send(t, "GET", service+endpoint, "", "Authorization", sent)
	}
	kind, body, ok := strings.Cut(sent, "\n")
	if !ok {
		kind, body = "application/json", sent
	}
	return send(t, "POST", service+endpoint, body, "Content-Type", kind)
}

// compare says what differs: the status, or else members, by name. Bodies of
// ours are problems (RFC 9457) with "detail" and "code", which Django does not
// always send. Of answers that are good the members need the same names.
func compare(theirs, ours response) string {
	if theirs.status != ours.status {
		return fmt.Sprintf("%d, here %d", theirs.status, ours.status)
	}
	more := []string{"type", "title", "status", "detail", "code"}
	var differ []string
	for name, value := range theirs.body {
		if have, ok := ours.body[name]; !ok || theirs.status != 200 && !reflect.DeepEqual(have, value) {
			differ = append(differ, name)
		}
	}
	for name := range ours.body {
		if _, ok := theirs.body[name]; !ok && (ours.status == 200 || !slices.Contains(more, name)) {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	return strings.Join(differ, ", ")
}

func TestAnswersAreThoseOfSimpleJWT(t *testing.T) {
	p := beside(t)
	expected := maps.Clone(documented)
	maps.Copy(expected, undocumented)
	for _, endpoint := range slices.Sorted(maps.Keys(wire)) {
		for _, e := range wire[endpoint] {
			name := endpoint + " " + e.says
			theirs, ours := p.exchange(t, p.theirs, endpoint, e.sent), p.exchange(t, p.ours, endpoint, e.sent)
			if got, want := compare(theirs, ours), expected[name]; got != want.what {
				t.Errorf("%s: the difference is %q, not %q\nDjango: %d %.300s\nhere: %d %s",
					name, got, want.what, theirs.status, theirs.text, ours.status, ours.text)
			}
			delete(expected, name)
		}
		if endpoint == "/me" {
			continue
		}
		name := endpoint + " GET"
		theirs, ours := send(t, "GET", p.theirs+endpoint, ""), send(t, "GET", p.ours+endpoint, "")
		if got := compare(theirs, ours); got != "" || ours.status != 405 {
			t.Errorf("%s: %d, and differs in %q", name, ours.status, got)
		}
	}
	for name, d := range expected {
		t.Errorf("%s: nothing is sent that differs in %q", name, d.what)
	}
}

// A row with a name that another has would hide what that one finds.
func TestExchangesHaveNamesOfTheirOwn(t *testing.T) {
	for endpoint, all := range wire {
		seen := map[string]bool{}
		for _, e := range all {
			if seen[e.says] {
				t.Errorf("%s %s: twice", endpoint, e.says)
			}
			seen[e.says] = true
		}
	}
	for name := range documented {
		if _, ok := undocumented[name]; ok {
			t.Errorf("%s: documented, and not", name)
		}
	}
}
