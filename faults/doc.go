// Package faults breaks what instances of a service stand on, and looks whether anything that was acknowledged is lost,
// anything that was revoked comes back, or anything hangs.
//
//	go test ./...                          # a short form of each fault, as `make test` runs it
//	GATEWARDEN_FAULTS=full go test -v ./... # the long form, with a table: `make faults`
//
// Its tests start real servers and real instances, and kill them. It is no library.
//
// Instances are processes of examples/demo. A load of several clients sends them a mixture of logins, checks, refreshes
// and logouts, and keeps a ledger of what was acknowledged. Each answer is compared with the ledger:
//
//   - A credential that was acknowledged is accepted, or the answer is 503.
//   - After an acknowledged end it is refused, or the answer is 503. In Redis, another instance may accept it for 2 s.
//   - A change without an acknowledgement was made as a whole or not at all, and that stays so.
//   - A refresh token or code that was used is of no use, and no login has two refresh tokens that work.
//
// After the fault, all that is in the ledger is asked for at each instance.
package faults
