//go:build wycheproof

package jwt

import (
	"context"
	"time"
)

// VerifyBare is what a [Verifier] does with a token of an issuer that has these
// keys, but that its payload need not be claims. It is in no program: only tests
// of module jwt/wycheproof are built with this tag.
func VerifyBare(keys *KeySet, token string) (payload string, err error) {
	i, err := newIssuer(Issuer{Keys: keys, User: SubjectUser, Checks: TokenChecks{
		Types: []string{""}, AllowNoIssuer: true, AllowNoAudience: true, AllowNoExpiry: true}})
	if err != nil {
		return "", err
	}
	u, fault := new(headers).splitToken(token)
	if fault != nil {
		return "", fault.inHeader()
	}
	_, _, err = i.prove(context.Background(), u, nil, wantAccess, time.Now())
	return u.payload, inHeader(err)
}
