package jwt_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/jwt"
)

const (
	tenantA   = "aaaaaaaa-1111-4222-8333-444444444444"
	tenantB   = "bbbbbbbb-1111-4222-8333-444444444444"
	consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"
	entraV2   = "https://login.microsoftonline.com/{tenantid}/v2.0"
	entraV1   = "https://sts.windows.net/{tenantid}/"
)

func fill(template, tenant string) string { return strings.ReplaceAll(template, "{tenantid}", tenant) }

// publishedFor returns the published key with this member "issuer", in JSON, or without it if it is "".
func publishedFor(t *testing.T, key *jwt.Key, issuer string) *jwt.KeySet {
	t.Helper()
	return keysInSet(t, jwkFor(t, key, "", issuer))
}

// keysInSet returns a set of published keys.
func keysInSet(t *testing.T, keys ...map[string]json.RawMessage) *jwt.KeySet {
	t.Helper()
	text, _ := json.Marshal(map[string]any{"keys": keys})
	set, err := jwt.ParseJWKS(text)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// jwkFor returns the public key with another "kid" and with this member "issuer", in JSON. "" changes nothing.
func jwkFor(t *testing.T, key *jwt.Key, kid, issuer string) map[string]json.RawMessage {
	t.Helper()
	text, err := key.MarshalJWK(false)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if issuer != "" {
		members["issuer"] = json.RawMessage(issuer)
	}
	if kid != "" {
		members["kid"] = json.RawMessage(quoted(kid))
	}
	return members
}

func quoted(text string) string { return `"` + text + `"` }

func TestUnitTenantsOfAnIssuerThatIsATemplate(t *testing.T) {
	key := signing(t, jwt.ES256)
	listed := func(i *jwt.Issuer) { i.Shared.Tenants = []string{tenantA} }
	every := func(i *jwt.Issuer) { i.Shared.AllowAnyTenant = true }
	for _, row := range []struct {
		sentence, template string
		iss, tid           string
		change             func(*jwt.Issuer)
		keyIssuer          string
		want               error
		log                string
	}{
		{"a tenant that is listed", entraV2, fill(entraV2, tenantA), tenantA, listed, quoted(entraV2), nil, ""},
		{"a tenant of version 1 that is listed", entraV1, fill(entraV1, tenantA), tenantA, listed, quoted(entraV2),
			nil, ""},
		{"any tenant", entraV2, fill(entraV2, tenantB), tenantB, every, quoted(entraV2), nil, ""},
		{"another tenant than is listed", entraV2, fill(entraV2, tenantB), tenantB, listed, quoted(entraV2),
			auth.ErrUnrecognized, "iss is of a tenant that is not accepted; see Issuer.Shared.Tenants"},
		{"tid of another tenant than iss", entraV2, fill(entraV2, tenantA), tenantB, every, quoted(entraV2),
			auth.ErrInvalid,
			"the key of the token does not name its issuer"},
		{"tid of another tenant than iss, and no key names an issuer", entraV2, fill(entraV2, tenantA), tenantB,
			func(i *jwt.Issuer) { every(i); i.Shared.AllowKeysWithoutIssuer = true }, "", auth.ErrInvalid,
			"is not the tenant of iss"},
		{"no tid", entraV2, fill(entraV2, tenantA), "",
			func(i *jwt.Issuer) { every(i); i.Shared.AllowKeysWithoutIssuer = true }, "",
			auth.ErrInvalid, "is not the tenant of iss"},
		{"the template itself", entraV2, entraV2, "{tenantid}", every, quoted(entraV2), auth.ErrUnrecognized, ""},
		{"more than a tenant in its place", entraV2, fill(entraV2, tenantA+"/x"), tenantA + "/x", every,
			quoted(entraV2),
			auth.ErrUnrecognized, ""},
		{"no tenant in its place", entraV2, fill(entraV2, ""), "", every, quoted(entraV2), auth.ErrUnrecognized, ""},
		{"a slash too many", entraV2, fill(entraV2, tenantA) + "/", tenantA, every, quoted(entraV2),
			auth.ErrUnrecognized,
			"differs from ours only by a slash at its end"},

		{"a key of this tenant", entraV2, fill(entraV2, tenantA), tenantA, every, quoted(fill(entraV2, tenantA)), nil,
			""},
		{"a key of personal accounts", entraV2, fill(entraV2, tenantA), tenantA, every, quoted(fill(entraV2,
			consumers)),
			auth.ErrInvalid, "the key of the token does not name its issuer, see Issuer.Shared.AllowKeysWithoutIssuer"},
		{"a key of personal accounts, and a token of version 1", entraV1, fill(entraV1, tenantA), tenantA, every,
			quoted(fill(entraV2, consumers)), auth.ErrInvalid, "the key of the token"},
		{"a key of personal accounts, and their tid beside another iss", entraV1, fill(entraV1, tenantA), consumers,
			every,
			quoted(fill(entraV2, consumers)), auth.ErrInvalid, "the key of the token"},
		{"a key of no issuer", entraV2, fill(entraV2, tenantA), tenantA, every, "", auth.ErrInvalid,
			"the key of the token"},
		{"a key of no issuer, which is allowed", entraV2, fill(entraV2, tenantA), tenantA,
			func(i *jwt.Issuer) { every(i); i.Shared.AllowKeysWithoutIssuer = true }, "", nil, ""},
		{"a key whose issuer is null has none", entraV2, fill(entraV2, tenantA), tenantA,
			func(i *jwt.Issuer) { every(i); i.Shared.AllowKeysWithoutIssuer = true }, "null", nil, ""},
		{"a key with an empty issuer", entraV2, fill(entraV2, tenantA), tenantA,
			func(i *jwt.Issuer) { every(i); i.Shared.AllowKeysWithoutIssuer = true }, `""`, auth.ErrInvalid,
			"the key of the token"},
		{"a key whose issuer is no text", entraV2, fill(entraV2, tenantA), tenantA,
			func(i *jwt.Issuer) { every(i); i.Shared.AllowKeysWithoutIssuer = true }, `["x"]`, auth.ErrInvalid,
			"the key of the token"},
		{"one tenant, and a key for all", fill(entraV2, tenantA), fill(entraV2, tenantA), tenantA, nil,
			quoted(entraV2), nil, ""},
		{"one tenant of version 1, and a key for all", fill(entraV1, tenantA), fill(entraV1, tenantA), tenantA, nil,
			quoted(entraV2), nil, ""},
		{"one tenant, and a key of personal accounts", fill(entraV2, tenantA), fill(entraV2, tenantA), tenantA, nil,
			quoted(fill(entraV2, consumers)), auth.ErrInvalid, "the key of the token"},
		{"one tenant of version 1, a key of personal accounts, and their tid", fill(entraV1, tenantA), fill(entraV1,
			tenantA),
			consumers, nil, quoted(fill(entraV2, consumers)), auth.ErrInvalid, "the key of the token"},
		{"one tenant of version 1, a key for all, and another tid", fill(entraV1, tenantA), fill(entraV1, tenantA),
			consumers, nil, quoted(entraV2), auth.ErrInvalid, "the key of the token"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			v := foreignVerifier(t, key, func(i *jwt.Issuer) {
				i.Issuer, i.Profile, i.Keys = row.template, jwt.Entra(), publishedFor(t, key, row.keyIssuer)
				if row.change != nil {
					row.change(i)
				}
			})
			claims := map[string]any{"iss": row.iss, "azp": "app", "scp": "read", "oid": "o"}
			if row.tid != "" {
				claims["tid"] = row.tid
			}
			_, _, err := v.VerifyToken(t.Context(), foreignToken(t, key, claims))
			if auth.KindOf(err) != row.want || (err == nil) != (row.want == nil) {
				t.Fatalf("want %v, got %v", row.want, err)
			}
			if err != nil && !strings.Contains(err.Error(), row.log) {
				t.Errorf("want a cause with %q, got %v", row.log, err)
			}
		})
	}
}

