package transfer

import (
	"fmt"
	"reflect"
	"time"
)

// Difference returns the first field in which two records of a kind differ, and "" if they are the same. An empty list
// and a nil one are the same, as they are for the stores. It names the field alone, not what is in it.
func Difference(a, b Record) string {
	return difference(reflect.ValueOf(a), reflect.ValueOf(b), "")
}

var timeType = reflect.TypeFor[time.Time]()

func difference(a, b reflect.Value, path string) string {
	if !a.IsValid() || !b.IsValid() || a.Type() != b.Type() {
		return "its type"
	}
	if a.Type() == timeType {
		return pathIfDifferent(a.Interface().(time.Time).Equal(b.Interface().(time.Time)), path)
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return pathIfDifferent(a.IsNil() == b.IsNil(), path)
		}
		return difference(a.Elem(), b.Elem(), path)
	case reflect.Struct:
		return differentField(a, b, path)
	case reflect.Slice:
		return differentElement(a, b, path)
	case reflect.Map:
		return pathIfDifferent(a.Len() == 0 && b.Len() == 0 || reflect.DeepEqual(a.Interface(), b.Interface()), path)
	}
	return pathIfDifferent(a.Equal(b), path)
}

// differentField returns the path of the first exported field that differs, or "". A store keeps exported fields only.
func differentField(a, b reflect.Value, path string) string {
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		name := path
		if !field.Anonymous {
			name = joinPath(path, field.Name)
		}
		if found := difference(a.Field(i), b.Field(i), name); found != "" {
			return found
		}
	}
	return ""
}

func differentElement(a, b reflect.Value, path string) string {
	if a.Len() != b.Len() {
		return "the number of " + path
	}
	for i := range a.Len() {
		if found := difference(a.Index(i), b.Index(i), fmt.Sprintf("%s[%d]", path, i)); found != "" {
			return found
		}
	}
	return ""
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// pathIfDifferent returns the path of a field unless it is the same in both.
func pathIfDifferent(same bool, path string) string {
	if same {
		return ""
	}
	return path
}
