package jwt

// subjectIsClient is a token of a client that acts for itself (RFC 9068 §5).
func subjectIsClient(claims ...string) Mark { return Mark{Claim: "sub", Of: claims} }

// machinesOfOthers are signs of machines in tokens of providers that give machines another subject than their client.
func machinesOfOthers(clients []string) []Mark {
	return []Mark{
		{Claim: "gty", Values: []string{"client-credentials", "client_credentials"}},          // Auth0, FusionAuth
		{Claim: "sub", Suffix: "@clients", Of: clients},                                       // Auth0
		{Claim: "idtyp", Values: []string{"app"}},                                             // Entra
		{Claim: "preferred_username", Prefix: "service-account-", Of: clients, AnyCase: true}, // Keycloak
	}
}

// Gatewarden is the profile of tokens that [Tokens] issued, and of access tokens of an oauth2/server with the same
// issuer. A token without "scope" and "client_id" has full access.
func Gatewarden() Profile { return Profile{Own: true} }

// Entra is the profile of Microsoft Entra ID, for tokens of version 1 and 2. Scopes of users are in "scp" and those of
// machines in "roles". A token is a machine's if "idtyp" is "app", or if "idtyp" and "scp" are missing and the
// subject is the object itself ("oid"). One with another "idtyp" than "user" is refused, and so is one without all of
// "idtyp", "scp" and "oid". Any other token without "scp" is a user's, and limited to nothing. Keys must name the
// issuer that they are for, as those at /{tenant}/discovery/v2.0/keys do.
//
// Without Issuer.Issuer as a template it is for one tenant: see Issuer.Shared.Tenants.
func Entra() Profile {
	return Profile{
		Types:              []string{"JWT", "at+jwt"},
		RequireOneOf:       []string{"azp", "appid"}, // ID tokens have neither of them
		ScopeClaims:        []string{"scp"},
		MachineScopeClaims: []string{"roles"},
		ClientClaims:       []string{"azp", "appid"},
		Machines: []Mark{
			{Claim: "idtyp", Values: []string{"app"}},
			{Claim: "sub", Of: []string{"oid"}, Without: []string{"idtyp", "scp"}},
			subjectIsClient("azp", "appid"),
		},
		Doubts: []Mark{
			{Claim: "idtyp", Values: []string{"user"}, Not: true},
			{Without: []string{"idtyp", "scp", "oid"}},
		},
		KeyIssuers: true,
		// Tokens of version 1 have the issuer https://sts.windows.net/{tenantid}/, which no key names.
		KeyIssuerAliases: []string{"https://login.microsoftonline.com/{tenantid}/v2.0"},
	}
}

// Okta is the profile of an authorization server of Okta. A token is a machine's if its subject is its client and it
// has no "uid", which the tokens of users have. "sub" is the user's login at Okta, which can change. Format.UserClaim
// "uid" identifies users for good.
func Okta() Profile {
	return Profile{
		Types:        []string{"", "JWT", "at+jwt", "okta-internal-at+jwt"},
		RequireOneOf: []string{"cid"},
		ScopeClaims:  []string{"scp"},
		ClientClaims: []string{"cid"},
		Machines:     []Mark{{Claim: "sub", Of: []string{"cid"}, Without: []string{"uid"}}},
		Doubts: []Mark{
			subjectIsClient("cid"), // a user that logs in by the identifier of the client
			{Without: []string{"uid"}},
		},
	}
}

// Auth0 is the profile of an Auth0 tenant, for both of its token dialects. To take permissions of Auth0's role-based
// access control for scopes, add "permissions" to ScopeClaims. They are all that the user may do at the API, also where
// the application asked for less.
func Auth0() Profile {
	return Profile{
		Types:        []string{"JWT", "at+jwt"},
		RequireOneOf: []string{"azp", "client_id"},
		ScopeClaims:  []string{"scope"},
		ClientClaims: []string{"azp", "client_id"},
		Machines: []Mark{
			{Claim: "gty", Values: []string{"client-credentials"}},
			{Claim: "sub", Suffix: "@clients", Of: []string{"azp", "client_id"}},
			subjectIsClient("azp", "client_id"),
		},
		Doubts: []Mark{{Claim: "sub", Suffix: "@clients"}},
	}
}

