package jwt_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/authtest"
	"github.com/gatewarden/auth/jwt"
)

// presetVerifier is a Verifier with one line for the preset, and what the issuer of a test needs besides.
func presetVerifier(t *testing.T, idp *authtest.Issuer, token authtest.ForeignToken) *jwt.Verifier {
	t.Helper()
	keys, err := jwt.NewRemoteKeys(jwt.RemoteKeysConfig{URL: idp.JWKSURL()})
	if err != nil {
		t.Fatal(err)
	}
	_, ends := token.Claims["exp"]
	audience := []string{"test"}
	if client, ok := token.Claims["client_id"].(string); ok && token.Provider == "Cognito" {
		audience = []string{client} // as there is no aud
	} else if client, ok := token.Claims["aud"].(string); ok {
		audience = []string{client} // of an ID token
	}
	v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: idp.URL(), Audience: audience,
		Keys:    keys,
		Profile: token.Profile, User: jwt.SubjectUser, Shared: jwt.SharedIssuer{AllowAnyCaller: true},
		Checks: jwt.TokenChecks{AllowNoExpiry: ends}}}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUnitPresetsReadTokensAsTheirProvidersWriteThem(t *testing.T) {
	idp := authtest.NewIssuer(t)
	idp.SetKeyIssuer(idp.URL())
	for _, token := range authtest.ForeignTokens() {
		t.Run(token.Provider+", "+token.Name, func(t *testing.T) {
			v := presetVerifier(t, idp, token)
			user, credential, err := v.VerifyToken(t.Context(), token.Mint(idp, nil))
			if token.User == "" && token.Machine == "" {
				if auth.KindOf(err) != auth.ErrInvalid {
					t.Errorf("want a refusal, got %v and %v", user, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := auth.User(jwt.Subject{ID: token.User})
			if token.Machine != "" {
				want = auth.Machine{ID: token.Machine}
			}
			scopes, limited := credential.(auth.Scoped).Scopes()
			if user != want || limited == token.FullAccess || !slices.Equal(scopes, token.Scopes) {
				t.Errorf("want %#v with %q, got %#v with %q, limited is %v", want, token.Scopes, user, scopes, limited)
			}
		})
	}
}

func TestUnitEveryPresetHasTokensOfItsKinds(t *testing.T) {
	seen := map[string]map[string]bool{}
	for _, token := range authtest.ForeignTokens() {
		if seen[token.Provider] == nil {
			seen[token.Provider] = map[string]bool{}
		}
		switch {
		case token.Machine != "":
			seen[token.Provider]["machine"] = true
		case token.User != "":
			seen[token.Provider]["user"] = true
		default:
			seen[token.Provider]["refused"] = true
		}
	}
	for _, provider := range []string{"Gatewarden", "Entra", "Okta", "Auth0", "Keycloak", "Cognito", "Hydra"} {
		if len(seen[provider]) != 3 {
			t.Errorf("%s has only %v", provider, seen[provider])
		}
	}
	if len(seen) != 10 {
		t.Errorf("%d providers", len(seen))
	}
}

// The settings that a comment promises: each changes one field of a preset.
func TestUnitAPresetWithAnotherField(t *testing.T) {
	idp := authtest.NewIssuer(t)
	for _, token := range authtest.ForeignTokens() {
		switch token.Provider + ", " + token.Name {
		case "Auth0, a user's":
			token.Profile.ScopeClaims = append(token.Profile.ScopeClaims, "permissions")
			_, credential, err := presetVerifier(t, idp, token).VerifyToken(t.Context(), token.Mint(idp, nil))
			if err != nil {
				t.Fatal(err)
			}
			if scopes, _ := credential.(auth.Scoped).Scopes(); !slices.Contains(scopes, "reports:write") {
				t.Errorf("permissions as scopes: %q", scopes)
			}
		case "Okta, a user's":
			keys, err := jwt.NewKeySet(nil, idp.Keys()[0])
			if err != nil {
				t.Fatal(err)
			}
			v, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{{Issuer: idp.URL(),
				Audience: []string{"test"},
				Keys:     keys, Profile: token.Profile, Format: jwt.Format{UserClaim: "uid"}, User: jwt.SubjectUser}}})
			if err != nil {
				t.Fatal(err)
			}
			user, _, err := v.VerifyToken(t.Context(), token.Mint(idp, nil))
			if err != nil || user.UserID() != token.Claims["uid"] {
				t.Errorf("uid as the user: %v, %v", user, err)
			}
			machine := oktaMachine()
			if user, _, err = v.VerifyToken(t.Context(), machine.Mint(idp, nil)); err != nil ||
				user != (auth.Machine{ID: machine.Machine}) {
				t.Errorf("a machine, which has no uid: %v, %v", user, err)
			}
		}
	}
}

func oktaMachine() authtest.ForeignToken {
	all := authtest.ForeignTokens()
	return all[slices.IndexFunc(all, func(f authtest.ForeignToken) bool {
		return f.Provider == "Okta" &&
			f.Machine != ""
	})]
}

// presetReaders returns a reader of each preset, by its name, and one of any issuer, by "".
func presetReaders(t testing.TB) map[string]*jwt.ProfileReader {
	t.Helper()
	readers := map[string]*jwt.ProfileReader{}
	profiles := map[string]jwt.Profile{"": {}}
	for _, token := range authtest.ForeignTokens() {
		profiles[token.Provider] = token.Profile
	}
	for name, profile := range profiles {
		reader, err := profile.Reader()
		if err != nil {
			t.Fatal(err)
		}
		readers[name] = reader
	}
	return readers
}

// checkReaders reads claims by each preset, and compares what comes with what the providers say. A token that has a
// sign of a machine is of no user, one with any claim of scopes or a client is limited, and a machine always is.
func checkReaders(t *testing.T, readers map[string]*jwt.ProfileReader, text string) (read int) {
	t.Helper()
	var claims map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&claims); err != nil {
		claims = nil
	}
	for name, reader := range readers {
		rights, err := reader.Read([]byte(text))
		if err != nil {
			continue
		}
		read++
		if claims == nil {
			t.Fatalf("%s: encoding/json cannot read %q, and the profile can", name, text)
		}
		if rights.Machine == "" && machineByHand(name, claims) {
			t.Errorf("%s: a user in spite of a sign of a machine: %+v of %q", name, rights, text)
		}
		if !rights.Limited && (rights.Machine != "" || signByHand(name, claims)) {
			t.Errorf("%s: not limited: %+v of %q", name, rights, text)
		}
		for _, scope := range rights.Scopes {
			if !strings.Contains(textsOf(claims), scope) {
				t.Errorf("%s: the scope %q is not in %q", name, scope, text)
			}
		}
		if rights.Email != "" && (claims["email"] != rights.Email || claims["email_verified"] != true &&
			claims["email_verified"] != "true") {
			t.Errorf("%s: the address %q is not verified in %q", name, rights.Email, text)
		}
	}
	return read
}

