package authtest

import (
	"net/url"
	"testing"

	"github.com/gatewarden/auth/oauth2/external"
)

// ExternalCases say what a provider of external logins is tested with.
type ExternalCases struct {
	// Provider is under test. Its endpoints are those of At, and its client is that of At.
	Provider external.Provider
	// At plays the provider. A provider that is not like one of [FakeProviders] needs one of
	// its own: see [NewProvider].
	At *Provider
	// Person signs in. If it has no Subject, it is "42", with a name, a username, and a
	// verified address at example.com.
	Person Person
	// NumericSubjects is that At knows subjects only that are whole numbers. Others are
	// then not tried.
	NumericSubjects bool
	// Want is the profile of Person. Its Claims, AuthInfo, Provider and Email.Source are
	// not compared.
	Want external.Profile
}

// External checks that people are signed in by a provider as package external promises:
// each is taken for the person they are, and an answer that is not what it should be is
// refused. It runs whole logins, through a browser, against At.
//
//	idp := authtest.NewProvider(t, forgeDouble)
//	authtest.External(t, authtest.ExternalCases{
//		Provider: forge.Forge{ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, BaseURL: idp.URL()}, At: idp,
//		Want:     external.Profile{Issuer: idp.URL(), Subject: "42", Name: "Ada Lovelace"},
//	})
//
// It changes the quirks of At and the person that is signed in there.
func External(t *testing.T, cases ExternalCases) {
	t.Helper()
	for _, c := range externalContract() {
		t.Run(c.sentence, func(t *testing.T) {
			for _, fault := range checkExternal(c, cases) {
				t.Error(fault)
			}
		})
	}
}

// externalCheck is one sentence of what is promised.
type externalCheck struct {
	sentence string
	run      func(*externalSuite)
}

// checkExternal runs a check, and returns the faults it found.
func checkExternal(c externalCheck, cases ExternalCases) []string {
	s, fault := newExternalSuite(cases)
	if fault != "" {
		return []string{fault}
	}
	defer cases.At.SetQuirks(Quirks{})
	c.run(s)
	return s.faults
}

// externalContract returns all checks.
func externalContract() []externalCheck {
	return []externalCheck{
		{"a person is signed in, with the profile that is wanted", (*externalSuite).checkProfile},
		{"who is called something else by now is the same person", (*externalSuite).checkSamePerson},
		{"somebody else is somebody else, whatever they are called", (*externalSuite).checkOtherPerson},
		{"an address that is not verified is not said to be", (*externalSuite).checkEmail},
		{"the browser is sent to the provider with state, PKCE and, for an ID token, a nonce",
			(*externalSuite).checkRequest},
		{"an answer with another state, issuer or browser is refused before its code is sent",
			(*externalSuite).checkAnswers},
		{"an answer is good once", (*externalSuite).checkReplay},
		{"errors of the provider are told from outages", (*externalSuite).checkErrors},
		{"an answer without a token or a subject is refused", (*externalSuite).checkEmpty},
		{"an ID token that is not for this login is refused", (*externalSuite).checkIDTokens},
		{"an ID token that the provider did not sign is refused", (*externalSuite).checkSignatures},
		{"userinfo about somebody else is refused", (*externalSuite).checkUserInfo},
		{"an access token of another client is refused", (*externalSuite).checkTokens},
		{"no log has a secret, a code or a token", (*externalSuite).checkLog},
	}
}

// checkProfile signs Person in.
func (s *externalSuite) checkProfile() {
	got := s.signedIn("")
	if got == nil {
		return
	}
	got.Claims, got.Provider, got.Email.Source = nil, "", ""
	want := s.cases.Want
	want.Claims, want.Provider, want.Email.Source, want.AuthInfo = nil, "", "", got.AuthInfo
	if show(got) != show(&want) {
		s.fault("got the profile %s, want %s", show(got), show(&want))
	}
}

func (s *externalSuite) checkSamePerson() {
	first := s.signedIn("")
	s.person.Name, s.person.Username, s.person.Email = "Countess", "countess", "countess@example.org"
	second := s.signedIn(" with another name and address")
	if first != nil && second != nil && (first.Subject != second.Subject || first.Issuer != second.Issuer) {
		s.fault("got the identity %q of %q, then %q of %q", first.Subject, first.Issuer, second.Subject, second.Issuer)
	}
}

