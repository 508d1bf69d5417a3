module github.com/gatewarden/auth/store/redisstore

go 1.25.0

require (
	github.com/gatewarden/auth v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/gatewarden/auth => ../..
