package auth

// Conflicter is a backend that must not stand beside some others in one Guard, for a reason that no list of
// tokens can tell. Two APIs of one authorization server are an example: only the audience parts their tokens.
//
// [New] and [Guard.With] call Conflict once for each pair, with the later of the two backends, and return its error.
// Backends of a chain and of a nested Guard count one by one. The other backend is as it stands in the list, so look
// it up by [As]. Without Conflicter, [TokenOwner] alone decides.
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
		for _, other := range all[i+1:] {
			if err := one.Conflict(other); err != nil {
				return err
			}
		}
	}
	return nil
}
