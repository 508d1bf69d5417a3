package storetest

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthPermissions checks that scopes stay with the resource that they were agreed to for.
func oauthPermissions(t *testing.T, open openFunc[oauthStore]) {
	for name, row := range map[string]struct {
		asked server.Permissions
		want  bool
	}{
		"each of them":                    {oauthAgreed, true},
		"read at the first API":           {oauthAt(oauthAPI, "read"), true},
		"the first API without scopes":    {oauthAt(oauthAPI), true},
		"write at the first API":          {oauthAt(oauthAPI, "write"), false},
		"read at the other API":           {oauthAt(oauthOtherAPI, "read"), false},
		"read and write at the first API": {oauthAt(oauthAPI, "read", "write"), false},
		"openid":                          {oauthAt("", "openid"), true},
		"openid at the first API":         {oauthAt(oauthAPI, "openid"), false},
		"read without an API":             {oauthAt("", "read"), false},
		"an API that was not agreed to":   {oauthAt("https://third.example/"), false},
		"read at the first API and at a third one": {oauthAt(oauthAPI, "read").Add(oauthAt("https://third.example/")),
			false},
	} {
		sentence := "agreed to read at one API and to write at another one, a grant rests on it: " + name
		check(t, open, sentence, func(t *testing.T, open openFunc[oauthStore]) {
			oauthRestsOn(t, open, row.asked, row.want)
		})
	}
	check(t, open, "a grant of several APIs is found with the scopes of each", oauthSeveralAPIs)
}

func oauthSeveralAPIs(t *testing.T, open openFunc[oauthStore]) {
	s := open(t)
	want := s.start("alice", "1", func(g *server.Grant) { g.Permissions = oauthAgreed })
	_, byRefresh, err := s.FindRefresh(s.Context(), "1 refresh")
	if err != nil || !sameRecord(byRefresh, want) {
		t.Errorf("got %+v, %v, want %+v", byRefresh, err, want)
	}
	_, byAccess, err := s.FindAccess(s.Context(), "1 access")
	if err != nil || !sameRecord(byAccess, want) {
		t.Errorf("got %+v, %v, want %+v", byAccess, err, want)
	}
}

// oauthAt is to have these scopes at a resource.
func oauthAt(resource string, scopes ...string) server.Permissions {
	return server.Permissions{{Resource: resource, Scopes: scopes}}
}

// oauthAgreed is what alice agrees to.
var oauthAgreed = oauthAt(oauthAPI, "read").Add(oauthAt(oauthOtherAPI, "write")).Add(oauthAt("", "openid", "email"))

// agree agrees to each of the pairs by an answer of its own.
func (s oauthStore) agree() {
	s.Helper()
	for _, each := range oauthAgreed {
		g := oauthGrant("alice", "at "+each.Resource)
		g.Permissions = server.Permissions{each}
		ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID), Remember: &server.Consent{
			UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon, Updated: noon}})
		if !ok || err != nil {
			s.Fatalf("got %v, %v, want true", ok, err)
		}
	}
}

// oauthRestsOn checks whether a grant may rest on what alice agreed to.
func oauthRestsOn(t *testing.T, open openFunc[oauthStore], asked server.Permissions, want bool) {
	s := open(t)
	s.agree()
	g := oauthGrant("alice", "recalled")
	g.Permissions = asked
	ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "recalled"), RequireConsent: true})
	if ok != want || err != nil {
		t.Errorf("got %v, %v, want %v", ok, err, want)
	}
	s.wantLive(want, "recalled")
}
