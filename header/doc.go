// Package header authenticates by what is not a token in Authorization: a
// header that a trusted proxy sets ([New]), an API key in a header of its own
// ([NewAPIKey]), a client certificate ([NewCertificate]), and HTTP Basic
// ([NewBasic]).
//
// Choose [Header] where something in front of the service has authenticated
// the user already. It refuses to be built without a rule for which senders to believe,
// because a header is what anybody can write:
//
//	proxied, err := header.New(header.Config{
//		Header:   "X-Username",
//		LoadUser: users.Load,
//		Trust:    header.Trust{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/32")}},
//	})
//
// Choose [APIKey] where clients expect to send X-API-Key rather than
// Authorization, [Certificate] for services and devices that have a key of
// their own, and [Basic] for scripts and for logging in.
//
// # Behind oauth2-proxy
//
// oauth2-proxy as reverse proxy sends X-Forwarded-User, X-Forwarded-Email,
// X-Forwarded-Preferred-Username and X-Forwarded-Groups to the service:
//
//	header.Config{Header: "X-Forwarded-User", Groups: "X-Forwarded-Groups", …}
//
// X-Forwarded-User is the subject of an OpenID provider, which stays when
// people change their address. Use X-Forwarded-Email only where the provider
// verifies it. Leave --skip-auth-strip-headers on, as it is by default: without
// it, paths that need no login pass on what the client wrote. Use version 7 or
// later: earlier ones could add to the groups that the client sent (its issue
// 877). Set --pass-basic-auth=false: else every request has an Authorization
// header too, which a [Basic] that is asked first takes for a wrong password.
//
// # Behind nginx with auth_request
//
// nginx asks somebody, such as oauth2-proxy with --set-xauthrequest, and passes
// on what that answers. proxy_set_header overwrites what the client sent, and
// an empty variable removes it. Both lines must stand wherever proxy_pass does,
// also in locations without auth_request, there with "":
//
//	location / {
//		auth_request     /oauth2/auth;
//		auth_request_set $user   $upstream_http_x_auth_request_user;
//		auth_request_set $groups $upstream_http_x_auth_request_groups;
//		proxy_set_header X-Forwarded-User   $user;
//		proxy_set_header X-Forwarded-Groups $groups;
//		proxy_set_header X-Proxy-Secret     "…";
//		proxy_pass       http://service;
//	}
//
// The other way round, where nginx asks this service about requests to another one,
// is [auth.Guard.ForwardAuth].
//
// # Which senders to trust
//
// [Trust] with the proxy's address is enough where nothing else runs there.
// Where others share its address or network, in one pod or on one host, add
// Trust.SecretHeader, as above, or a client certificate of the proxy's.
package header
