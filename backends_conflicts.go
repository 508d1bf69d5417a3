package auth

// Conflicter is a backend that must not stand beside some others in one Guard, for a reason that no list of
// tokens can tell. Two APIs of one authorization server are an example: only the audience parts their tokens.
//
// [New] and [Guard.With] call Conflict with each of the other backends, whatever the order of the list, and return its
// error. If both of a pair are a Conflicter, both are asked. Backends of a chain and of a nested Guard count one by
// one. The other backend is as it stands in the list, so look it up by [As]. Without Conflicter, [TokenOwner] alone
// decides.
type Conflicter interface {
	Conflict(other Authenticator) error
}

// checkConflicts refuses two backends of which one says that they must not stand in one Guard.
func checkConflicts(backends []Authenticator) error {
	all := expand(backends)
	for i, backend := range all {
		one, ok := As[Conflicter](backend)
		if !ok {
			continue
		}
		for j, other := range all {
			if j == i {
				continue
			}
			if err := one.Conflict(other); err != nil {
				return err
			}
		}
	}
	return nil
}