func (s *externalSuite) checkOtherPerson() {
	pairs := [][2]string{
		{s.person.Subject, s.person.Subject + "1"},
		{"1234567890123456788", "1234567890123456789"}, // one number, if it is read as a float
	}
	if !s.cases.NumericSubjects {
		pairs = append(pairs, [2]string{"aBcD", "abcd"})
	}
	for _, pair := range pairs {
		s.person.Subject = pair[0]
		first := s.signedIn(" of the subject " + pair[0])
		s.person.Subject = pair[1]
		second := s.signedIn(" of the subject " + pair[1])
		if first != nil && second != nil && first.Subject == second.Subject {
			s.fault("got the identity %q for both %q and %q", first.Subject, pair[0], pair[1])
		}
	}
}

func (s *externalSuite) checkEmail() {
	s.person.EmailVerified = nil
	if p := s.signedIn(" without a word about the address"); p != nil && p.Email.Verified {
		s.fault("got the verified address %q, of which the provider did not say so", p.Email.Address)
	}
	s.person.EmailVerified = false
	if p := s.signedIn(""); p != nil && p.Email.Verified {
		s.fault("got the verified address %q, which the provider says is not", p.Email.Address)
	}
	s.person.Email, s.person.EmailVerified = "", nil
	if p := s.signedIn(" without an address"); p != nil && (p.Email.Verified || p.Email.Address != "") {
		s.fault("got the address %q, which the provider did not say", p.Email.Address)
	}
}

func (s *externalSuite) checkRequest() {
	b := s.browser(Quirks{})
	defer b.close()
	q := b.begin().Query()
	if len(q.Get("state")) < 22 {
		s.fault("got the state %q, want 128 random bits", q.Get("state"))
	}
	if !s.withoutPKCE && (q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43) {
		s.fault("the request has no PKCE by S256 (RFC 7636 §4.3)")
	}
	if (s.oidc != nil) != (len(q.Get("nonce")) >= 22) {
		s.fault("got the nonce %q", q.Get("nonce"))
	}
	if again := b.begin().Query(); again.Get("state") == q.Get("state") {
		s.fault("got one state twice")
	}
}

// checkAnswers changes what the browser comes back with.
func (s *externalSuite) checkAnswers() {
	for sentence, change := range map[string]func(url.Values){
		"another state":   func(v url.Values) { v.Set("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA") },
		"no state":        func(v url.Values) { v.Del("state") },
		"two states":      func(v url.Values) { v.Add("state", v.Get("state")) },
		"another issuer":  func(v url.Values) { v.Set("iss", "https://evil.example") },
		"an empty issuer": func(v url.Values) { v.Set("iss", "") },
		"two codes":       func(v url.Values) { v.Add("code", v.Get("code")) },
		"no code":         func(v url.Values) { v.Del("code") },
		"another's error": func(v url.Values) {
			v.Set("iss", "https://evil.example")
			v.Set("error", "access_denied")
		},
		"an error, and code": func(v url.Values) { v.Set("error", "invalid_scope") },
	} {
		s.refused(sentence, Quirks{Answer: change}, 0)
	}
	b, other := s.browser(Quirks{}), s.browser(Quirks{})
	defer b.close()
	defer other.close()
	back := b.away(b.begin())
	back.to = other.here(back.to)
	if got := other.come(back); got.profile != nil || len(s.asked()) != 0 {
		s.fault("the answer to another browser: got %s, want a refusal before anything is sent", got)
	}
}

func (s *externalSuite) checkReplay() {
	b := s.browser(Quirks{})
	defer b.close()
	back := b.away(b.begin())
	if got := b.come(back); got.profile == nil {
		s.fault("the first time: got %s", got)
	}
	if got := b.come(back); got.profile != nil {
		s.fault("the second time: got %s", got)
	}
}

func (s *externalSuite) checkErrors() {
	for sentence, row := range map[string]struct {
		quirks Quirks
		reason string
	}{
		"the person says no":        {Quirks{Deny: true}, "access_denied"},
		"a code of somebody else":   {Quirks{Answer: func(v url.Values) { v.Set("code", "stolen") }}, "refused"},
		"a provider that is down":   {Quirks{TokenStatus: 503}, "temporarily_unavailable"},
		"a token of another type":   {tokenAnswer("token_type", "DPoP"), "untrusted"},
		"a token with a line break": {tokenAnswer("access_token", "a\r\nX: y"), "untrusted"},
	} {
		if got := s.visit(row.quirks); got.reason != row.reason {
			s.fault("%s: got %s, want %q", sentence, got, row.reason)
		}
	}
}

// tokenAnswer changes a member of the token endpoint's answer.
func tokenAnswer(name string, value any) Quirks {
	return Quirks{TokenAnswer: func(answer map[string]any) { answer[name] = value }}
}
