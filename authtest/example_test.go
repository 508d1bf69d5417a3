package authtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

// The application under test: its guard, and a handler behind it.
var guard = func() *auth.Guard {
	guard, err := auth.New(auth.Config{
		Backends: []auth.Authenticator{auth.AuthenticatorFunc(func(*http.Request) (auth.User, auth.Credential, error) {
			return nil, nil, auth.ErrNoCredentials
		})},
		Challenges: []auth.Challenge{{Scheme: "Bearer"}},
	})
	if err != nil {
		panic(err)
	}
	return guard
}()

func ExampleWithIdentity() {
	reports := guard.Require(
		auth.Scopes("reports:read"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := auth.UserFrom[auth.User](r.Context())
		_, _ = fmt.Fprint(w, "reports of ", user.UserID())
	}))

	for _, scope := range []string{"reports:read", "reports:write"} {
		r := httptest.NewRequest("GET", "/reports", nil)
		r = authtest.WithIdentity(r, authtest.User("alice"), authtest.Credential{Scope: []string{scope}})
		w := httptest.NewRecorder()
		reports.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Code == 200 && w.Body.String() == "reports of alice")
	}
	// Output:
	// 200 true
	// 403 false
}

func ExampleParseChallenges() {
	h := http.Header{}
	h.Add("WWW-Authenticate", `Bearer realm="api", error="invalid_token", Basic realm="api"`)
	challenges, err := authtest.ParseChallenges(h)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range challenges {
		fmt.Println(c.Scheme, c.Params)
	}
	// Output:
	// Bearer [{realm api} {error invalid_token}]
	// Basic [{realm api}]
}
