// Package interop runs programs of others against ours, as processes that talk
// over sockets:
//
//   - jose of npm verifies the tokens of examples/demo, and issues tokens that a [jwt.Verifier] checks
//
//   - PyJWT verifies the tokens of examples/demo
//
//   - djangorestframework-simplejwt shares a secret with [jwt.Tokens]: each
//     accepts the other's tokens, and both answer the same requests
//
//   - Authlib, requests-oauthlib, passport-openidconnect, Auth.js, openid-client, oauth4webapi, golang.org/x/oauth2
//     and Spring Security sign users in at examples/demo
//
//   - Authlib, PyJWT, jose, oauth4webapi, express-oauth2-jwt-bearer, go-oidc and Spring Security protect APIs with its
//     JWT access tokens
//
//   - nginx and Caddy ask [auth.Guard.ForwardAuth] by the recipes of docs/forward-auth.md
//
//   - nginx, HAProxy and Caddy hand on certificates and addresses
//
//   - an API of ours checks the tokens of Keycloak and Ory Hydra, by [jwt.Verifier], by oauth2.JWT and by introspection
//
// The package holds tests only. `make clients` and `make proxies` install what they need, in the versions that
// package.json and requirements.txt name. `make test-providers` installs Spring Security, Keycloak and Hydra, in the
// versions of spring/pom.xml, the Makefile and hydra/go.mod.
package interop

import (
	_ "github.com/gatewarden/auth" // which the comment names
	_ "github.com/gatewarden/auth/jwt"
)
