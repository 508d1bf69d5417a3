package jwt

import (
	"errors"
	"maps"
	"slices"
)

// Profile says how an issuer writes its access tokens: which claims hold scopes, which name the client, and how a
// machine is told from a user. There are presets for [Gatewarden], which are tokens of this package, and for [Entra],
// [Okta], [Auth0], [Keycloak], [Cognito], [Hydra], [Google], [GitHubActions] and [Kubernetes].
//
// It is plain data. Take a preset and change a field where your provider is set up in another way:
//
//	profile := jwt.Auth0()
//	profile.ScopeClaims = []string{"scope", "permissions"}
//
// The zero value is any other issuer: scopes are in "scope" and "scp", the client is in "client_id", "azp", "cid" or
// "appid", and a token is a machine's if its subject is its client (RFC 9068 §5).
//
// A token with any of these six claims, or one of ScopeClaims, MachineScopeClaims or ClientClaims, is limited to its
// scopes, whatever the claim holds, null too (RFC 9068 §2.2.3). If Own is set, "scope" and "client_id" take the place
// of the six claims.
//
// A token is refused if its client, or a claim that Machines or Doubts compare with another one, is not a text or a
// whole number. Null counts as missing.
type Profile struct {
	// Own means that package jwt issued the tokens. Their claims "sid", "gen", "stamp" and "refresh_exp" then mean what
	// they mean here, and a token without "scope" and "client_id" has full access. In tokens of others these claims
	// mean nothing.
	Own bool

	// Types are the values of the header "typ" that are accepted, as in Issuer.Checks.Types, which comes first. Nil is
	// "at+jwt" (RFC 9068 §4).
	Types []string
	// Kinds are claims that tell access tokens from others, and the values that they may have. All must be there.
	Kinds map[string][]string
	// BoundKinds are further values of Kinds, of tokens that are bound to a key and therefore no bearer tokens.
	BoundKinds map[string][]string
	// RequireOneOf are claims of which an access token of the issuer always has one and its ID tokens have not. Nil
	// asks for no claim.
	RequireOneOf []string
	// AudienceClaim is held to Issuer.Audience in a token without "aud". Empty is no claim.
	AudienceClaim string

	// ScopeClaims hold scopes, each as a text with spaces between them or as an array. Nil is "scope" and "scp".
	ScopeClaims []string
	// MachineScopeClaims hold scopes as well, of machines only. A user's token with one of them is limited, too.
	MachineScopeClaims []string
	// ClientClaims name the client, the first that is there first. Nil is "client_id", "azp", "cid" and "appid".
	ClientClaims []string

	// Machines are signs of a token that stands for a program and not for a user. One is enough. Nil is a subject that
	// is also one of ClientClaims or of the default client claims.
	Machines []Mark
	// MachineClaim identifies machines. Set it where customers of the issuer choose how the subject is written. Empty
	// is the client, or else the subject.
	MachineClaim string
	// Doubts are signs that a token without any of Machines may still be a machine's. It is refused. Nil beside nil
	// Machines are signs in tokens of providers that have a preset, such as "gty" of Auth0 and "idtyp" of Entra, so
	// that no machine passes for a user where the preset is missing. They are not looked for if Own is set.
	Doubts []Mark
	// AllMachines means that every token is a machine's, which MachineClaim or else its subject identifies.
	AllMachines bool

	// BindOneOf are claims that say which of the issuer's customers a token is of. Set them where the issuer gives
	// tokens to everybody, for any audience. Issuer.Shared.RequireValues must then name one of them.
	BindOneOf []string
	// KeyIssuers means that the issuer publishes keys of several issuers in one set, each with a member "issuer". A key
	// signs for the issuer only that it names, where "{tenantid}" stands for the claim "tid". A key without that
	// member signs for no issuer. It is always so where Issuer.Issuer is a template.
	KeyIssuers bool
	// KeyIssuerAliases are issuers that a key may name in place of the token's, with "{tenantid}" as in KeyIssuers.
	KeyIssuerAliases []string
}

// Rights are what a [Profile] reads in the claims of a token.
type Rights struct {
	// Scopes are what the token is limited to. A token without any of the claims of the profile has no scopes.
	Scopes []string
	// Limited reports that the token has a claim with scopes or a client, or is a machine's. If it is false, the issuer
	// said nothing about limits, which does not yet mean that there are no limits.
	Limited bool
	// ClientID is the client, or "".
	ClientID string
	// Machine is the identifier of the machine that the token stands for, or "" if it stands for a user.
	Machine string
	// Email is the claim "email" if "email_verified" is true, or "true", as some issuers write it. Otherwise it is "".
	// An address in another claim is only as good as this one: see Issuer.AllowUnverifiedEmail.
	Email string
	// Bound reports a token that is bound to a key by "cnf" (RFC 7800 §3.1) or its kind. It must not be accepted as a
	// bearer token.
	Bound bool
}

