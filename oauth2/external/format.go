package external

import (
	"fmt"

	"github.com/gatewarden/auth/internal/redact"
)

// The types with secrets print their names only. If a verb does not fit a pointer, as with %s, package fmt prints the
// fields without their methods. That would show an auth.Secret. New keeps no secret in a string.

// Format prints the name of the type only.
func (Config) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Config") }

// Format prints the name of the type only.
func (OIDC) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.OIDC") }

// Format prints the name of the type only.
func (OAuth2) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.OAuth2") }

// Format prints the name of the type only.
func (Google) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Google") }

// Format prints the name of the type only.
func (GitHub) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.GitHub") }

// Format prints the name of the type only.
func (GitLab) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.GitLab") }

// Format prints the name of the type only.
func (Microsoft) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Microsoft") }

// Format prints the name of the type only.
func (Apple) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Apple") }

// Format prints the name of the type only.
func (Facebook) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Facebook") }

// Format prints the name of the type only.
func (Keycloak) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Keycloak") }

// Format prints the name of the type only.
func (Okta) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Okta") }

// Format prints the name of the type only.
func (Auth0) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Auth0") }

// Format prints the name of the type only.
func (Slack) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Slack") }

// Format prints the name of the type only.
func (Discord) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Discord") }

// Format prints the name of the type only.
func (LinkedIn) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.LinkedIn") }

// Format prints the name of the type only.
func (X) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.X") }

// Format prints the name of the type only.
func (Bitbucket) Format(f fmt.State, _ rune) { redact.WriteType(f, "external.Bitbucket") }
