package main

import (
	"context"
	"maps"
	"slices"

	"github.com/gatewarden/auth/oauth2/server"
)

// reportMembers logs the members of a client of -clients that nothing here reads. They may be
// misspelled, or for another server that reads the same file.
func (a *app) reportMembers(ctx context.Context, r server.Registration) {
	if len(r.Members) > 0 {
		a.logger.WarnContext(ctx, "-clients: members are not supported and were left out", "client", r.ClientID,
			"members", slices.Sorted(maps.Keys(r.Members)))
	}
}
