package complexity

func nested(all [][]int) (n int) { // want `cognitive complexity 16`
	if len(all) == 0 {
		return -1
	}
	for _, some := range all {
		for _, one := range some {
			if one > 0 {
				if one > 1 {
					n++
				}
			}
			if one > 2 && one < 9 || one == 20 {
				n++
			}
		}
	}
	return n
}

func flat(all []int) (n int) {
	for _, one := range all {
		if one > 0 {
			n++
		}
	}
	return n
}
