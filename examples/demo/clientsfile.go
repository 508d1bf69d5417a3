package main

import (
	"context"
	"maps"
	"slices"

	"github.com/gatewarden/auth/oauth2/server"
)

// disableStored disables a client of -clients that was left out, and that an earlier run stored with
// another registration. The operator enables it again.
func (a *app) disableStored(ctx context.Context, id string) error {
	client, err := a.oauth.Client(ctx, id)
	if err != nil || client == nil || client.Disabled {
		return err
	}
	if _, err := a.oauth.DisableClient(ctx, client, true); err != nil {
		return err
	}
	a.logger.WarnContext(ctx, "-clients: the client of an earlier run is disabled: mend the file, and enable it "+
		"with authctl clients enable", "client", id)
	return nil
}

// logUnknownMembers logs the members of a client of -clients that nothing here reads. They may be
// misspelled, or for another server that reads the same file.
func (a *app) logUnknownMembers(ctx context.Context, r server.Registration) {
	if len(r.Members) > 0 {
		a.logger.WarnContext(ctx, "-clients: members are not supported and were left out", "client", r.ClientID,
			"members", slices.Sorted(maps.Keys(r.Members)))
	}
}
