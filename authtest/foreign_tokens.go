package authtest

import (
	"maps"

	"github.com/gatewarden/auth/jwt"
)

// ForeignToken is the shape of a token as a provider issues it: what is in it besides iss, aud, iat and exp.
type ForeignToken struct {
	// Provider is the name of the preset in package jwt, such as "Entra".
	Provider string
	// Name says which of the provider's tokens it is.
	Name string
	// Profile is the preset.
	Profile jwt.Profile
	// Type is the header "typ", or "" for a token without it.
	Type string
	// Claims are in the token. One that is nil is left out, such as "aud" if the provider writes no audience.
	Claims map[string]any

	// User is the subject of a user's token, and Machine the identifier of a machine's. Both are empty if the token
	// must be refused.
	User, Machine string
	// Scopes are what it is limited to. FullAccess means that it is not limited.
	Scopes     []string
	FullAccess bool
}

// ForeignTokens returns tokens as Gatewarden, Entra, Okta, Auth0, Keycloak, Cognito, Hydra, Google, GitHub Actions and
// Kubernetes write them: of users, of machines, and those that are no access tokens. Use them to test what your
// service does with tokens of a provider:
//
//	issuer := authtest.NewIssuer(t)
//	for _, token := range authtest.ForeignTokens() {
//		text := token.Mint(issuer, map[string]any{"aud": "https://api.example"})
//		…
//	}
//
// Each call returns new maps.
func ForeignTokens() []ForeignToken {
	var all []ForeignToken
	for _, preset := range []struct {
		provider string
		profile  jwt.Profile
		tokens   []ForeignToken
	}{
		{"Gatewarden", jwt.Gatewarden(), gatewardenTokens()},
		{"Entra", jwt.Entra(), entraTokens()},
		{"Okta", jwt.Okta(), oktaTokens()},
		{"Auth0", jwt.Auth0(), auth0Tokens()},
		{"Keycloak", jwt.Keycloak(), keycloakTokens()},
		{"Cognito", jwt.Cognito(), cognitoTokens()},
		{"Hydra", jwt.Hydra(), hydraTokens()},
		{"Google", jwt.Google(), googleTokens()},
		{"GitHubActions", jwt.GitHubActions(), gitHubTokens()},
		{"Kubernetes", jwt.Kubernetes(), kubernetesTokens()},
	} {
		for _, token := range preset.tokens {
			token.Provider, token.Profile = preset.provider, preset.profile
			all = append(all, token)
		}
	}
	return all
}

// Mint returns the token, signed by an issuer, with more claims or others. iss, aud, iat and exp are those of
// [Issuer.Mint] unless a claim says otherwise.
func (f ForeignToken) Mint(issuer *Issuer, more map[string]any) string {
	claims := map[string]any{"jti": nil, "sub": nil}
	maps.Copy(claims, f.Claims)
	maps.Copy(claims, more)
	header := map[string]any{"typ": nil}
	if f.Type != "" {
		header["typ"] = f.Type
	}
	return issuer.MintWith(header, claims)
}

// with returns claims with others.
func with(claims, more map[string]any) map[string]any {
	all := maps.Clone(claims)
	maps.Copy(all, more)
	return all
}

func gatewardenTokens() []ForeignToken {
	login := map[string]any{"sub": "alice", "jti": "1", "sid": "0193", "gen": 0}
	return []ForeignToken{
		{Name: "a user's own", Type: "at+jwt", Claims: login, User: "alice", FullAccess: true},
		{Name: "a user's, limited", Type: "at+jwt", Claims: with(login, map[string]any{"scope": "reports:read"}),
			User: "alice", Scopes: []string{"reports:read"}},
		{Name: "of a client for a user", Type: "at+jwt", User: "alice", Scopes: []string{"reports:read"},
			Claims: map[string]any{"sub": "alice", "jti": "1", "client_id": "web", "scope": "reports:read"}},
		{Name: "of a client for itself", Type: "at+jwt", Machine: "billing", Scopes: []string{"reports:read"},
			Claims: map[string]any{"sub": "billing", "jti": "1", "client_id": "billing", "scope": "reports:read"}},
		{Name: "a refresh token", Type: "refresh+jwt", Claims: login},
	}
}

// The identifiers of the doubles of Entra.
const (
	entraTenant = "7d3c1c54-0f0a-4b1e-9a51-3f1f2f6f4a10"
	entraApp    = "2e6b1f2d-8a47-4c39-9d41-6d0e0c5c5f21"
	entraObject = "c0b8c3de-42f5-4c4e-8a5b-6b3b6d8f7e32"
)

