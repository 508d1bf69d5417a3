package jwt

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// read fills the token from claims, but its rights. A claim that is null is absent. So is an optional one of another
// type, which [Token.ignored] then names. One that restricts the token, such as "exp", is a fault instead: read returns
// its name and which type it has not.
//
// Claims that only this package defines are read if own is set, and must be of their type. In tokens of others they
// mean something else (RFC 7519 §4.3).
func (t *Token) read(all []member, f Format, own bool) (wrong, problem string) {
	var c claimReader
	t.issuer = c.text(all, "iss")
	t.subject = subjectOf(lookup(all, f.UserClaim))
	if t.generation = -1; own {
		t.readOwn(&c, all, f)
	} else {
		t.id = c.optionalText(all, f.IDClaim)
		t.sessionID = c.optionalText(all, "sid") // of OpenID Connect (Front-Channel Logout §3)
	}
	t.audience = c.texts(all, "aud")
	t.issued, t.expires = c.instant(all, "iat"), c.instant(all, "exp")
	t.login.ACR, t.login.AMR = c.optionalText(all, "acr"), c.optionalTexts(all, "amr")
	t.login.AuthTime = c.optionalInstant(all, "auth_time")
	t.ignored = c.ignored
	return c.wrong, c.problem
}

// readOwn reads the claims of tokens that this package issues.
func (t *Token) readOwn(c *claimReader, all []member, f Format) {
	t.id, t.sessionID, t.stamp = c.text(all, f.IDClaim), c.text(all, "sid"), c.text(all, "stamp")
	if end := c.instant(all, f.RefreshExpClaim); !end.IsZero() {
		t.refreshEnd = end.Unix()
	}
	if value := valueOf(all, "gen"); value != "" {
		n, ok := secondsOf(value)
		if !ok || n < 0 {
			c.fault("gen", "is not a number")
			return
		}
		t.generation = n
	}
}

// claimReader reads claims by their types. The last fault stays in wrong and problem. The claims are no field of it,
// because they would then be allocated for every token.
type claimReader struct {
	wrong, problem string
	ignored        []string // optional claims of another type
}

// valueOf returns a claim as it was written, "" if it is absent or null.
func valueOf(all []member, name string) string {
	if value := lookup(all, name); value != "null" {
		return value
	}
	return ""
}

func (c *claimReader) fault(name, problem string) { c.wrong, c.problem = name, problem }

func (c *claimReader) ignore(name string) { c.ignored = append(c.ignored, name) }

// text reads a string.
func (c *claimReader) text(all []member, name string) string {
	value := valueOf(all, name)
	text, ok := unquote(value)
	if !ok && value != "" {
		c.fault(name, "is not a string")
	}
	return text
}

func (c *claimReader) optionalText(all []member, name string) string {
	value := valueOf(all, name)
	text, ok := unquote(value)
	switch {
	case ok:
		return text
	case value != "":
		c.ignore(name)
	}
	return ""
}

// texts reads a string or an array of strings.
func (c *claimReader) texts(all []member, name string) []string {
	value := valueOf(all, name)
	if value == "" {
		return nil
	}
	texts, ok := stringsOf(value)
	if !ok {
		c.fault(name, "is not a string or an array of strings")
	}
	return texts
}

func (c *claimReader) optionalTexts(all []member, name string) []string {
	value := valueOf(all, name)
	if value == "" {
		return nil
	}
	texts, ok := stringsOf(value)
	if !ok {
		c.ignore(name)
	}
	return texts
}

// instant reads a NumericDate (RFC 7519 §2).
func (c *claimReader) instant(all []member, name string) time.Time {
	value := valueOf(all, name)
	if value == "" {
		return time.Time{}
	}
	n, ok := secondsOf(value)
	if !ok {
		c.fault(name, "is not a number of seconds since 1970")
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func (c *claimReader) optionalInstant(all []member, name string) time.Time {
	value := valueOf(all, name)
	if value == "" {
		return time.Time{}
	}
	n, ok := secondsOf(value)
	if !ok {
		c.ignore(name)
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// tellIgnored logs which claims of a proved token count as absent because of their type. It logs each claim of an
// issuer once, since the next token will be the same. Claims of tokens that are not proved never come here.
func (i *issuer) tellIgnored(ctx context.Context, logger *slog.Logger, ignored []string) {
	ignored = slices.DeleteFunc(ignored, func(name string) bool {
		_, told := i.told.LoadOrStore(name, true)
		return told
	})
	if len(ignored) == 0 {
		return
	}
	if logger == nil {
		logger = slog.Default()
	}
	logger.WarnContext(ctx, "jwt: claims of another type are ignored", "issuer", i.Issuer.Issuer, "claims", ignored)
}
