package password

// Usage is how busy a [Hasher] is at one moment.
type Usage struct {
	// Running is how many passwords are being hashed, at most HasherConfig.Concurrent.
	Running int
	// Waiting is how many logins wait for their turn. After HasherConfig.MaxWait each of them fails with [ErrBusy],
	// and the client gets 503.
	Waiting int
}

// Usage returns how many hashes run and how many wait, for a gauge among the metrics of a service. If some wait most
// of the time, the service needs more processors, or a stranger floods its logins.
func (h *Hasher) Usage() Usage {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	return Usage{Running: b.most - b.slots, Waiting: b.queue.Len()}
}
