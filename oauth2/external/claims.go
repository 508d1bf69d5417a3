package external

import (
	"context"

	"github.com/gatewarden/auth/jwt"
)

// verifyIdentity checks the ID token and makes a profile of it.
func (rp *relyingParty) verifyIdentity(ctx context.Context, a *loginResult) (*Profile, error) {
	token, claims, err := rp.verify(ctx, a)
	if err != nil {
		return nil, err
	}
	a.expires = expiryOf(claims)
	profile := &Profile{Issuer: rp.issuerOf(token), Subject: token.Subject(), Claims: claims,
		AuthInfo: checkedAuthInfo(token.AuthInfo(), a.now)}
	if err := rp.addUserInfo(ctx, a, claims, profile.Subject); err != nil {
		return nil, err
	}
	profile.Email.Address, profile.Email.Verified = Exact(claims, "email"), Flag(claims, "email_verified")
	profile.Name, profile.Username = Text(claims, "name"), Exact(claims, "preferred_username")
	profile.Picture = Exact(claims, "picture")
	if rp.Tenant != "" {
		profile.Tenant = Exact(claims, rp.Tenant)
	}
	if err := rp.checkTenant(token, profile); err != nil {
		return nil, err
	}
	a.replayKey = nonceReplayKey(profile.Issuer, rp.clientID, a.attempt.Nonce)
	// If it is verified, and its domain is listed. Where everybody can have an account with
	// any address, only Complete knows.
	profile.Email.Authoritative = !rp.Quirks.AnyDomain
	if rp.Quirks.Complete != nil {
		if profile, err = rp.callComplete(ctx, a, profile); err != nil {
			return nil, err
		}
	}
	return profile, nil
}

// issuerOf returns the issuer of the identity that an ID token names. Aliases stand for Issuer.
func (rp *relyingParty) issuerOf(token *jwt.Token) string {
	if rp.Quirks.IssuerTemplate != "" {
		return token.Issuer()
	}
	return rp.Issuer
}

// checkTenant holds a profile to the tenant that issued the ID token.
func (rp *relyingParty) checkTenant(token *jwt.Token, profile *Profile) error {
	if rp.Quirks.IssuerTemplate == "" {
		return nil
	}
	if tenant := rp.tenantOf(profile.Issuer); tenant == "" || profile.Tenant != tenant {
		return untrustedValue("the "+rp.Tenant+" of the ID token is not that of its issuer", profile.Tenant, tenant)
	}
	return nil
}

// callComplete calls Quirks.Complete, which may refuse or complete the profile. It cannot change Issuer, Subject,
// AuthInfo and, with IssuerTemplate, Tenant. The function works on a copy, and the result is another copy.
func (rp *relyingParty) callComplete(ctx context.Context, a *loginResult, profile *Profile) (*Profile, error) {
	ctx, cancel := context.WithTimeout(ctx, rp.timeout)
	defer cancel()
	argument := profile.copied()
	if err := rp.Quirks.Complete(ctx, newAPI(rp.provider, a), argument); err != nil {
		return nil, err
	}
	result := argument.copied()
	result.Issuer, result.Subject, result.AuthInfo = profile.Issuer, profile.Subject, profile.AuthInfo
	if rp.Quirks.IssuerTemplate != "" {
		result.Tenant = profile.Tenant
	}
	return result, nil
}
