package oauth2

import (
	"cmp"
	"fmt"
	"strings"
)

// machineNamer is a source that knows which server names its machines, and with which prefix.
type machineNamer interface {
	machines() (server, prefix string)
}

func (i *Introspection) machines() (server, prefix string) {
	return cmp.Or(i.config.Issuer, i.config.Endpoint), i.config.MachinePrefix
}

func (j *JWT) machines() (server, prefix string) { return j.issuer, j.prefix }

// checkMachineNames returns an error if a machine of one source could get the identifier of a machine of another
// server. Client identifiers are unique at their server only (RFC 6749 §2.2), and routes may tell machines apart by
// them.
func checkMachineNames(a, b []Source) error {
	for _, one := range a {
		for _, other := range b {
			if err := checkMachinePair(one, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkMachinePair is checkMachineNames for two sources.
func checkMachinePair(a, b Source) error {
	one, ok := a.(machineNamer)
	other, also := b.(machineNamer)
	if !ok || !also {
		return nil
	}
	server, prefix := one.machines()
	otherServer, otherPrefix := other.machines()
	same := prefix == otherPrefix && prefix != "" // which says that their machines are the same ones
	if server == otherServer || same || !strings.HasPrefix(prefix, otherPrefix) &&
		!strings.HasPrefix(otherPrefix, prefix) {
		return nil
	}
	return fmt.Errorf("machines of %s and of %s can have the same identifier. Set MachinePrefix of both sources, "+
		"such as %q and %q, so that no prefix starts with the other one. If it is one server, give both the same "+
		"prefix",
		server, otherServer, "a/", "b/")
}
