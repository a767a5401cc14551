package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/sirupsen/logrus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// errNotReady is why something can't be done while the API server isn't there.
var errNotReady = errors.New("runtime core not ready")

var reasons = map[int]metav1.StatusReason{
	http.StatusBadRequest:          metav1.StatusReasonBadRequest,
	http.StatusUnauthorized:        metav1.StatusReasonUnauthorized,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusMethodNotAllowed:    metav1.StatusReasonMethodNotAllowed,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable,
}

// refuse answers in the form of the Kubernetes API, and says so in the log: there the refusals of others show, too.
func refuse(w http.ResponseWriter, r *http.Request, code int, message string) {
	logrus.Errorf("Sending %s %d response to %s: %s", r.Proto, code, r.RemoteAddr, message)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	answer := json.NewEncoder(w)
	answer.SetIndent("", "  ")
	_ = answer.Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status"}, Status: metav1.StatusFailure, Message: message, Reason: reasons[code], Code: int32(code),
	})
}

// fail tells the caller a number, and the log what has failed.
func fail(w http.ResponseWriter, r *http.Request, subject string, err error) {
	id := fmt.Sprintf("%s error ID %05d", subject, rand.IntN(100000))
	logrus.Errorf("%s: %v", id, err)
	refuse(w, r, http.StatusInternalServerError, "Internal error occurred: "+id)
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		logrus.Errorf("Failed to write response: %v", err)
	}
}

// method admits one method. It is asked after the caller's rights, so that nobody learns more from the answer.
func method(only string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != only {
			refuse(w, r, http.StatusMethodNotAllowed, "method not allowed")
			return
		}
		next(w, r)
	}
}
