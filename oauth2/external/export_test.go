package external

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Discovery returns a function that finds the endpoints of an issuer, as a request does.
func Discovery(client *http.Client, timeout time.Duration) func(ctx context.Context) error {
	d := &discovery{environment: environment{client, timeout, slog.Default()}, issuer: "https://idp.example",
		turn: make(chan struct{}, 1)}
	return func(ctx context.Context) error {
		_, err := d.endpoints(ctx, time.Now())
		return err
	}
}

// TenantOf returns the tenant of an issuer by a template, where everything can be a tenant.
func TenantOf(template, iss string) string {
	rp := &relyingParty{OIDC: OIDC{Quirks: OIDCQuirks{IssuerTemplate: template,
		IsTenant: func(string) bool { return true }}}}
	if rp.splitTemplate() != nil {
		return ""
	}
	return rp.tenantOf(iss)
}

// For fuzz targets: what others write.
var (
	AppleName        = appleName
	UnverifiedIssuer = unverifiedIssuer
	DomainOf         = domainOf
	ObjectsOf        = objectsOf
)

// PendingAt returns what Credential.PendingLink would be for a login at an instant.
func (l *Logins) PendingAt(identity *Identity, stamp string, at time.Time) string {
	return l.sealPendingLink(identity, stamp, at)
}

// RelayTTL is how long an answer that came by POST is good.
const RelayTTL = relayTTL

// AnswerAt returns an answer of a provider as it would be sealed so long from now.
func (l *Logins) AnswerAt(provider string, form url.Values, from time.Duration) string {
	sealed, err := l.sealCallback(l.providers[provider], form, time.Now().Add(from))
	if err != nil {
		panic(err)
	}
	return sealed
}

// Looked returns how many records purges of m looked at.
func (m *MemoryStore) Looked() int { return m.keyQueue.Looked() + m.codeQueue.Looked() }
