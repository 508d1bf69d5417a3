package server

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/gatewarden/auth/backend"
)

// Discovery is what metadata tell besides what follows from the configuration (OpenID Connect
// Discovery §3, RFC 8414 §2). Zero values tell nothing.
type Discovery struct {
	// Claims are those that Config.Tokens.Claims can return for ClaimsUserInfo and ClaimsIDToken, such as
	// "name": claims_supported.
	Claims []string
	// ACRValues are what the logins of the application can reach, the best first:
	// acr_values_supported.
	ACRValues []string
	// UILocales are the languages of the login and the pages, as BCP 47 writes them, such as "de" or "pt-BR":
	// ui_locales_supported.
	UILocales []string
	// DocumentationURL leads to what developers of clients need to know: service_documentation.
	DocumentationURL string
	// PolicyURL says how clients may use what they learn, and TermsURL what they agree to:
	// op_policy_uri and op_tos_uri.
	PolicyURL, TermsURL string
	// Members are further members by their names, such as those of an extension, as encoding/json writes
	// them. A member that the server has itself stays as it is.
	Members map[string]any
}

// check refuses what no client could use.
func (d Discovery) check(settings *backend.Settings) {
	for name, text := range map[string]string{"DocumentationURL": d.DocumentationURL, "PolicyURL": d.PolicyURL,
		"TermsURL": d.TermsURL} {
		u, err := url.Parse(text)
		wrong := text != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "")
		settings.Refuse(wrong, "Config.OpenID.Discovery.%s %q is no URL of a page", name, text)
	}
	settings.Refuse(slices.Contains(d.Claims, ""), "Config.OpenID.Discovery.Claims has an empty name")
	for _, tag := range d.UILocales {
		settings.Refuse(!isLanguageTag(tag), "Config.OpenID.Discovery.UILocales has %q, which is no language tag", tag)
	}
	_, err := json.Marshal(d.Members)
	settings.Refuse(err != nil, "Config.OpenID.Discovery.Members are not JSON: %w", err)
	settings.Refuse(slices.Contains(d.ACRValues, ""), "Config.OpenID.Discovery.ACRValues has an empty value")
}

// addTo adds the members.
func (d Discovery) addTo(m metadata) {
	for name, text := range map[string]string{"service_documentation": d.DocumentationURL, "op_policy_uri": d.PolicyURL,
		"op_tos_uri": d.TermsURL} {
		if text != "" {
			m[name] = text
		}
	}
	if len(d.ACRValues) > 0 {
		m["acr_values_supported"] = d.ACRValues
	}
	if len(d.UILocales) > 0 {
		m["ui_locales_supported"] = d.UILocales
	}
}

// addMembers adds the further members, when all others are there.
func (d Discovery) addMembers(m metadata) {
	for name, value := range d.Members {
		if _, has := m[name]; !has {
			m[name] = value
		}
	}
}

// isLanguageTag reports a text of the form of a language tag: parts of 1 to 8 letters and digits (RFC 5646 §2.1).
func isLanguageTag(text string) bool {
	for part := range strings.SplitSeq(text, "-") {
		if part == "" || len(part) > 8 || strings.Trim(part, alphanumeric) != "" {
			return false
		}
	}
	return true
}

// protocolClaims are those that ID tokens have by themselves.
var protocolClaims = []string{"iss", "sub", "aud", "exp", "iat", "jti", "auth_time", "nonce", "acr", "amr",
	"at_hash", "sid"}

// supportedClaims returns claims_supported.
func (d Discovery) supportedClaims() []string {
	all := slices.Clone(protocolClaims)
	for _, name := range d.Claims {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
