// Package faults breaks what instances of a service stand on, and looks whether anything that was acknowledged is lost,
// anything that was revoked comes back, or anything hangs.
//
//	go test ./...                          # a short form of each fault, as `make test` runs it
//	GATEWARDEN_FAULTS=full go test -v ./... # the long form, with a table: `make faults`
//
// Its tests start real servers and real instances, and kill them. It is no library.
package faults
