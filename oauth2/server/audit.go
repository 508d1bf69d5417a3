package server

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/gatewarden/auth/backend"
)

// Finding is a choice that is weaker than RFC 9700 or another standard recommends.
type Finding struct {
	Section string // such as "RFC 9700 §2.1"
	Setting string // what to change
	Text    string // what is lost
}

// String returns the finding as one line.
func (f Finding) String() string { return f.Section + ": " + f.Setting + ": " + f.Text }

// Audit lists every choice of a configuration, and of these clients of it, that is
// weaker than RFC 9700 recommends. What the server does not do
// at all, such as the implicit grant, it cannot be configured to do either.
func Audit(config Config, clients ...*Client) []Finding {
	a := &auditor{config: config, clients: clients}
	a.config.Tokens.Lifetimes = config.Tokens.Lifetimes.or(defaultLifetimes)
	r := newRegistry(&Server{config: config}, new(backend.Settings), config.features())
	for _, audit := range r.audits {
		audit(a)
	}
	a.auditTransport()
	a.auditTokens()
	auditDevelopers(a)
	return a.found
}

// auditor collects findings.
type auditor struct {
	config  Config // with the default lifetimes
	clients []*Client
	found   []Finding
}

// add adds a finding. The text is formatted as by package fmt.
func (a *auditor) add(section, setting, format string, args ...any) {
	a.found = append(a.found, Finding{section, setting, fmt.Sprintf(format, args...)})
}

func (a *auditor) auditTransport() {
	if strings.HasPrefix(a.config.Issuer, "http:") || a.config.Endpoints.InsecureHTTP {
		a.add("RFC 9700 §2.6", "Issuer", "without TLS everybody on the way reads codes and tokens")
	}
}

// auditTokens lists what concerns access tokens and the resources that they are for.
func (a *auditor) auditTokens() {
	l := a.config.Tokens.Lifetimes
	a.add("RFC 9700 §2.2.1", "access tokens",
		"they are not bound to a key: who steals one can use it until it expires")
	if l.Access > time.Hour {
		a.add("RFC 9700 §4.9.3", "Tokens.Lifetimes.Access", "a stolen access token is good for %v", l.Access)
	}
	for _, resource := range a.config.Resources {
		if resource.JWT {
			a.add("RFC 9700 §4.9.3", "Resource.JWT of "+resource.ID,
				"a JWT that was revoked is good for up to %v where nobody asks the server", l.Access)
		}
	}
	if resources := a.config.Resources; len(resources) > 1 {
		a.add("RFC 9700 §2.3", "Resources", "a client that names no resource gets a token for %s",
			cmp.Or(resources[0].Name, resources[0].ID))
		for _, resource := range resources {
			if resource.Scopes == nil {
				a.add("RFC 9700 §2.3", "Resource.Scopes of "+resource.ID, "every scope of Scopes can be granted there")
			}
		}
	}
}
