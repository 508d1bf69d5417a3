package jwt_test

import (
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

func TestUnitRequiredValues(t *testing.T) {
	key := signing(t, jwt.ES256)
	for _, row := range []struct {
		sentence string
		require  map[string][]string
		claims   map[string]any
		want     int
		log      string
	}{
		{"one of the values", map[string][]string{"repository_id": {"1", "74"}},
			map[string]any{"repository_id": "74"}, 200, ""},
		{"a number", map[string][]string{"repository_id": {"74"}}, map[string]any{"repository_id": 74}, 200, ""},
		{"a boolean", map[string][]string{"internal": {"true"}}, map[string]any{"internal": true}, 200, ""},
		{"one of an array", map[string][]string{"groups": {"staff"}}, map[string]any{"groups": []string{"a",
			"staff"}}, 200, ""},
		{"another value", map[string][]string{"hd": {"corp.example"}}, map[string]any{"hd": "evil.example"}, 401,
			`hd is \"evil.example\", want \"corp.example\"; see Issuer.Shared.RequireValues`},
		{"a value in another case", map[string][]string{"hd": {"corp.example"}}, map[string]any{"hd": "Corp.example"},
			401, "hd is"},
		{"no value", map[string][]string{"hd": {"corp.example"}}, nil, 401, "hd is []"},
		{"null", map[string][]string{"hd": {"null"}}, map[string]any{"hd": nil}, 401, "hd is []"},
		{"an object", map[string][]string{"hd": {"corp.example"}},
			map[string]any{"hd": map[string]any{"corp.example": 1}}, 401, ""},
		{"one of two claims", map[string][]string{"a": {"1"}, "b": {"2"}}, map[string]any{"a": "1", "b": "3"}, 401,
			"b is"},
		{"an address that is verified", map[string][]string{"email": {"a@b.example"}},
			map[string]any{"email": "a@b.example", "email_verified": true}, 200, ""},
		{"an address that is not verified", map[string][]string{"email": {"a@b.example"}},
			map[string]any{"email": "a@b.example"}, 401, "email is not verified"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			v := foreignVerifier(t, key, func(i *jwt.Issuer) { i.Shared.RequireValues = row.require })
			code, log := ask(t, v, foreignToken(t, key, row.claims))
			if code != row.want || !strings.Contains(log, row.log) {
				t.Errorf("want %d, got %d: %s", row.want, code, log)
			}
		})
	}
}

func TestUnitAnIssuerOfEverybodyIsBound(t *testing.T) {
	key := signing(t, jwt.ES256)
	for sentence, row := range map[string]struct {
		change func(*jwt.Issuer)
		want   string // of the error, or "" if there is no error
	}{
		"GitHub, unbound": {func(i *jwt.Issuer) { i.Profile = jwt.GitHubActions() },
			"RequireValues must have one of repository, repository_id, "},
		"GitHub, by its subject": {func(i *jwt.Issuer) {
			i.Profile, i.Shared.RequireValues = jwt.GitHubActions(),
				map[string][]string{"sub": {"repo:a/b:ref:refs/heads/main"}}
		}, "See Shared.AllowAnyCaller"},
		"GitHub, by the owner": {func(i *jwt.Issuer) {
			i.Profile, i.Shared.RequireValues = jwt.GitHubActions(), map[string][]string{"repository_owner_id": {"74"}}
		}, ""},
		"GitHub, by an owner without a value": {func(i *jwt.Issuer) {
			i.Profile, i.Shared.RequireValues = jwt.GitHubActions(), map[string][]string{"repository_owner_id": {""}}
		}, "without a value"},
		"GitHub, for everybody": {
			func(i *jwt.Issuer) { i.Profile, i.Shared.AllowAnyCaller = jwt.GitHubActions(), true }, ""},
		"Google, unbound": {func(i *jwt.Issuer) { i.Profile = jwt.Google() },
			"RequireValues must have one of sub, email, hd"},
		"Google, by the domain": {func(i *jwt.Issuer) {
			i.Profile, i.Shared.RequireValues = jwt.Google(), map[string][]string{"hd": {"corp.example"}}
		}, ""},
		"Kubernetes": {func(i *jwt.Issuer) { i.Profile = jwt.Kubernetes() }, ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			issuer := jwt.Issuer{Issuer: ourIssuer, Audience: []string{"a"}, Keys: keySet(t, nil, key.Public()),
				User: jwt.SubjectUser}
			row.change(&issuer)
			_, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}})
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("want an error with %q, got %v", row.want, err)
			}
		})
	}
}

func TestUnitMachinesOfSeveralIssuers(t *testing.T) {
	ours, theirs := signing(t, jwt.ES256), signing(t, jwt.ES256)
	issuers := func(a, b string) []jwt.Issuer {
		return []jwt.Issuer{
			{Issuer: ourIssuer, Audience: []string{ourAudience}, Keys: keySet(t, nil, ours.Public()),
				User:   jwt.SubjectUser,
				Checks: jwt.TokenChecks{Types: []string{"JWT"}}, MachinePrefix: a},
			{Issuer: "https://other.example", Audience: []string{ourAudience}, Keys: keySet(t, nil, theirs.Public()),
				User:   jwt.SubjectUser,
				Checks: jwt.TokenChecks{Types: []string{"JWT"}}, MachinePrefix: b},
		}
	}
	for _, row := range []struct {
		a, b string
		fine bool
	}{{"", "", false}, {"", "b/", false}, {"a/", "", false}, {"a", "ab", false}, {"a/", "b/", true}, {"a/", "a/",
		true}} {
		if _, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: issuers(row.a, row.b)}); (err == nil) != row.fine ||
			err != nil && !strings.Contains(err.Error(), "Set Issuer.MachinePrefix for both") {
			t.Errorf("%q and %q: %v", row.a, row.b, err)
		}
	}
	v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: issuers("a/", "b/")})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[*jwt.Key]auth.Machine{ours: {ID: "a/billing"}, theirs: {ID: "b/billing"}} {
		claims := map[string]any{"sub": "billing", "azp": "billing"}
		if key == theirs {
			claims["iss"] = "https://other.example"
		}
		for range 2 { // the second is remembered
			if user, _, err := v.VerifyToken(t.Context(), foreignToken(t, key, claims)); err != nil ||
				user != auth.User(want) {
				t.Errorf("want %v, got %v and %v", want, user, err)
			}
		}
	}
}

func TestUnitAClaimThatStandsForTheAudience(t *testing.T) {
	key := signing(t, jwt.ES256)
	v := foreignVerifier(t, key, func(i *jwt.Issuer) {
		i.Profile.AudienceClaim, i.Audience = "client_id",
			[]string{"web"}
	})
	for _, row := range []struct {
		sentence    string
		client, aud any
		want        int
	}{
		{"it is ours", "web", absent{}, 200},
		{"it is another", "other", absent{}, 401},
		{"an audience that is another comes first", "web", "https://other.example", 401},
		{"an audience that is ours comes first", "other", "web", 200},
		{"it is null", nil, absent{}, 401},
	} {
		if code, log := ask(t, v, foreignToken(t, key, map[string]any{"client_id": row.client,
			"aud": row.aud})); code != row.want {
			t.Errorf("%s: want %d, got %d: %s", row.sentence, row.want, code, log)
		}
	}
}
