package storetest

import (
	"testing"

	"github.com/gatewarden/auth/oauth2/server"
)

// oauthPermissions checks that scopes stay with the resource that they were agreed to for.
func oauthPermissions(t *testing.T, open func(t *testing.T) oauthStore) {
	at := func(resource string, scopes ...string) server.Permissions {
		return server.Permissions{{Resource: resource, Scopes: scopes}}
	}
	agreed := at(oauthAPI, "read").Add(at(oauthOtherAPI, "write")).Add(at("", "openid", "email"))
	// agree agrees to each of the pairs by an answer of its own.
	agree := func(s oauthStore) {
		s.Helper()
		for _, each := range agreed {
			g := oauthGrant("alice", "at "+each.Resource)
			g.Permissions = server.Permissions{each}
			ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, g.ID), Remember: &server.Consent{
				UserID: "alice", ClientID: "web", Permissions: g.Permissions, Created: noon, Updated: noon}})
			if !ok || err != nil {
				s.Fatal(ok, err)
			}
		}
	}
	for name, row := range map[string]struct {
		asked server.Permissions
		want  bool
	}{
		"each of them":                             {agreed, true},
		"read at the first API":                    {at(oauthAPI, "read"), true},
		"the first API without scopes":             {at(oauthAPI), true},
		"write at the first API":                   {at(oauthAPI, "write"), false},
		"read at the other API":                    {at(oauthOtherAPI, "read"), false},
		"read and write at the first API":          {at(oauthAPI, "read", "write"), false},
		"openid":                                   {at("", "openid"), true},
		"openid at the first API":                  {at(oauthAPI, "openid"), false},
		"read without an API":                      {at("", "read"), false},
		"an API that was not agreed to":            {at("https://third.example/"), false},
		"read at the first API and at a third one": {at(oauthAPI, "read").Add(at("https://third.example/")), false},
	} {
		t.Run("agreed to read at one API and to write at another one, a grant rests on it: "+name, func(t *testing.T) {
			s := open(t)
			agree(s)
			g := oauthGrant("alice", "recalled")
			g.Permissions = row.asked
			ok, err := s.approved(server.Approval{Grant: g, Code: oauthCode(g, "recalled"), Recall: true})
			if ok != row.want || err != nil {
				t.Errorf("got %v, %v, want %v", ok, err, row.want)
			}
			s.wantLive(row.want, "recalled")
		})
	}
	t.Run("a grant of several APIs is found with the scopes of each", func(t *testing.T) {
		s := open(t)
		want := s.start("alice", "1", func(g *server.Grant) { g.Permissions = agreed })
		_, byRefresh, err := s.FindRefresh(s.Context(), "1 refresh")
		if err != nil || !sameRecord(byRefresh, want) {
			t.Errorf("got %+v, %v, want %+v", byRefresh, err, want)
		}
		_, byAccess, err := s.FindAccess(s.Context(), "1 access")
		if err != nil || !sameRecord(byAccess, want) {
			t.Errorf("got %+v, %v, want %+v", byAccess, err, want)
		}
	})
}
