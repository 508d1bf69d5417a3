package schema

import (
	"context"
)

// MigrateInSteps is Migrate for an engine that commits at every statement that changes a table. The caller holds a lock
// that makes other programs that migrate wait.
//
// Before the first statement of a version it marks the component in the version table. A program that finds the mark
// knows that another one was killed on the way. It runs all statements of that version again, and takes those for done
// which the engine refuses because their table, column or index is there already.
func (s Scripts) MigrateInSteps(ctx context.Context, in Querier, component string) error {
	state, scripts, err := s.readState(ctx, in, component)
	if err != nil || state.version >= len(scripts) {
		return err
	}
	for version := state.version + 1; version <= len(scripts); version++ {
		before := checksum(scripts[:version-1])
		if err := s.write(ctx, in, component, state, version-1, before+migrating); err != nil {
			return err
		}
		again := state.migrating
		state.listed, state.migrating = true, false
		for _, statement := range s.statements(scripts[version-1]) {
			if _, err := in.ExecContext(ctx, statement); err != nil && !(again && s.Done(err)) {
				return err
			}
		}
		if err := s.write(ctx, in, component, state, version, checksum(scripts[:version])); err != nil {
			return err
		}
	}
	return nil
}