// Keycloak is the profile of a realm of Keycloak. A token is a service account's if "preferred_username" is
// "service-account-" and the client, and if it has the address that Keycloak writes for service accounts only, or
// "client_id" and no session of a user. Anybody that may choose a user name could have the first. What could be either
// is refused. Answers of introspection always have "client_id" and no address: keep users from names that start with
// "service-account-" there, if they can have tokens without a session ("sid").
//
// Keycloak writes the API into "aud" only if a mapper of the client or of a client scope says so.
func Keycloak() Profile {
	clients := []string{"azp", "client_id", "clientId"}
	address := []string{"clientHost", "clientAddress"}
	session := []string{"sid", "session_state"}
	account := Mark{Claim: "preferred_username", Prefix: "service-account-", Of: []string{"azp", "client_id"},
		AnyCase: true}
	addressed, without := account, account
	addressed.With, without.With, without.Without = address, []string{"client_id"}, session
	return Profile{
		Types:        []string{"JWT", "at+jwt"},
		Kinds:        map[string][]string{"typ": {"Bearer"}},
		BoundKinds:   map[string][]string{"typ": {"DPoP"}},
		RequireOneOf: []string{"azp", "client_id"},
		ScopeClaims:  []string{"scope"},
		ClientClaims: clients,
		Machines: []Mark{
			addressed,
			without,
			{With: address, Without: []string{"preferred_username"}},
			subjectIsClient(clients...),
		},
		Doubts: []Mark{
			{Claim: "preferred_username", Prefix: "service-account-", AnyCase: true},
			{Without: append([]string{"preferred_username"}, session...)},
		},
	}
}

// Cognito is the profile of a user pool of Amazon Cognito. Its access tokens have no "aud", unless the client asked for
// a resource. Name the identifiers of the clients that may call in Issuer.Audience.
func Cognito() Profile {
	return Profile{
		Types:         []string{"", "JWT"},
		Kinds:         map[string][]string{"token_use": {"access"}},
		AudienceClaim: "client_id",
		ScopeClaims:   []string{"scope"},
		ClientClaims:  []string{"client_id"},
	}
}

// Hydra is the profile of Ory Hydra with access tokens as JWTs. What a subject is, the login application decides: it
// must not give users a subject that is the identifier of a client.
func Hydra() Profile {
	return Profile{
		Types:        []string{"JWT", "at+jwt"},
		RequireOneOf: []string{"client_id"},
		ClientClaims: []string{"client_id"},
	}
}

// Google is the profile of https://accounts.google.com. Google's access tokens are not JWTs: these are ID tokens, of
// people that signed in to the application that Issuer.Audience names, and of service accounts, which may ask for any
// audience. Anybody can make a service account, so one of "sub", "email" and "hd" must be in
// Issuer.Shared.RequireValues. Both are limited to nothing.
//
// A token is a service account's if "azp" is its subject or address, or if "azp" or "email" is an address of one. Its
// subject identifies it. Any other token is refused, unless "azp" is the client of an application, as in those of
// people.
func Google() Profile {
	const account = ".gserviceaccount.com"
	return Profile{
		Types:        []string{"JWT"},
		ClientClaims: []string{"azp"},
		Machines: []Mark{
			subjectIsClient("azp"),
			{Claim: "azp", Of: []string{"email"}, AnyCase: true},
			{Claim: "azp", Suffix: account, AnyCase: true},
			{Claim: "email", Suffix: account, AnyCase: true},
		},
		MachineClaim: "sub",
		Doubts: []Mark{
			{Without: []string{"azp"}},
			{Claim: "azp", Suffix: ".apps.googleusercontent.com", Not: true},
		},
		BindOneOf: []string{"sub", "email", "hd"},
	}
}

// GitHubActions is the profile of https://token.actions.githubusercontent.com. Every token is of a job, so of a
// machine, and has no scopes. Every repository at GitHub can ask for tokens with any audience, so
// Issuer.Shared.RequireValues must name a repository, its owner or an enterprise. "sub" does not count, as each
// repository may choose how it is written. Use "repository_id" and "repository_owner_id" rather than names, which
// others may take after a change.
//
// The machine is the repository, by "repository_id". To tell its branches and environments apart, ask for them in
// Issuer.Shared.RequireValues. With MachineClaim "sub", two repositories that chose the same subject are one machine.
func GitHubActions() Profile {
	return Profile{
		Types:       []string{"JWT", ""},
		AllMachines: true, MachineClaim: "repository_id",
		BindOneOf: []string{"repository", "repository_id", "repository_owner", "repository_owner_id", "enterprise",
			"enterprise_id"},
	}
}

// Kubernetes is the profile of service account tokens of a cluster. Every token is a machine's, and its identifier is
// the subject: "system:serviceaccount:" with namespace and name.
func Kubernetes() Profile {
	return Profile{
		Types:       []string{"", "JWT"},
		AllMachines: true,
	}
}
