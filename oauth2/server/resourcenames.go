package server

import (
	"net/url"
	"slices"
	"strings"
)

// registeredAs returns the identifiers of Config.Resources that a client means. Scheme and host of a URL are the
// same in either case (RFC 3986 §6.2.2.1). The rest is compared byte by byte, so that what is no resource stays as
// it is.
func (s *Server) registeredAs(asked []string) []string {
	meant := slices.Clone(asked)
	for i, id := range meant {
		if s.resource(id) != nil {
			continue
		}
		plain := inPlainCase(id)
		for _, registered := range s.resourceIDs() {
			if inPlainCase(registered) == plain {
				meant[i] = registered
				break
			}
		}
	}
	return meant
}

// inPlainCase returns a URL with its scheme and host in lower case, or what is no URL as it is.
func inPlainCase(id string) string {
	u, err := url.Parse(id)
	if err != nil || u.Host == "" || u.User != nil {
		return id
	}
	end := len(u.Scheme) + len("://") + len(u.Host)
	if len(id) < end || !strings.EqualFold(id[:end], u.Scheme+"://"+u.Host) {
		return id
	}
	return strings.ToLower(id[:end]) + id[end:]
}

// nearResource returns the identifier of these that a client probably means: it differs from id by the slash at
// its end. It is "" if there is no such identifier.
func nearResource(id string, of []string) string {
	bare := strings.TrimSuffix(inPlainCase(id), "/")
	for _, registered := range of {
		if registered != id && strings.TrimSuffix(inPlainCase(registered), "/") == bare {
			return registered
		}
	}
	return ""
}

// errUnknownResource refuses a resource that a client may not have tokens for.
func (s *Server) errUnknownResource(id string, fault error) *Error {
	if near := nearResource(id, s.resourceIDs()); near != "" {
		return refuse(CodeInvalidTarget, "The resource is not known. It is known with another slash at its end.",
			failedSetting("Config.Resources", "the resource differs by the slash at its end from one of the server", id,
				near))
	}
	return refuse(CodeInvalidTarget, "The resource is not known, or not for this client.", fault)
}
