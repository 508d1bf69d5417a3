package authtest

import (
	"encoding/json"
	"net/http"
)

// microsoftDouble imitates Microsoft Entra: each tenant is an issuer, and the metadata of
// "common" and "organizations" names a template in place of one.
func microsoftDouble() FakeProvider {
	return FakeProvider{
		Name: "Microsoft", Authorize: "/{tenant}/oauth2/v2.0/authorize", Token: "/{tenant}/oauth2/v2.0/token",
		IDTokens: true, NoResponseIssuer: true,
		Claims: func(s *SignedIn, at string, claims map[string]any) {
			claims["iss"], claims["tid"] = at+"/"+s.Person.Tenant+"/v2.0", s.Person.Tenant
			claims["oid"], claims["ver"] = "oid-"+s.Person.Subject, "2.0"
		},
		serve: func(p *Provider, mux *http.ServeMux) {
			p.handle(mux, "GET /{tenant}/v2.0/.well-known/openid-configuration", p.microsoftMetadata)
			mux.HandleFunc("GET /{tenant}/discovery/v2.0/keys", p.microsoftKeys)
		},
	}
}

// microsoftMetadata is the metadata of a tenant. For "common" and "organizations", which
// stand for many tenants, the issuer is a template.
func (p *Provider) microsoftMetadata(w http.ResponseWriter, r *http.Request) {
	tenant := r.PathValue("tenant")
	issuer := tenant
	switch tenant {
	case "common", "organizations":
		issuer = "{tenantid}"
	case "consumers":
		issuer = "9188040d-6c67-4c5b-b112-36a304b66dad"
	}
	at := p.URL() + "/" + tenant
	p.answer(w, r, map[string]any{
		"issuer":                 p.URL() + "/" + issuer + "/v2.0",
		"authorization_endpoint": at + "/oauth2/v2.0/authorize",
		"token_endpoint":         at + "/oauth2/v2.0/token",
		"jwks_uri":               at + "/discovery/v2.0/keys",
		"userinfo_endpoint":      p.URL() + "/userinfo",
	})
}

// microsoftKeys are the keys of all tenants. Each names the issuer that it signs for, which for those of organizations
// is a template.
func (p *Provider) microsoftKeys(w http.ResponseWriter, r *http.Request) {
	p.fetched(r, func() {
		_, quirks := p.state()
		var all []map[string]any
		for _, key := range p.Keys() {
			text, err := key.MarshalJWK(false)
			members := map[string]any{}
			if err != nil || json.Unmarshal(text, &members) != nil {
				continue
			}
			members["issuer"] = p.URL() + "/{tenantid}/v2.0"
			if quirks.Key != nil {
				quirks.Key(members)
			}
			dropNil(members)
			all = append(all, members)
		}
		p.answer(w, r, map[string]any{"keys": all})
	})
}
