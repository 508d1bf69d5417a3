package oauth2_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/oauth2"
)

func TestUnitResourceKeepsTheContractOfABackend(t *testing.T) {
	api, err := oauth2.New(oauth2.Config{Resource: resource, Sources: []oauth2.Source{tokens()}, LoadUser: load,
		AllowFormToken: true})
	if err != nil {
		t.Fatal(err)
	}
	bearer := func(token string) authtest.Request { return authtest.RequestWith("Authorization", "Bearer "+token) }
	form := func() *http.Request {
		r := httptest.NewRequest("POST", "/", strings.NewReader("access_token=good"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
	authtest.Backend(t, api, authtest.Cases{
		Good: []authtest.Good{
			{Request: bearer("good"), User: "alice", Scopes: []string{"read"}},
			{Request: bearer("noscope"), User: "alice", Limited: true},
			{Request: bearer("machine"), User: "client:web", Scopes: []string{"read"}},
			{Request: form, User: "alice", Scopes: []string{"read"}},
		},
		Absent:       []authtest.Request{authtest.RequestWith("Authorization", "Basic YTpi")},
		Invalid:      []authtest.Request{bearer("expired"), bearer("revoked"), bearer("gone"), bearer("other")},
		Malformed:    []authtest.Request{bearer("a b")},
		Unrecognized: []authtest.Request{bearer("unknown")},
		Outage:       []authtest.Request{bearer("outage"), bearer("down")},
	})
}