func entraTokens() []ForeignToken {
	pairwise := "AbXh3kPq0yJ8vC5n1uT7wRz2mD4sLe6gF9oKiQaHbYc"
	user := map[string]any{"aio": "x", "azp": entraApp, "azpacr": "1", "name": "Alice", "oid": entraObject,
		"sub":                pairwise,
		"preferred_username": "alice@acme.example", "rh": "x", "scp": "Reports.Read Reports.Write", "tid": entraTenant,
		"uti": "x", "ver": "2.0"}
	older := map[string]any{"acr": "1", "amr": []string{"pwd"}, "appid": entraApp, "appidacr": "1", "oid": entraObject,
		"scp": "Reports.Read", "sub": pairwise, "tid": entraTenant, "unique_name": "alice@acme.example",
		"upn": "alice@acme.example", "ver": "1.0"}
	program := map[string]any{"azp": entraApp, "azpacr": "1", "oid": entraObject, "sub": entraObject,
		"tid":   entraTenant,
		"roles": []string{"Reports.Write.All"}, "ver": "2.0"}
	return []ForeignToken{
		{Name: "a user's", Type: "JWT", Claims: user, User: pairwise, Scopes: []string{"Reports.Read",
			"Reports.Write"}},
		{Name: "a user's, version 1", Type: "JWT", Claims: older, User: pairwise, Scopes: []string{"Reports.Read"}},
		{Name: "a user's with app roles", Type: "JWT", User: pairwise, Scopes: []string{"Reports.Read",
			"Reports.Write"},
			Claims: with(user, map[string]any{"roles": []string{"Admin"}})},
		{Name: "a user's with app roles and without scp", Type: "JWT", User: pairwise,
			Claims: with(user, map[string]any{"scp": nil, "roles": []string{"Admin"}})},
		{Name: "a user's, marked as one", Type: "JWT", User: pairwise, Scopes: []string{"Reports.Read",
			"Reports.Write"},
			Claims: with(user, map[string]any{"idtyp": "user"})},
		{Name: "a machine's", Type: "JWT", Claims: program, Machine: entraApp, Scopes: []string{"Reports.Write.All"}},
		{Name: "a machine's, marked as one", Type: "JWT", Machine: entraApp, Scopes: []string{"Reports.Write.All"},
			Claims: with(program, map[string]any{"idtyp": "app"})},
		{Name: "a machine's, version 1", Type: "JWT", Machine: entraApp,
			Claims: map[string]any{"appid": entraApp, "appidacr": "2", "idp": "x", "oid": entraObject,
				"sub": entraObject,
				"tid": entraTenant, "ver": "1.0"}},
		{Name: "a device's", Type: "JWT", Claims: with(user, map[string]any{"idtyp": "device"})},
		{Name: "one without what tells a user from a machine", Type: "JWT",
			Claims: with(program, map[string]any{"oid": nil})},
		{Name: "an ID token", Type: "JWT", Claims: map[string]any{"name": "Alice", "nonce": "n", "oid": entraObject,
			"preferred_username": "alice@acme.example", "sub": pairwise, "tid": entraTenant, "ver": "2.0"}},
	}
}

func oktaTokens() []ForeignToken {
	const client, login = "0oa4x7k2b1Qp9Zr5d357", "alice@acme.example"
	user := map[string]any{"ver": 1, "jti": "AT.x", "cid": client, "uid": "00u3w8n6c2Lm7Yt4d357", "auth_time": 1,
		"scp": []string{"openid", "reports:read"}, "sub": login}
	return []ForeignToken{
		{Name: "a user's", Claims: user, User: login, Scopes: []string{"openid", "reports:read"}},
		{Name: "a machine's", Machine: client, Scopes: []string{"reports:read"},
			Claims: map[string]any{"ver": 1, "jti": "AT.x", "cid": client, "scp": []string{"reports:read"},
				"sub": client}},
		{Name: "of a user whose login is the name of the client", Claims: with(user, map[string]any{"sub": client})},
		{Name: "an ID token", Claims: map[string]any{"ver": 1, "jti": "ID.x", "amr": []string{"pwd"}, "idp": "00o1",
			"nonce": "n", "auth_time": 1, "at_hash": "x", "sub": "00u3w8n6c2Lm7Yt4d357"}},
	}
}

