package server

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// errChallengeMissing is the cause of a refusal of a request without PKCE.
var errChallengeMissing = failedSetting("Client.AllowWithoutPKCE, which a confidential client can have",
	"the code_challenge is missing (RFC 7636 §4.3)", "")

// pkceParameters are those of RFC 7636 §4.3.
var pkceParameters = requestParameters{names: []string{"code_challenge", "code_challenge_method"}, read: readPKCE}

// checkPKCE checks that only a client with a secret does without.
func checkPKCE(_ *Registration, c *Client) error {
	if c.Public() && c.AllowWithoutPKCE {
		return metadataError("A public client cannot do without PKCE.",
			failedCheck("the client is public and has allow_without_pkce"))
	}
	return nil
}

// mayLeaveOutPKCE reports whether the client is one that may do without. A public one cannot,
// whatever its record says.
func (c *Client) mayLeaveOutPKCE() bool { return c.AllowWithoutPKCE && !c.Public() }

// readPKCE reads the challenge (RFC 7636 §4.3), of which S256 is the one method.
func readPKCE(_ context.Context, form Form, client *Client, a *authorization) error {
	a.Challenge = form.Get("code_challenge")
	method := form.Get("code_challenge_method")
	switch {
	case a.Challenge == "" && method == "" && client.mayLeaveOutPKCE():
		return nil // RFC 9700 §2.1.1
	case a.Challenge == "":
		return refuse(CodeInvalidRequest, "PKCE is required for this client. The code_challenge is missing.",
			errChallengeMissing)
	case method != "S256":
		return refuse(CodeInvalidRequest, "The code_challenge_method must be S256.",
			failedValue("the code_challenge_method is missing or not supported", method, "S256"))
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(a.Challenge)
	if err != nil || len(sum) != 32 || len(a.Challenge) != 43 {
		return refuse(CodeInvalidRequest, "The code_challenge is not 43 characters of base64url.",
			failedValue("the code_challenge is not 43 characters of base64url", a.Challenge))
	}
	return nil
}

// verifierFault checks a code verifier (RFC 7636 §4.6), and says what is wrong with it, or "". Without a challenge
// there must be no verifier, because an attacker can take the challenge out (RFC 9700 §4.8.2).
func (c *Code) verifierFault(verifier string) string {
	switch {
	case c.Challenge == "" && verifier != "":
		return "a code_verifier came, and the authorization request had no code_challenge (RFC 9700 §4.8.2)"
	case c.Challenge == "":
		return ""
	case verifier == "":
		return "the code_verifier is missing (RFC 7636 §4.5)"
	case len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, alphanumeric+"-._~") != "":
		return "the code_verifier is not 43 to 128 unreserved characters (RFC 7636 §4.1)"
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(c.Challenge)) != 1 {
		return "the code_verifier does not fit the code_challenge of the authorization request (RFC 7636 §4.6)"
	}
	return ""
}
