package bodies

import "net/http"

func left() (int, error) {
	answer, err := http.Get("http://localhost/") // want `response body must be closed`
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, nil
}
