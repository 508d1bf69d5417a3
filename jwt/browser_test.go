package jwt_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

// refreshCookie returns the cookie that an answer sets.
func refreshCookie(t *testing.T, answer response) *http.Cookie {
	t.Helper()
	r := http.Response{Header: answer.header}
	cookies := r.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies: %v", len(cookies), answer.header)
	}
	return cookies[0]
}

func TestABrowsersRefreshTokenIsWhereNoScriptReadsIt(t *testing.T) {
	s := newService(t, nil)
	answer := s.post("/browser/", "username", "alice", "password", "alicealice")
	s.want("login", answer, 200, "")
	cookie := refreshCookie(t, answer)
	if cookie.Name != "__Host-refresh" || !cookie.HttpOnly || !cookie.Secure ||
		cookie.SameSite != http.SameSiteStrictMode ||
		cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge < 86300 || cookie.MaxAge > 86400 {
		t.Errorf("%+v", cookie)
	}
	if answer.member("refresh") != "" || strings.Contains(answer.text, cookie.Value) || len(answer.body) != 1 {
		t.Error(answer.text)
	}
	s.want("the access token", s.me(answer.member("access")), 200, "")

	header := []string{"Cookie", cookie.Name + "=" + cookie.Value}
	refreshed := s.do("POST", "/browser/refresh/", "", header...)
	s.want("refresh", refreshed, 200, "")
	next := refreshCookie(t, refreshed)
	if next.Value == cookie.Value || refreshed.member("refresh") != "" {
		t.Error("not replaced")
	}
	s.want("the new access token", s.me(refreshed.member("access")), 200, "")

	replay := s.do("POST", "/browser/refresh/", "", header...)
	s.want("a replay", replay, 401, "Token is blacklisted")
	if gone := refreshCookie(t, replay); gone.MaxAge >= 0 || gone.Value != "" {
		t.Errorf("the cookie stays: %+v", gone)
	}
	s.want("the login", s.me(refreshed.member("access")), 401, "")
	s.want("no cookie", s.do("POST", "/browser/refresh/", ""), 401, "There is no refresh token.")
	s.want("a body instead", s.post("/browser/refresh/", "refresh", next.Value), 401, "There is no refresh token.")
	s.want("two of the name", s.do("POST", "/browser/refresh/", "", "Cookie", header[1]+"; "+header[1]), 401,
		"There is no refresh token.")
}

func TestAPageOfAnotherOriginCannotUseTheCookie(t *testing.T) {
	s := newService(t, nil)
	cookie := refreshCookie(t, s.post("/browser/", "username", "alice", "password", "alicealice"))
	for _, path := range []string{"/browser/refresh/", "/browser/blacklist/", "/browser/", "/api/token/"} {
		for _, from := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
			{"Origin", "https://evil.example"}} {
			answer := s.do("POST", path, `{"username":"alice","password":"alicealice"}`,
				append(from, "Cookie", cookie.Name+"="+cookie.Value)...)
			s.want(path, answer, 403, "Cross-origin request refused.")
			if answer.header.Get("Set-Cookie") != "" {
				t.Error(answer.header)
			}
		}
	}
	s.want("its own page", s.do("POST", "/browser/refresh/", "", "Sec-Fetch-Site", "same-origin", "Cookie",
		cookie.Name+"="+cookie.Value), 200, "")
}

func TestABrowserLogsOutWhateverItsCookieIsWorth(t *testing.T) {
	s := newService(t, nil)
	login := s.post("/browser/", "username", "alice", "password", "alicealice")
	cookie := refreshCookie(t, login)
	for _, sentence := range []string{"a good one", "an ended one"} {
		answer := s.do("POST", "/browser/blacklist/", "", "Cookie", cookie.Name+"="+cookie.Value)
		s.want(sentence, answer, 200, "")
		if gone := refreshCookie(t, answer); gone.MaxAge >= 0 {
			t.Errorf("%s: %+v", sentence, gone)
		}
		s.want("the access token", s.me(login.member("access")), 401, "")
	}
	if got := s.events.count(auth.EventLogout); got != 1 {
		t.Errorf("%d logouts", got)
	}
	login = s.post("/browser/", "username", "alice", "password", "alicealice")
	everywhere := s.do("POST", "/browser/logoutall/", "", "Authorization", "Bearer "+login.member("access"))
	s.want("everywhere", everywhere, 204, "")
	if gone := refreshCookie(t, everywhere); gone.MaxAge >= 0 {
		t.Errorf("%+v", gone)
	}
}

func TestAnInsecureCookieHasAPlainName(t *testing.T) {
	s := newService(t, func(c *jwt.Config) { c.Cookie.Insecure, c.Cookie.Name = true, "r-8000" })
	cookie := refreshCookie(t, s.post("/browser/", "username", "alice", "password", "alicealice"))
	if cookie.Name != "r-8000" || cookie.Secure || !cookie.HttpOnly {
		t.Errorf("%+v", cookie)
	}
	s.want("refresh", s.do("POST", "/browser/refresh/", "", "Cookie", "r-8000="+cookie.Value), 200, "")
}

func TestABrowserIsGivenNoSlidingToken(t *testing.T) {
	s := newService(t, nil)
	s.want("sliding", s.post("/browser/sliding/", "username", "alice", "password", "alicealice"), 404, "")
	s.want("sliding refresh", s.post("/browser/sliding/refresh/", "token", "x"), 404, "")
}

func TestABrowserWithTwoCookiesOfTheNameIsLoggedOutOfBoth(t *testing.T) {
	s := newService(t, nil)
	one := s.post("/browser/", "username", "alice", "password", "alicealice")
	two := s.post("/browser/", "username", "bob", "password", "bobbob")
	a, b := refreshCookie(t, one), refreshCookie(t, two)
	answer := s.do("POST", "/browser/blacklist/", "", "Cookie", a.Name+"="+a.Value+"; "+b.Name+"="+b.Value)
	s.want("logout", answer, 200, "")
	if gone := refreshCookie(t, answer); gone.MaxAge >= 0 {
		t.Errorf("%+v", gone)
	}
	s.want("the one", s.me(one.member("access")), 401, "")
	s.want("the other", s.me(two.member("access")), 401, "")

	answer = s.do("POST", "/browser/blacklist/", "", "Cookie", a.Name+"="+strings.Repeat("x", 9000))
	s.want("one that is too long", answer, 200, "")
	if gone := refreshCookie(t, answer); gone.MaxAge >= 0 {
		t.Errorf("%+v", gone)
	}
	s.want("none", s.do("POST", "/browser/blacklist/", ""), 401, "There is no refresh token.")
}
