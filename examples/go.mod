module github.com/gatewarden/auth/examples

go 1.25.0

require (
	github.com/gatewarden/auth v0.0.0
	github.com/gatewarden/auth/store/sqlstore v0.0.0
	github.com/go-chi/chi/v5 v5.2.3
	modernc.org/sqlite v1.59.0
)

replace (
	github.com/gatewarden/auth => ..
	github.com/gatewarden/auth/store/sqlstore => ../store/sqlstore
)