// FuzzProfiles reads any claims by each preset.
func FuzzProfiles(f *testing.F) {
	for _, token := range authtest.ForeignTokens() {
		text, err := json.Marshal(token.Claims)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, seed := range []string{"", "{", "null", "[]", `{"sub":1,"azp":1}`, `{"scope":null,"sub":"a"}`,
		`{"gty":["client-credentials"],"azp":"x"}`, `{"sub":"x@clients","azp":"x"}`, `{"idtyp":"app","azp":"x"}`,
		`{"preferred_username":"SERVICE-ACCOUNT-x","azp":"X","typ":"Bearer"}`, `{"sub":"\u0061","cid":"a"}`,
		`{"cnf":{},"sub":"a"}`, `{"scp":[["a"]],"cid":"b","uid":"c","sub":"d"}`} {
		f.Add(seed)
	}
	readers := presetReaders(f)
	f.Fuzz(func(t *testing.T, text string) { checkReaders(t, readers, text) })
}

// Claims that mean something to a preset, put together by chance with values that agree more often than not.
func TestUnitPresetsReadAnyClaims(t *testing.T) {
	names := []string{"sub", "oid", "idtyp", "scp", "scope", "roles", "azp", "appid", "client_id", "clientId", "cid",
		"uid", "gty",
		"typ", "token_use", "preferred_username", "sid", "session_state", "clientHost", "cnf", "email",
		"email_verified"}
	values := []string{"null", `"a"`, `"a"`, `"a"`, `"b"`, `""`, "1", `"1"`, `["a","b"]`, `{}`, "true", `"app"`,
		`"a.apps.googleusercontent.com"`, `"access"`, `"Bearer"`,
		`"DPoP"`, `"client-credentials"`, `["client-credentials"]`, `"a@clients"`, `"service-account-a"`,
		`"Service-Account-A"`,
		`"service-account-b"`, `"A"`, `"\u0061"`, `"\u0000"`, "1.0", "[[]]", `"a@b.example"`}
	fitting := map[string]string{"typ": `"Bearer"`, "token_use": `"access"`}
	readers, random, read := presetReaders(t), rand.New(rand.NewPCG(1, 2)), 0
	for range 20_000 {
		var members []string
		for _, name := range names {
			switch value, fits := fitting[name]; {
			case random.IntN(2) == 0:
			case fits && random.IntN(4) > 0:
				members = append(members, `"`+name+`":`+value)
			default:
				members = append(members, `"`+name+`":`+values[random.IntN(len(values))])
			}
		}
		read += checkReaders(t, readers, "{"+strings.Join(members, ",")+"}")
		if t.Failed() {
			return
		}
	}
	if read < 50_000 {
		t.Errorf("only %d claims could be read", read)
	}
}

// signByHand reports a claim that limits a token.
func signByHand(name string, claims map[string]any) bool {
	signs := []string{"scope", "client_id", "scp", "azp", "cid", "appid"}
	if name == "Gatewarden" {
		signs = signs[:2]
	}
	return slices.ContainsFunc(signs, func(sign string) bool { _, there := claims[sign]; return there })
}

// machineByHand says what a provider documents of machines, without the profile.
func machineByHand(name string, claims map[string]any) bool {
	text := func(name string) string {
		switch value := claims[name].(type) {
		case string:
			return value
		case json.Number:
			return value.String()
		}
		return ""
	}
	is := func(names ...string) bool { // the subject is one of these
		subject := text("sub")
		return subject != "" && !strings.ContainsRune(subject, 0) && !strings.ContainsAny(subject, ".eE\uFFFD") &&
			slices.ContainsFunc(names, func(name string) bool { return text(name) == subject })
	}
	switch name {
	case "Kubernetes", "GitHubActions":
		return true
	case "Entra":
		silent := claims["idtyp"] == nil && claims["scp"] == nil
		return claims["idtyp"] != nil && claims["idtyp"] != "user" || silent && (claims["oid"] == nil || is("oid")) ||
			is("azp", "appid")
	case "Okta":
		return is("cid")
	case "Auth0":
		return claims["gty"] == "client-credentials" || is("azp", "client_id") ||
			text("azp") != "" && text("sub") == text("azp")+"@clients" && !strings.ContainsAny(text("azp"),
				"\x00\uFFFD")
	case "Keycloak":
		return text("azp") != "" && !strings.ContainsAny(text("azp"), "\x00\uFFFD") &&
			text("preferred_username") == "service-account-"+text("azp") || is("azp", "client_id", "clientId")
	case "Gatewarden", "Cognito", "Hydra":
		return is("client_id")
	case "Google":
		return is("azp") || !strings.HasSuffix(text("azp"), ".apps.googleusercontent.com") ||
			strings.HasSuffix(text("email"), ".gserviceaccount.com")
	}
	return is("client_id", "azp", "cid", "appid")
}

// textsOf returns all texts in a value, one a line.
func textsOf(value any) string {
	var all strings.Builder
	switch v := value.(type) {
	case string:
		all.WriteString(v + "\n")
	case []any:
		for _, each := range v {
			all.WriteString(textsOf(each))
		}
	case map[string]any:
		for _, each := range v {
			all.WriteString(textsOf(each))
		}
	}
	return all.String()
}
