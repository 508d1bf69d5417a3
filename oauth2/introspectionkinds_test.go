package oauth2_test

import (
	"strings"
	"testing"
)

func TestUnitAnAnswerAboutAnotherKindOfTokenIsRefused(t *testing.T) {
	base := map[string]any{"active": true, "sub": "alice", "client_id": "web", "aud": resource}
	for _, kind := range []any{"refresh+jwt", "logout+jwt", "rt+jwt", "application/refresh+jwt", "Refresh Token",
		[]string{"refresh_token"}, "refresh-token"} {
		got, _ := newIntrospected(t, nil).holder(edit(base, "typ", kind))
		if !strings.Contains(got, "is not of an access token") {
			t.Errorf("%v: want a refusal, got %s", kind, got)
		}
	}
	if got, _ := newIntrospected(t, nil).holder(edit(base, "typ", "at+jwt")); got != "alice" {
		t.Errorf("an access token: got %s", got)
	}
}

func TestUnitATokenThatIsBoundToAKeyIsRefusedHoweverTheServerWritesIt(t *testing.T) {
	base := map[string]any{"active": true, "sub": "alice", "client_id": "web", "aud": resource}
	for _, row := range []struct {
		name string
		kind any
	}{
		{"typ", "DPoP"}, {"typ", []string{"DPoP"}}, {"type", "dpop+jwt"}, {"token_use", []string{"access", "DPoP"}},
		{"token_type", "DPoP"}, {"token_type", []string{"DPoP"}}, {"token_type", []string{"Bearer", "DPoP"}},
	} {
		got, _ := newIntrospected(t, nil).holder(edit(base, row.name, row.kind))
		if !strings.Contains(got, row.name) || !strings.Contains(got, "no bearer token") {
			t.Errorf("%s is %v: want a refusal that names it, got %s", row.name, row.kind, got)
		}
	}
}
