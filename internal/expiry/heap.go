package expiry

// entry is an entry of a heap.
type entry[K comparable] struct {
	at  int64 // nanoseconds since 1970
	key K
}

const chunk = 1024 // entries

// heap has the entry with the least instant at 0. Its entries lie in chunks, so that a heap
// of a million grows without copying them all while others wait. Each entry has four
// below it, which are neighbours.
type heap[K comparable] struct {
	chunks []*[chunk]entry[K]
	n      int
}

func (h *heap[K]) at(i int) *entry[K] { return &h.chunks[i/chunk][i%chunk] }

func (h *heap[K]) push(it entry[K]) {
	if h.n == len(h.chunks)*chunk {
		h.chunks = append(h.chunks, new([chunk]entry[K]))
	}
	h.n++
	h.up(h.n-1, it)
}

// remove removes the entry at i. The last one takes its place.
func (h *heap[K]) remove(i int) {
	h.n--
	last := *h.at(h.n)
	*h.at(h.n) = entry[K]{} // so that its key is not kept
	if spare := len(h.chunks) - 1; h.n < (spare-1)*chunk {
		h.chunks[spare] = nil
		h.chunks = h.chunks[:spare]
	}
	switch {
	case i == h.n:
	case i > 0 && last.at < h.at((i-1)/4).at:
		h.up(i, last)
	default:
		h.down(i, last)
	}
}

// up puts an entry at i or above.
func (h *heap[K]) up(i int, it entry[K]) {
	for i > 0 {
		parent := (i - 1) / 4
		if h.at(parent).at <= it.at {
			break
		}
		*h.at(i) = *h.at(parent)
		i = parent
	}
	*h.at(i) = it
}

// down puts an entry at i or below.
func (h *heap[K]) down(i int, it entry[K]) {
	for {
		least := 4*i + 1
		if least >= h.n {
			break
		}
		for j := least + 1; j < min(4*i+5, h.n); j++ {
			if h.at(j).at < h.at(least).at {
				least = j
			}
		}
		if it.at <= h.at(least).at {
			break
		}
		*h.at(i) = *h.at(least)
		i = least
	}
	*h.at(i) = it
}
