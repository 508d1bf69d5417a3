package transfer

// Kind is a kind of records.
type Kind string

// The kinds of records, with the type of each.
const (
	Owners         Kind = "owners"               // *Owner
	JWTKeys        Kind = "jwt keys"             // *JWTKey
	KnoxTokens     Kind = "knox tokens"          // *KnoxToken
	KnoxEnded      Kind = "ended knox tokens"    // *KnoxEndedToken
	Sessions       Kind = "sessions"             // *Session
	JWTLogins      Kind = "jwt logins"           // *JWTLogin
	OAuthClients   Kind = "oauth clients"        // *OAuthClient
	OAuthConsents  Kind = "oauth consents"       // *OAuthConsent
	OAuthGrants    Kind = "oauth grants"         // *OAuthGrant
	OAuthPages     Kind = "oauth interactions"   // *OAuthPage
	OAuthOnce      Kind = "oauth keys used once" // *Once
	Identities     Kind = "login identities"     // *Identity
	Reservations   Kind = "login reservations"   // *Reservation
	LoginCodes     Kind = "login codes"          // *LoginCode
	LoginOnce      Kind = "login keys used once" // *Once
	OneTimeTokens  Kind = "one-time tokens"      // *OneTimeToken
	ThrottleCounts Kind = "throttle counters"    // *ThrottleCount
)

// Kinds returns all kinds in the order of the copy. A record comes after the records that it refers to: a client before
// its grants, and the generation of a user before the user's logins.
func Kinds() []Kind {
	return []Kind{Owners, JWTKeys, KnoxTokens, KnoxEnded, Sessions, JWTLogins, OAuthClients, OAuthConsents, OAuthGrants,
		OAuthPages, OAuthOnce, Identities, Reservations, LoginCodes, LoginOnce, OneTimeTokens, ThrottleCounts}
}