// ProfileReader reads the rights of tokens by a [Profile]. It is immutable and safe for concurrent use.
type ProfileReader struct {
	profile  Profile
	signs    []string // claims that limit a token
	clients  []string // claims that name the client
	compared []string // claims that are compared with each other to find machines
	kinds    []string // the names of profile.Kinds, in order
}

// limiting are claims that always limit a token.
type limiting struct{ scopes, clients []string }

// The claims that limit tokens of ours, and those of others by the names that issuers use.
var (
	ownClaims   = limiting{[]string{"scope"}, []string{"client_id"}}
	otherClaims = limiting{[]string{"scope", "scp"}, []string{"client_id", "azp", "cid", "appid"}}
)

// Reader returns a reader with a copy of the profile, or an error that says what is wrong with it.
func (p Profile) Reader() (*ProfileReader, error) { return p.reader("sub") }

// reader is Reader for tokens with their user in this claim.
func (p Profile) reader(userClaim string) (*ProfileReader, error) {
	p = p.clone()
	r := &ProfileReader{kinds: slices.Sorted(maps.Keys(p.Kinds))}
	names := ownClaims // whatever the profile names besides, they limit a token
	if !p.Own {
		names = otherClaims
	}
	p.ScopeClaims, p.ClientClaims = orDefault(p.ScopeClaims, names.scopes), orDefault(p.ClientClaims, names.clients)
	r.clients = union(p.ClientClaims, names.clients)
	r.signs = union(names.scopes, p.ScopeClaims, p.MachineScopeClaims, r.clients)
	if p.Machines == nil && p.Doubts == nil && !p.Own {
		p.Doubts = machinesOfOthers(r.clients)
	}
	if p.Machines == nil {
		p.Machines = []Mark{{Claim: "sub", Of: r.clients}}
		if p.Own && userClaim != "sub" {
			p.Machines = append(p.Machines, Mark{Claim: userClaim, Of: r.clients})
		}
	}
	r.compared = p.ClientClaims
	for _, mark := range slices.Concat(p.Machines, p.Doubts) {
		if len(mark.Of) > 0 {
			r.compared = union(r.compared, []string{mark.Claim}, mark.Of)
		}
	}
	r.profile = p
	return r, p.check()
}

func orDefault(names, defaults []string) []string {
	if names == nil {
		return defaults
	}
	return names
}

// union returns all names, each once.
func union(lists ...[]string) []string {
	var all []string
	for _, name := range slices.Concat(lists...) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// check refuses what could only be a slip.
func (p Profile) check() error {
	for _, names := range [][]string{p.RequireOneOf, p.ScopeClaims, p.MachineScopeClaims, p.ClientClaims, p.BindOneOf} {
		if slices.Contains(names, "") {
			return errors.New("the profile names an empty claim")
		}
	}
	for name, values := range p.Kinds {
		if name == "" || len(values) == 0 {
			return errors.New("the profile has a claim in Kinds without a name or without values")
		}
	}
	for name := range p.BoundKinds {
		if p.Kinds[name] == nil {
			return errors.New("BoundKinds of the profile has a claim that Kinds has not")
		}
	}
	for _, mark := range slices.Concat(p.Machines, p.Doubts) {
		if err := mark.check(); err != nil {
			return err
		}
	}
	return nil
}

// clone returns a copy that shares nothing with p.
func (p Profile) clone() Profile {
	for _, names := range []*[]string{&p.Types, &p.RequireOneOf, &p.ScopeClaims, &p.MachineScopeClaims, &p.ClientClaims,
		&p.BindOneOf, &p.KeyIssuerAliases} {
		*names = slices.Clone(*names)
	}
	p.Kinds, p.BoundKinds = cloneValues(p.Kinds), cloneValues(p.BoundKinds)
	p.Machines, p.Doubts = cloneMarks(p.Machines), cloneMarks(p.Doubts)
	return p
}

func cloneValues(from map[string][]string) map[string][]string {
	values := maps.Clone(from)
	for name := range values {
		values[name] = slices.Clone(values[name])
	}
	return values
}
