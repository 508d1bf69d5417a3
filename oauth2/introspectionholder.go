package oauth2

import (
	"errors"
	"slices"
	"strings"

	"github.com/gatewarden/auth/internal/cause"
	"github.com/gatewarden/auth/jwt"
)

// setHolder sets the holder of the token. Only the marks of the profile make it a machine's. Otherwise SubjectMember
// names the user, and without that member the token is refused. A server may leave the subject out of tokens of users
// too, and out of refresh tokens that it describes.
func (a *answerRules) setHolder(t *Token, m *members, rights jwt.Rights) {
	t.decided = true
	t.Subject, _ = m.identifier("sub") // one that cannot be read could be a machine's
	if rights.Machine != "" {
		t.machine = a.machinePrefix + rights.Machine
		return
	}
	t.Subject, _ = m.identifier(a.subjectMember)
	switch {
	case t.Subject == "":
		m.refuse(&cause.Check{Name: a.subjectMember,
			Problem: "of the answer is missing, and the profile does not mark the token as a machine's",
			Owner:   "IntrospectionConfig", Setting: "SubjectMember and IntrospectionConfig.Profile"})
	case a.isUnverified(t.Subject, rights.Email):
		m.refuse(&cause.Check{Name: a.subjectMember,
			Problem: "is an e-mail address, and the answer does not say that it is verified",
			Owner:   "IntrospectionConfig", Setting: "AllowUnverifiedEmail"})
	}
}

// isUnverified reports an address that anybody could have claimed. Whatever is in "email" is one (OpenID Connect Core
// §5.7). A "sub" is the server's own name for the user.
func (a *answerRules) isUnverified(subject, verified string) bool {
	const atSigns = "@\uff20\ufe6b" // what mail programs and readers take for an "@"
	return !a.allowUnverified && a.subjectMember != "sub" && subject != verified &&
		(a.subjectMember == "email" || strings.ContainsAny(subject, atSigns))
}

// clientMembers name the client. One that cannot be read refuses the token, as do "sub" and the profile's own, since a
// machine's could otherwise pass for a user's.
var clientMembers = []string{"client_id", "azp", "cid", "appid"}

// rights reads the rights of a token by the profile.
func (a *answerRules) rights(m *members, text []byte) jwt.Rights {
	_, _ = m.identifier("sub")
	for _, names := range [][]string{clientMembers, a.clientClaims} {
		for _, name := range names {
			_, _ = m.identifier(name)
		}
	}
	rights, err := a.profile.Read(text)
	var check *cause.Check
	switch {
	case errors.As(err, &check):
		m.refuse(check.Under("IntrospectionConfig", "Profile"))
	case err != nil:
		m.refuse(&cause.Check{Name: "the answer", Problem: "cannot be read", Err: err})
	}
	return rights
}

// kindMembers are where servers write which kind of token an answer is about, and otherKinds what they write of tokens
// that are for the authorization server or for the client, and not for an API (RFC 6749 §1.5, OpenID Connect Core §2).
// Keycloak writes "typ", Ory Hydra "token_use".
var (
	kindMembers = []string{"token_use", "token_type", "typ", "type"}
	otherKinds  = []string{"rt", "refresh", "refresh_token", "refreshtoken", "offline", "id", "id_token", "idtoken",
		"logout",
		"logout_token", "authorization_code"}
)

// checkKind refuses what is active and no access token, and a token that is bound to a key (RFC 9449 §5) without a
// "cnf" that says to which one.
func (m *members) checkKind() {
	_, confirmed := m.all["cnf"]
	for _, name := range kindMembers {
		kinds, _ := stringsOf(m.all[name])
		for _, kind := range kinds {
			refuse := func(problem string) {
				m.refuse(&cause.Check{Name: name, Came: []string{kind}, Problem: problem})
			}
			switch plain := plainKind(kind); {
			case slices.Contains(otherKinds, plain):
				refuse("is not of an access token (RFC 6749 §1.4)")
			case plain == "dpop" && !confirmed:
				refuse("is no bearer token, and no cnf says to which key it is bound")
			}
		}
	}
}

// plainKind returns a kind without what servers write around it (RFC 8693 §3, RFC 7515 §4.1.9).
func plainKind(kind string) string {
	plain := strings.TrimPrefix(strings.ToLower(kind), "urn:ietf:params:oauth:token-type:")
	plain = strings.TrimSuffix(strings.TrimPrefix(plain, "application/"), "+jwt")
	return strings.NewReplacer("-", "_", " ", "_").Replace(plain)
}
