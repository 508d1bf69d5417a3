// Package wycheproof holds package jwt against the vectors of Project Wycheproof
// (github.com/c2sp/wycheproof): keys, signatures and tokens made to be mistaken.
//
// It is a module of its own, outside the workspace, since the vectors are large
// and need a newer Go than the library. Run it as `make test` does:
//
//	GOWORK=off go test -tags wycheproof ./...
//
// The tag adds to package jwt a function that checks a token with a payload that is
// not claims, as those of the vectors are not.
package wycheproof
