package server

import (
	"context"
	"slices"
	"strings"
)

// checkUserInfoAudience refuses a token that the client asked for another API. A resource server that is sent one must
// not learn the user from it (RFC 9068 §4, RFC 8707 §2, RFC 9700 §2.3). The userinfo endpoint is named by the
// issuer or by its own URL. A client that names no resource means it too, because an OpenID Connect client knows no
// other token for it (OpenID Connect Core §5.3.1).
func (s *Server) checkUserInfoAudience(ctx context.Context, access *Access, grant *Grant) error {
	own := []string{s.config.Issuer, s.url("/userinfo/"), s.url("/userinfo")}
	has := func(id string) bool { return slices.Contains(access.Audience, id) }
	if s.config.OpenID.AllowAnyAudienceAtUserInfo || slices.ContainsFunc(own, has) {
		return nil
	}
	client, err := s.findClient(ctx, grant.ClientID)
	if err != nil {
		return err
	}
	for _, resource := range s.config.Resources {
		if client == nil || !client.mayAskFor(resource.ID) {
			continue
		}
		if has(resource.ID) { // the one of a client that does not name any
			return nil
		}
		own = append(own, resource.ID)
		break
	}
	return errInvalidToken(ofClient(grant.ClientID, failedSetting("Config.OpenID.AllowAnyAudienceAtUserInfo",
		"the token is for another API, because the client named a resource",
		strings.Join(access.Audience, " "), own...)))
}

// auditUserInfo lists that tokens for every API are good at the userinfo endpoint.
func auditUserInfo(a *auditor) {
	if a.config.OpenID.AllowAnyAudienceAtUserInfo {
		a.add("RFC 9700 §2.3", "OpenID.AllowAnyAudienceAtUserInfo",
			"an API that is sent a token with the scope openid can read the profile of the user with it")
	}
}
