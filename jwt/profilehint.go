package jwt

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
)

// hints are why a token has no scopes, for the log.
type hints struct{ user, machine string }

// hintsOf returns the hints of a profile. An Issuer.AllowFullAccess does not count for machines.
func hintsOf(p *Profile) hints {
	h := hints{user: "the token has no scopes in " + strings.Join(p.ScopeClaims, " or ") + "; see Issuer.Profile"}
	if !p.Own {
		h.user += ", which is jwt.Gatewarden() for tokens that package jwt issued, and Issuer.AllowFullAccess"
	}
	names := append(p.ScopeClaims[:len(p.ScopeClaims):len(p.ScopeClaims)], p.MachineScopeClaims...)
	if len(names) == 0 || p.AllMachines {
		h.machine = "the token is of a machine, and its Issuer.Profile names no scopes. Ask for no scope at the " +
			"route, and say by Issuer.Shared.RequireValues which machines are meant"
		return h
	}
	h.machine = "the token is of a machine, and has no scopes in " + strings.Join(names, " or ") +
		". Let the issuer grant it one, or ask for no scope at the route"
	return h
}

// of returns the hint for a token.
func (h *hints) of(t *Token) string {
	if t.machine != "" {
		return h.machine
	}
	return h.user
}

const loginClaims = "sid, gen" // also the key of issuer.told, which no name of a claim is

// tellForgottenProfile logs once that a proved token has the claims by which a service of New ends it, and that the
// Profile does not read them. Without scopes at the routes nothing else would tell: the token passes, and a change of
// the password does not end it.
func (i *issuer) tellForgottenProfile(ctx context.Context, logger *slog.Logger, all []member) {
	if i.Profile.Own || subjectOf(lookup(all, "gen")) == "" || subjectOf(lookup(all, "sid")) == "" {
		return
	}
	if _, told := i.told.LoadOrStore(loginClaims, true); told {
		return
	}
	cmp.Or(logger, slog.Default()).WarnContext(ctx, "jwt: a token looks like one of jwt.New, and Issuer.Profile is "+
		"not jwt.Gatewarden(), so these claims are not read, and a changed password does not end it. This is said once",
		"issuer", i.Issuer.Issuer, "claims", loginClaims)
}
