package sqlstore

import (
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/gatewarden/auth/oauth2/server"
)

// noList is what the columns scopes and resources hold in rows that have permissions. A program of the version before,
// which runs on after the tables changed, reads there that nothing was granted.
const noList = "[]"

// permissionsText is a list of permissions as it is stored.
func permissionsText(all server.Permissions) string {
	if len(all) == 0 {
		return noList
	}
	text, _ := json.Marshal(all) // of strings
	return string(text)
}

// permissionColumns are the columns that say what was granted or agreed to.
type permissionColumns struct {
	permissions       sql.NullString
	scopes, resources string // of a row that a program of the version before wrote
}

// read returns the permissions of a row. Of a row with two lists, before makes them.
func (c *permissionColumns) read(
	before func(scopes, resources []string) server.Permissions) (all server.Permissions, err error) {
	if c.permissions.Valid {
		if c.permissions.String == noList {
			return nil, nil
		}
		return all, json.Unmarshal([]byte(c.permissions.String), &all)
	}
	var scopes, resources []string
	if err := errors.Join(unlist(c.scopes, &scopes), unlist(c.resources, &resources)); err != nil {
		return nil, err
	}
	return before(scopes, resources), nil
}

// grantedBefore returns what the two lists of a grant mean: each scope at each resource. A grant is the answer to one
// request, and the page of that request showed all its scopes for all its resources.
//
// Which scopes are about OpenID Connect is not told there, so all of them are without a resource, too. The server
// takes from there what is about OpenID Connect only.
func grantedBefore(scopes, resources []string) server.Permissions {
	var all server.Permissions
	if len(scopes) > 0 {
		all = append(all, server.Permission{Scopes: scopes})
	}
	for _, resource := range resources {
		all = append(all, server.Permission{Resource: resource, Scopes: scopes})
	}
	return all
}

// agreedBefore returns what the two lists of a consent certainly mean. They are the sum of several answers. With
// several resources they do not tell which scopes were agreed to at which of them, so the user is asked again.
func agreedBefore(scopes, resources []string) server.Permissions {
	all := grantedBefore(scopes, resources)
	if len(resources) < 2 {
		return all
	}
	for i := range all {
		if all[i].Resource != "" {
			all[i].Scopes = nil
		}
	}
	return all
}
