package server

// features lists what a configuration has, in the order in which it is registered. This is
// the one place that names the features that are built in.
func (c *Config) features() []feature {
	all := []feature{storedClients{}, clientSecrets{}, introspectionEndpoint{}, revocationEndpoint{}}
	for _, grant := range c.grantTypes() {
		all = append(all, ownGrant{grant})
	}
	if c.hasGrant(GrantAuthorizationCode) {
		all = append(all, authorizationEndpoint{})
	}
	if c.hasGrant(GrantRefreshToken) {
		all = append(all, refreshTokens{})
	}
	if c.hasGrant(GrantClientCredentials) {
		all = append(all, machineClients{})
	}
	if c.Keys != nil {
		all = append(all, publishedKeys{})
	}
	if c.isOpenIDProvider() {
		all = append(all, openIDConnect{})
	}
	if c.Tokens.Claims != nil {
		all = append(all, applicationClaims{})
	}
	if c.OpenID.Logout != nil {
		all = append(all, initiatedLogout{})
	}
	if c.Clients.Developers != nil {
		all = append(all, ownApplications{})
	}
	return all
}

// grantTypes returns Config.Tokens.Grants, or its default.
func (c *Config) grantTypes() []GrantType {
	if c.Tokens.Grants == nil {
		return []GrantType{AuthorizationCode{}, RefreshToken{}, ClientCredentials{}}
	}
	return c.Tokens.Grants
}

// hasGrant reports whether a grant has this name. It need not be the one of this package: an
// application may have put its own around that.
func (c *Config) hasGrant(name string) bool {
	for _, grant := range c.grantTypes() {
		if grant != nil && grant.Name() == name {
			return true
		}
	}
	return false
}

// isOpenIDProvider reports whether there are ID tokens. Keys sign them, and users sign in.
func (c *Config) isOpenIDProvider() bool { return c.Keys != nil && c.hasGrant(GrantAuthorizationCode) }

// ownGrant is one of Config.Tokens.Grants. Its Exchange is called as the application gave it, also
// if it is a type that embeds one of this package.
type ownGrant struct{ grant GrantType }

func (g ownGrant) register(r *registry) {
	if g.grant == nil {
		r.addGrant("", nil)
		return
	}
	r.addGrant(g.grant.Name(), g.grant.Exchange)
}