// Microsoft publishes keys of tenants and of personal accounts in one set, and nothing makes their identifiers unique
// over the issuers.
func TestUnitOneIdentifierOfKeysOfTwoIssuers(t *testing.T) {
	key, other := signing(t, jwt.ES256), signing(t, jwt.ES256)
	tenants, personal := quoted(entraV2), quoted(fill(entraV2, consumers))
	for sentence, row := range map[string]struct {
		keys *jwt.KeySet
		tid  string
		log  string // "" is a token that is good
	}{
		"the key of the other issuer is not in the way": {
			keysInSet(t, jwkFor(t, other, key.ID(), personal), jwkFor(t, key, "", tenants)), tenantA, ""},
		"one key for both": {
			keysInSet(t, jwkFor(t, key, "", tenants), jwkFor(t, key, "", personal)), consumers, ""},
		"two keys for one issuer": {
			keysInSet(t, jwkFor(t, key, "", tenants), jwkFor(t, other, key.ID(), tenants)), tenantA,
			"several keys have the kid of the header and are for its alg; 2 keys are known"},
		"two keys, and no one is for the issuer": {
			keysInSet(t, jwkFor(t, key, "", personal), jwkFor(t, other, key.ID(), personal)), tenantA,
			"the key of the token does not name its issuer"},
	} {
		t.Run(sentence, func(t *testing.T) {
			v := foreignVerifier(t, key, func(i *jwt.Issuer) {
				i.Issuer, i.Profile, i.Keys, i.Shared.AllowAnyTenant = entraV2, jwt.Entra(), row.keys, true
			})
			_, _, err := v.VerifyToken(t.Context(), foreignToken(t, key, map[string]any{"iss": fill(entraV2, row.tid),
				"tid": row.tid, "azp": "app", "scp": "read", "oid": "o"}))
			if (err == nil) != (row.log == "") || err != nil && !strings.Contains(err.Error(), row.log) {
				t.Errorf("want %q, got %v", row.log, err)
			}
		})
	}
}

