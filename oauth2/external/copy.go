package external

import "slices"

// copied returns a profile that shares nothing with p.
func (p *Profile) copied() *Profile {
	own := *p
	own.AuthInfo.AMR = slices.Clone(p.AuthInfo.AMR)
	own.Claims = copiedMembers(p.Claims)
	return &own
}

// copiedMembers copies an object of JSON, with what is in it.
func copiedMembers(members map[string]any) map[string]any {
	if members == nil {
		return nil
	}
	own := make(map[string]any, len(members))
	for name, value := range members {
		own[name] = copiedValue(value)
	}
	return own
}

func copiedValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return copiedMembers(v)
	case []any:
		own := make([]any, len(v))
		for i, each := range v {
			own[i] = copiedValue(each)
		}
		return own
	}
	return value
}
