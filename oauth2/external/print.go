package external

import (
	"fmt"

	"github.com/gatewarden/auth/internal/redact"
)

// The types that are filled in with secrets do not show themselves when they are
// printed. An auth.Secret alone would not do: a verb that does not fit makes
// package fmt print one that it finds by a pointer. New keeps no secret in a string.

// Format shows nothing of it.
func (Config) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Config") }

// Format shows nothing of it.
func (OIDC) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.OIDC") }

// Format shows nothing of it.
func (OAuth2) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.OAuth2") }

// Format shows nothing of it.
func (Google) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Google") }

// Format shows nothing of it.
func (GitHub) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.GitHub") }

// Format shows nothing of it.
func (GitLab) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.GitLab") }

// Format shows nothing of it.
func (Microsoft) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Microsoft") }

// Format shows nothing of it.
func (Apple) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Apple") }

// Format shows nothing of it.
func (Facebook) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Facebook") }

// Format shows nothing of it.
func (Keycloak) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Keycloak") }

// Format shows nothing of it.
func (Okta) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Okta") }

// Format shows nothing of it.
func (Auth0) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Auth0") }

// Format shows nothing of it.
func (Slack) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Slack") }

// Format shows nothing of it.
func (Discord) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Discord") }

// Format shows nothing of it.
func (LinkedIn) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.LinkedIn") }

// Format shows nothing of it.
func (X) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.X") }

// Format shows nothing of it.
func (Bitbucket) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Bitbucket") }
