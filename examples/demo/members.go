package main

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/gatewarden/auth/oauth2/server"
)

// tellOfMembers logs the members of each client that nothing here reads: they may be misspelled, or
// for another server that reads the same file.
func (a *app) tellOfMembers(ctx context.Context, text []byte) {
	known := map[string]bool{"client_secret": true}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[server.Registration]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known[name] = true
	}
	var clients []map[string]json.RawMessage
	if json.Unmarshal(text, &clients) != nil {
		return // which ParseRegistrations has said
	}
	for i, client := range clients {
		maps.DeleteFunc(client, func(name string, _ json.RawMessage) bool { return known[name] })
		if len(client) > 0 {
			a.logger.WarnContext(ctx, "-clients: members are not supported and were left out", "number", i+1,
				"members", slices.Sorted(maps.Keys(client)))
		}
	}
}
