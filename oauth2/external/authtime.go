package external

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatewarden/auth"
)

// checkAssumed refuses a name in Config.Accounts.AllowAssumedAuthTime that is not the name of a provider.
func (l *Logins) checkAssumed() error {
	for _, name := range l.config.Accounts.AllowAssumedAuthTime {
		if l.providers[name] == nil {
			return fmt.Errorf("oauth2/external: Config.Accounts.AllowAssumedAuthTime has %q, which is no provider",
				name)
		}
	}
	return nil
}

// authInfo returns when and how a person logged in, if the person came back at an instant.
func (l *Logins) authInfo(p *Profile, back time.Time) auth.AuthInfo {
	info := checkedAuthInfo(p.AuthInfo, back)
	if info.AuthTime.IsZero() && slices.Contains(l.config.Accounts.AllowAssumedAuthTime, p.Provider) {
		info.AuthTime = back
	}
	return info
}

// checkedAuthInfo returns when and how a person logged in at the provider, as the ID token tells. If the time is ahead
// of our clock by at most leeway, it is now. If it is later, it is left out.
func checkedAuthInfo(info auth.AuthInfo, now time.Time) auth.AuthInfo {
	switch at := info.AuthTime; {
	case at.After(now.Add(leeway)):
		info.AuthTime = time.Time{}
	case at.After(now):
		info.AuthTime = now
	}
	return info
}

// checkFresh refuses a user that wants to change how to sign in, and has not signed in just now.
func (l *Logins) checkFresh(credential auth.Credential) *failure {
	err := auth.Fresh(l.config.Linking.MaxAge)(nil, nil, credential)
	if err == nil {
		return nil
	}
	informer, ok := auth.As[auth.AuthInformer](credential)
	if !ok || informer.AuthInfo().AuthTime.IsZero() {
		return &failure{Reason: reasonUnknownAge, cause: fmt.Errorf("%w: %w", err, errUnknownAge)}
	}
	return &failure{Reason: reasonStale, cause: err}
}

var errUnknownAge = errors.New("if the user signed in by a provider that does not tell when, see " +
	"Config.Accounts.AllowAssumedAuthTime")
