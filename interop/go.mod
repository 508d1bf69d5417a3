module github.com/gatewarden/auth/interop

go 1.25.0

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/gatewarden/auth v0.0.0
	golang.org/x/oauth2 v0.36.0
)

require github.com/go-jose/go-jose/v4 v4.1.4 // indirect

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/gatewarden/auth => ..
