package auth_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
)

func TestPolicies(t *testing.T) {
	type C = authtest.Credential
	var (
		unlimited = C{}
		none      = C{Limited: true}
		read      = C{Scope: []string{"read"}}
		both      = C{Scope: []string{"read", "write"}}
		loginAt   = func(ago time.Duration, acr string) C {
			return C{Auth: auth.AuthInfo{AuthTime: time.Now().Add(-ago), ACR: acr}}
		}
		machine   = auth.Machine{ID: "cron"}
		undecided = func(*http.Request, auth.User, auth.Credential) error { return errors.New("policy store is down") }
		yes       = func(*http.Request, auth.User, auth.Credential) error { return nil }
		no        = func(*http.Request, auth.User, auth.Credential) error { return auth.ErrInsufficient }
		isAlice   = auth.UserIs(func(u user) bool { return u == "alice" })
	)
	for name, row := range map[string]struct {
		policy     auth.Policy
		user       auth.User // nil is alice
		credential auth.Credential
		method     string
		status     int
	}{
		"Scopes, all there":                       {auth.Scopes("read", "write"), nil, both, "GET", 200},
		"Scopes, one missing":                     {auth.Scopes("read", "write"), nil, read, "GET", 403},
		"Scopes, limited to nothing":              {auth.Scopes("read"), nil, none, "GET", 403},
		"Scopes refuses unlimited":                {auth.Scopes("read"), nil, unlimited, "GET", 403},
		"Scopes of nothing refuses unlimited":     {auth.Scopes(), nil, unlimited, "GET", 403},
		"Scopes of nothing refuses limited":       {auth.Scopes(), nil, none, "GET", 403},
		"FullAccessOr nothing refuses limited":    {auth.FullAccessOr(), nil, none, "GET", 403},
		"FullAccessOr nothing admits full access": {auth.FullAccessOr(), nil, unlimited, "GET", 200},
		"Scopes, no credential":                   {auth.Scopes("read"), nil, nil, "GET", 403},
		"Scopes, a credential without scopes":     {auth.Scopes("read"), nil, cred{}, "GET", 403},
		"Scopes are compared with case":           {auth.Scopes("Read"), nil, read, "GET", 403},
		"AnyScope, one there":                     {auth.AnyScope("admin", "read"), nil, read, "GET", 200},
		"AnyScope, none there":                    {auth.AnyScope("admin", "write"), nil, read, "GET", 403},
		"AnyScope refuses unlimited":              {auth.AnyScope("read"), nil, unlimited, "GET", 403},
		"AnyScope of nothing refuses":             {auth.AnyScope(), nil, both, "GET", 403},
		"FullAccess admits unlimited":             {auth.FullAccess, nil, unlimited, "GET", 200},
		"FullAccess refuses limited":              {auth.FullAccess, nil, both, "GET", 403},
		"Unlimited, limited to nothing":           {auth.FullAccess, nil, none, "GET", 403},
		"Unlimited, no credential":                {auth.FullAccess, nil, nil, "GET", 200},
		"first party or scope: unlimited": {auth.Any(auth.FullAccess, auth.Scopes("write")), nil, unlimited,
			"GET", 200},
		"first party or scope: scope": {auth.Any(auth.FullAccess, auth.Scopes("write")), nil, both,
			"GET", 200},
		"first party or scope: neither": {auth.Any(auth.FullAccess, auth.Scopes("write")), nil, read,
			"GET", 403},
		"Any of nothing refuses":                     {auth.Any(), nil, unlimited, "GET", 403},
		"Any, the last agrees":                       {auth.Any(no, no, yes), nil, nil, "GET", 200},
		"Any, undecided before one that would agree": {auth.Any(no, undecided, yes), nil, nil, "GET", 503},
		"Any, agreed before undecided":               {auth.Any(yes, undecided), nil, nil, "GET", 200},
		"All of nothing agrees":                      {auth.All(), nil, nil, "GET", 200},
		"All, each agrees":                           {auth.All(yes, isAlice), nil, nil, "GET", 200},
		"All, one refuses":                           {auth.All(yes, no, undecided), nil, nil, "GET", 403},
		"All, one undecided":                         {auth.All(yes, undecided, no), nil, nil, "GET", 503},
		"an undecided policy":                        {undecided, nil, nil, "GET", 503},
		"ReadOnlyOr, GET":                            {auth.ReadOnlyOr(no), nil, nil, "GET", 200},
		"ReadOnlyOr, HEAD":                           {auth.ReadOnlyOr(no), nil, nil, "HEAD", 200},
		"ReadOnlyOr, OPTIONS":                        {auth.ReadOnlyOr(no), nil, nil, "OPTIONS", 200},
		"ReadOnlyOr, TRACE":                          {auth.ReadOnlyOr(no), nil, nil, "TRACE", 200},
		"ReadOnlyOr, POST":                           {auth.ReadOnlyOr(no), nil, nil, "POST", 403},
		"ReadOnlyOr, an unknown method":              {auth.ReadOnlyOr(no), nil, nil, "BREW", 403},
		"ReadOnlyOr, a method in lower case":         {auth.ReadOnlyOr(no), nil, nil, "get", 403},
		"ReadOnlyOr, POST agreed":                    {auth.ReadOnlyOr(isAlice), nil, nil, "POST", 200},
		"UserIs, so it is":                           {isAlice, nil, nil, "GET", 200},
		"UserIs, another":                            {isAlice, user("bob"), nil, "GET", 403},
		"UserIs, another type":                       {isAlice, authtest.User("alice"), nil, "GET", 403},
		"Fresh, just logged in": {auth.Fresh(time.Minute), nil, loginAt(time.Second, ""),
			"GET", 200},
		"Fresh, too long ago": {auth.Fresh(time.Minute), nil, loginAt(time.Hour, ""),
			"GET", 401},
		"Fresh, no time known":              {auth.Fresh(time.Minute), nil, C{}, "GET", 401},
		"Fresh, a credential without login": {auth.Fresh(time.Minute), nil, cred{}, "GET", 401},
		"Fresh, no credential":              {auth.Fresh(time.Minute), nil, nil, "GET", 401},
		"Fresh, right context": {auth.Fresh(0, "mfa", "hw"), nil, loginAt(time.Hour, "hw"),
			"GET", 200},
		"Fresh, wrong context": {auth.Fresh(time.Minute, "mfa"), nil, loginAt(0, "pwd"),
			"GET", 401},
		"Fresh, right context but old": {auth.Fresh(time.Minute, "mfa"), nil, loginAt(time.Hour, "mfa"),
			"GET", 401},
		"a machine is refused by default": {yes, machine, unlimited, "GET", 403},
		"a pointer to a machine as well":  {yes, &machine, unlimited, "GET", 403},
		"AllowMachines admits it":         {auth.AllowMachines, machine, unlimited, "GET", 200},
		"AllowMachines admits users":      {auth.AllowMachines, nil, unlimited, "GET", 200},
		"AllowMachines in All": {auth.All(auth.AllowMachines, auth.Scopes("read")), machine,
			read, "GET", 200},
		"AllowMachines in All, but not the scope": {auth.All(auth.AllowMachines, auth.Scopes("write")), machine,
			read, "GET", 403},
		"machines of a scope, or alice: machine": {
			auth.Any(isAlice, auth.All(auth.AllowMachines, auth.Scopes("read"))), machine, read, "GET", 200},
		"machines of a scope, or alice: other scope": {
			auth.Any(isAlice, auth.All(auth.AllowMachines, auth.Scopes("write"))), machine, read, "GET", 403},
		"machines of a scope, or alice: alice": {auth.Any(auth.All(auth.AllowMachines, auth.Scopes("write")),
			isAlice), nil, unlimited, "GET", 200},
		"machines of a scope, or alice: bob": {auth.Any(auth.All(auth.AllowMachines, auth.Scopes("write")),
			isAlice), user("bob"), unlimited, "GET", 403},
		"another branch agrees, none allows machines": {auth.Any(auth.Scopes("read"), no), machine, read, "GET", 403},
		"another branch agrees, a later one allows": {auth.Any(auth.Scopes("read"), auth.AllowMachines), machine,
			read, "GET", 200},
		"AllowMachines under ReadOnlyOr": {auth.ReadOnlyOr(auth.AllowMachines), machine, read,
			"POST", 200},
	} {
		t.Run(name, func(t *testing.T) {
			who := row.user
			if who == nil {
				who = user("alice")
			}
			g := guardOf(t, speaking("Token", auth.ErrNoCredentials))
			w := do(g.Require(row.policy)(whoami), authtest.WithIdentity(request(row.method, "/"), who, row.credential))
			wantStatus(t, w, row.status)
			// The same through a backend, and on a route where it is optional.
			b := speaking("Token", nil)
			b.answer = func(*http.Request) (auth.User, auth.Credential, error) { return who, row.credential, nil }
			wantStatus(t, do(guardOf(t, b).Optional(row.policy)(whoami), request(row.method, "/")), row.status)
		})
	}
}

func TestAPolicyCannotMakeARequestAnonymous(t *testing.T) {
	g := guardOf(t, speaking("Token", nil))
	absent := func(*http.Request, auth.User, auth.Credential) error { return auth.ErrNoCredentials }
	wantStatus(t, get(g.Optional(absent)(whoami)), 401)
}

func TestPoliciesAreThoseGivenToRequire(t *testing.T) {
	no := func(*http.Request, auth.User, auth.Credential) error { return auth.ErrInsufficient }
	yes := func(*http.Request, auth.User, auth.Credential) error { return nil }
	policies := []auth.Policy{no}
	h := guardOf(t, speaking("Token", nil)).Require(policies...)(whoami)
	policies[0] = yes
	wantStatus(t, get(h), 403)
}

func TestAMachineIsNeverAUser(t *testing.T) {
	if id := (auth.Machine{ID: "7"}).UserID(); id != "client:7" {
		t.Error(id)
	}
}