func TestUnitIdentifiersOfTenants(t *testing.T) {
	key := signing(t, jwt.ES256)
	var loaded string
	entra := func(i *jwt.Issuer) {
		i.Issuer, i.Profile = entraV2, jwt.Entra()
		i.Keys, i.Shared.AllowAnyTenant = publishedFor(t, key, quoted(entraV2)), true
		i.User, i.LoadUser = nil, func(_ contextOf, id string) (auth.User,
			error) {
			loaded = id
			return jwt.Subject{ID: id}, nil
		}
	}
	claims := func(more map[string]any) map[string]any {
		all := map[string]any{"iss": fill(entraV2, tenantA), "tid": tenantA, "azp": "app"}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	t.Run("a user", func(t *testing.T) {
		user, credential, err := foreignVerifier(t, key, entra).VerifyToken(t.Context(),
			foreignToken(t, key, claims(map[string]any{"scp": "read"})))
		if err != nil {
			t.Fatal(err)
		}
		token := credential.(*jwt.Token)
		if user.UserID() != tenantA+"/alice" || loaded != tenantA+"/alice" || token.Subject() != tenantA+"/alice" ||
			token.Tenant() != tenantA || token.Issuer() != fill(entraV2, tenantA) {
			t.Errorf("user %q, loaded %q, token %q of %q", user.UserID(), loaded, token.Subject(), token.Tenant())
		}
	})
	t.Run("a machine", func(t *testing.T) {
		v := foreignVerifier(t, key, func(i *jwt.Issuer) { entra(i); i.MachinePrefix = "entra:" })
		user, _, err := v.VerifyToken(t.Context(), foreignToken(t, key, claims(map[string]any{"idtyp": "app"})))
		if err != nil || user != (auth.Machine{ID: "entra:" + tenantA + "/app"}) {
			t.Errorf("%v, %v", user, err)
		}
	})
}

func TestUnitSettingsOfTenants(t *testing.T) {
	key := signing(t, jwt.ES256)
	for sentence, row := range map[string]struct {
		change func(*jwt.Issuer)
		want   string
	}{
		"no tenants": {func(*jwt.Issuer) {}, "either Shared.Tenants or AllowAnyTenant must be set"},
		"both": {func(i *jwt.Issuer) {
			i.Shared.Tenants, i.Shared.AllowAnyTenant = []string{tenantA},
				true
		}, "either Shared.Tenants"},
		"a tenant with a slash": {func(i *jwt.Issuer) { i.Shared.Tenants = []string{"a/b"} },
			"a Tenant is not made of"},
		"an empty tenant": {func(i *jwt.Issuer) { i.Shared.Tenants = []string{""} }, "a Tenant is not made of"},
		"the place twice": {func(i *jwt.Issuer) {
			i.Issuer, i.Shared.AllowAnyTenant = entraV2+"{tenantid}",
				true
		}, "twice"},
		"tenants of one that is exact": {func(i *jwt.Issuer) { i.Issuer, i.Shared.Tenants = "x", []string{tenantA} },
			"has no {tenantid}"},
		"tokens without iss": {func(i *jwt.Issuer) { i.Shared.AllowAnyTenant, i.Checks.AllowNoIssuer = true, true },
			"AllowNoIssuer"},
		"any tenant of one that is none": {func(i *jwt.Issuer) { i.Issuer, i.Shared.AllowAnyTenant = "x", true },
			"has no {tenantid}"},
	} {
		t.Run(sentence, func(t *testing.T) {
			issuer := jwt.Issuer{Issuer: entraV2, Audience: []string{"a"}, Keys: keySet(t, nil, key.Public()),
				User: jwt.SubjectUser}
			row.change(&issuer)
			_, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer}})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("want an error with %q, got %v", row.want, err)
			}
		})
	}
	t.Run("a template twice", func(t *testing.T) {
		issuer := jwt.Issuer{Issuer: entraV2, Audience: []string{"a"}, Keys: keySet(t, nil, key.Public()),
			User:   jwt.SubjectUser,
			Shared: jwt.SharedIssuer{AllowAnyTenant: true}, MachinePrefix: "m:"}
		if _, err := jwt.NewVerifier(jwt.VerifierConfig{Issuers: []jwt.Issuer{issuer, issuer}}); err == nil ||
			!strings.Contains(err.Error(), "two issuers") {
			t.Error(err)
		}
	})
}

func TestUnitAKeyThatIsPublishedForAnotherIssuerIsAnotherKey(t *testing.T) {
	key := signing(t, jwt.ES256)
	if got := publishedFor(t, key, quoted(entraV2)).Keys()[0]; got.Issuer() != entraV2 ||
		got.Public().Issuer() != entraV2 {
		t.Errorf("%q, %q", got.Issuer(), got.Public().Issuer())
	}
	if got := publishedFor(t, key, "1").Keys()[0].Issuer(); got != "" {
		t.Errorf("%q", got)
	}
	if text, err := publishedFor(t, key, quoted(entraV2)).Keys()[0].MarshalJWK(false); err != nil ||
		strings.Contains(string(text), "issuer") {
		t.Errorf("%s, %v", text, err)
	}
}
