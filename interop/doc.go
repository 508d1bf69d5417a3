// Package interop runs programs that nobody here wrote against ours, as
// processes that talk over sockets:
//
//   - jose of npm verifies the tokens of examples/demo, and is an issuer whose
//     tokens a [jwt.Verifier] checks
//
//   - PyJWT verifies the tokens of examples/demo
//
//   - djangorestframework-simplejwt shares a secret with [jwt.Tokens]: each
//     accepts the other's tokens, and both answer the same requests
//
//   - nginx and Caddy ask [auth.Guard.ForwardAuth] by the recipes of docs/forward-auth.md
//
//   - nginx, HAProxy and Caddy hand on certificates and addresses
//
// There is nothing here but tests. What they need is installed by `make clients`
// and `make proxies`, in the versions that package.json and requirements.txt name.
package interop

import (
	_ "github.com/gatewarden/auth" // which the comment names
	_ "github.com/gatewarden/auth/jwt"
)