func auth0Tokens() []ForeignToken {
	const client, subject = "kV3tYp9QwZ1xRb6nMc8s", "auth0|64b7f0c2a1d3e5"
	user := map[string]any{"sub": subject, "azp": client, "scope": "openid reports:read",
		"permissions": []string{"reports:read", "reports:write"}}
	return []ForeignToken{
		{Name: "a user's", Type: "JWT", Claims: user, User: subject, Scopes: []string{"openid", "reports:read"}},
		{Name: "a user's by a password", Type: "JWT", User: subject, Scopes: []string{"openid", "reports:read"},
			Claims: with(user, map[string]any{"gty": "password"})},
		{Name: "a user's in the dialect of RFC 9068", Type: "at+jwt", User: subject, Scopes: []string{"reports:read"},
			Claims: map[string]any{"sub": subject, "client_id": client, "jti": "x", "scope": "reports:read"}},
		{Name: "a machine's", Type: "JWT", Machine: client, Scopes: []string{"reports:read"},
			Claims: map[string]any{"sub": client + "@clients", "azp": client, "gty": "client-credentials",
				"scope": "reports:read"}},
		{Name: "a machine's in the dialect of RFC 9068", Type: "at+jwt", Machine: client,
			Scopes: []string{"reports:read"},
			Claims: map[string]any{"sub": client + "@clients", "client_id": client, "jti": "x",
				"scope": "reports:read"}},
		{Name: "an ID token", Type: "JWT", Claims: map[string]any{"sub": subject, "sid": "s", "nonce": "n",
			"email": "alice@acme.example", "email_verified": true}},
	}
}

func keycloakTokens() []ForeignToken {
	const subject, account = "5b0e2a5c-8b1c-4b6f-9d1f-0f2b7c6a9e41", "91c4d7f2-6a3e-4f0d-8e25-7b5a1c3d9f60"
	user := map[string]any{"jti": "onrtac:x", "typ": "Bearer", "azp": "web", "sid": "s", "acr": "1", "sub": subject,
		"allowed-origins": []string{"https://web.example"}, "realm_access": map[string]any{"roles": []string{"staff"}},
		"scope": "openid reports", "email_verified": true, "name": "Alice", "preferred_username": "alice",
		"email": "alice@acme.example"}
	service := map[string]any{"jti": "trrtcc:x", "typ": "Bearer", "azp": "billing", "acr": "1", "sub": account,
		"scope":      "reports",
		"clientHost": "10.0.0.1", "clientAddress": "10.0.0.1", "client_id": "billing", "email_verified": false,
		"preferred_username": "service-account-billing"}
	return []ForeignToken{
		{Name: "a user's", Type: "JWT", Claims: user, User: subject, Scopes: []string{"openid", "reports"}},
		{Name: "a user's, exchanged by a service", Type: "JWT", User: subject, Scopes: []string{"openid", "reports"},
			Claims: with(user, map[string]any{"azp": "billing"})},
		{Name: "a user's, lightweight", Type: "JWT", User: subject, Scopes: []string{"openid"}, Claims: map[string]any{
			"jti": "x", "typ": "Bearer", "azp": "web", "sid": "s", "scope": "openid", "sub": subject}},
		{Name: "a service account's", Type: "JWT", Claims: service, Machine: "billing", Scopes: []string{"reports"}},
		{Name: "a service account's of a client in upper case", Type: "JWT", Machine: "Billing",
			Scopes: []string{"reports"},
			Claims: with(service, map[string]any{"azp": "Billing", "client_id": "Billing"})},
		{Name: "a service account's, exchanged by another", Type: "JWT", Machine: "billing",
			Scopes: []string{"reports"},
			Claims: with(service, map[string]any{"azp": "gateway"})},
		{Name: "a service account's with a session, as of older versions", Type: "JWT", Machine: "billing",
			Scopes: []string{"reports"}, Claims: with(service, map[string]any{"session_state": "s", "client_id": nil,
				"clientId": "billing"})},
		{Name: "of a user who took the name of a service account", Type: "JWT",
			Claims: with(user, map[string]any{"azp": "billing", "preferred_username": "service-account-billing"})},
		{Name: "of a user or a service account, without a name and a session", Type: "JWT",
			Claims: with(user, map[string]any{"sid": nil, "preferred_username": nil})},
		{Name: "a refresh token", Type: "JWT", Claims: with(user, map[string]any{"typ": "Refresh"})},
		{Name: "an offline token", Type: "JWT", Claims: with(user, map[string]any{"typ": "Offline"})},
		{Name: "an ID token", Type: "JWT", Claims: with(user, map[string]any{"typ": "ID", "nonce": "n"})},
		{Name: "a logout token", Type: "JWT", Claims: with(user, map[string]any{"typ": "Logout"})},
		{Name: "a token bound to a key", Type: "JWT",
			Claims: with(user, map[string]any{"typ": "DPoP", "cnf": map[string]any{"jkt": "x"}})},
	}
}

