module github.com/gatewarden/auth/store/sqlstore

go 1.25.0

require github.com/gatewarden/auth v0.0.0

replace github.com/gatewarden/auth => ../..
