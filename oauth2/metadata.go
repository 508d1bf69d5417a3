package oauth2

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gatewarden/auth"
	"github.com/gatewarden/auth/backend"
)

// wellKnown is the path of metadata of a resource without one (RFC 9728 §3).
const wellKnown = "/.well-known/oauth-protected-resource"

// document is the metadata (RFC 9728 §2). Empty lists are left out (§3.2).
type document struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers,omitempty"`
	ScopesSupported      []string `json:"scopes_supported,omitempty"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	ResourceName         string   `json:"resource_name,omitempty"`
	Documentation        string   `json:"resource_documentation,omitempty"`
}

// locate says where the metadata is, between the host and the path of the resource
// (RFC 9728 §3.1), and what it is. Both are of the configuration alone. Only a path that is
// just the slash after the host is left out: /mcp and /mcp/ are two resources.
func (a *Resource) locate(resource *url.URL) {
	a.path = wellKnown
	if path := resource.EscapedPath(); path != "/" {
		a.path += path
	}
	a.metadata = resource.Scheme + "://" + resource.Host + a.path
	if resource.RawQuery != "" {
		a.metadata += "?" + resource.RawQuery
	}
	d := document{Resource: a.config.Resource, AuthorizationServers: a.config.AuthorizationServers,
		ScopesSupported: a.config.ScopesSupported, BearerMethods: []string{"header"},
		ResourceName: a.config.ResourceName, Documentation: a.config.Documentation}
	if a.config.AllowFormToken {
		d.BearerMethods = append(d.BearerMethods, "body")
	}
	text, _ := json.Marshal(d) // of strings
	a.document = append(text, '\n')
}

// MetadataURL returns the address of the metadata, which challenges name.
func (a *Resource) MetadataURL() string { return a.metadata }

// Register registers the metadata (RFC 9728 §3) with a router, at the path of
// [Resource.MetadataURL]. That path follows from the path of Config.Resource, so
// Resources on one router need different paths, also where their hosts differ. It
// panics where the router does.
func (a *Resource) Register(mux auth.Mux) {
	defer func() {
		if fault := recover(); fault != nil {
			panic(fmt.Sprintf("oauth2: the metadata of resource %q cannot be registered at %s. Resources on one "+
				"router need different paths in Config.Resource: %v", a.config.Resource, a.path, fault))
		}
	}()
	a.routes().Register(mux, "")
}

// Open returns the option that lets everybody read the metadata, for
// [auth.Guard.Protect].
func (a *Resource) Open() auth.RouteOption { return a.routes().Open("") }

func (a *Resource) routes() backend.Routes {
	return backend.Routes{{Path: a.path, Handler: http.HandlerFunc(a.ServeMetadata)}}
}

// ServeMetadata answers with the metadata, for pages of every origin.
func (a *Resource) ServeMetadata(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Content-Length", strconv.Itoa(len(a.document)))
		_, _ = w.Write(a.document)
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "GET")
		h.Set("Access-Control-Allow-Headers", "*")
		w.WriteHeader(http.StatusNoContent)
	default:
		h.Set("Allow", "GET, HEAD, OPTIONS")
		auth.WriteProblem(w, &auth.Problem{Status: http.StatusMethodNotAllowed, Code: auth.CodeMethodNotAllowed,
			Detail: "Method not allowed."})
	}
}