func cognitoTokens() []ForeignToken {
	const client, subject = "3n4b5urk1ft4fl3mg5e62d9ado", "aaaa1111-bb22-4c33-8d44-eeee55555555"
	user := map[string]any{"aud": nil, "sub": subject, "cognito:groups": []string{"staff"}, "token_use": "access",
		"scope": "api/read", "auth_time": 1, "version": 2, "client_id": client, "username": "alice", "jti": "x",
		"event_id": "x"}
	return []ForeignToken{
		{Name: "a user's", Claims: user, User: subject, Scopes: []string{"api/read"}},
		{Name: "a machine's", Machine: client, Scopes: []string{"api/read"}, Claims: map[string]any{"aud": nil,
			"sub":       client,
			"token_use": "access", "scope": "api/read", "auth_time": 1, "version": 2, "jti": "x", "client_id": client}},
		{Name: "an ID token", Claims: map[string]any{"aud": client, "sub": subject, "token_use": "id", "auth_time": 1,
			"cognito:username": "alice", "email": "alice@acme.example", "email_verified": true}},
	}
}

func hydraTokens() []ForeignToken {
	const client = "f2b1c3d4-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
	return []ForeignToken{
		{Name: "a user's", Type: "JWT", User: "alice", Scopes: []string{"openid", "offline"}, Claims: map[string]any{
			"client_id": client, "ext": map[string]any{}, "jti": "x", "nbf": 1, "scp": []string{"openid", "offline"},
			"sub": "alice"}},
		{Name: "a machine's", Type: "JWT", Machine: client, Scopes: []string{"reports"}, Claims: map[string]any{
			"client_id": client, "ext": map[string]any{}, "jti": "x", "nbf": 1, "scp": []string{"reports"},
			"sub": client}},
		{Name: "an ID token", Type: "JWT", Claims: map[string]any{"at_hash": "x", "auth_time": 1, "jti": "x", "rat": 1,
			"sid": "s", "sub": "alice"}},
	}
}

func googleTokens() []ForeignToken {
	const account = "113774264463038321964"
	return []ForeignToken{
		{Name: "a person's", Type: "JWT", User: "107691503500061507151", Claims: map[string]any{
			"azp": "1234-x.apps.googleusercontent.com", "sub": "107691503500061507151", "hd": "acme.example",
			"email": "alice@acme.example", "email_verified": true, "at_hash": "x"}},
		{Name: "a service account's", Type: "JWT", Machine: account, Claims: map[string]any{"azp": account,
			"sub":   account,
			"email": "billing@acme.iam.gserviceaccount.com", "email_verified": true}},
		{Name: "a service account's, with its address as azp", Type: "JWT", Machine: account, Claims: map[string]any{
			"azp": "billing@acme.iam.gserviceaccount.com", "sub": account,
			"email": "billing@acme.iam.gserviceaccount.com", "email_verified": true}},
		{Name: "of a person or a service account, without azp", Type: "JWT", Claims: map[string]any{"sub": account,
			"hd": "acme.example"}},
	}
}

func gitHubTokens() []ForeignToken {
	const subject = "repo:acme/shop:environment:prod"
	return []ForeignToken{{Name: "a job's", Type: "JWT", Machine: "74", Claims: map[string]any{"jti": "x",
		"sub":         subject,
		"environment": "prod", "ref": "refs/heads/main", "sha": "x", "repository": "acme/shop",
		"repository_owner":    "acme",
		"repository_owner_id": "65", "repository_id": "74", "repository_visibility": "private", "actor": "alice",
		"actor_id": "12", "workflow": "deploy", "event_name": "push", "run_id": "1",
		"runner_environment": "github-hosted",
		"job_workflow_ref":   "acme/shop/.github/workflows/deploy.yml@refs/heads/main"}}}
}

func kubernetesTokens() []ForeignToken {
	const subject = "system:serviceaccount:shop:billing"
	return []ForeignToken{
		{Name: "a service account's, bound to a pod", Machine: subject, Claims: map[string]any{"jti": "x", "nbf": 1,
			"sub": subject,
			"kubernetes.io": map[string]any{"namespace": "shop", "pod": map[string]any{"name": "billing-0", "uid": "x"},
				"serviceaccount": map[string]any{"name": "billing", "uid": "x"}, "warnafter": 1}}},
		{Name: "a service account's, without an end", Machine: subject, Claims: map[string]any{"sub": subject,
			"exp":                                    nil,
			"kubernetes.io/serviceaccount/namespace": "shop",
			"kubernetes.io/serviceaccount/service-account.name": "billing"}},
	}
}
