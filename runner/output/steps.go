package output

import (
	"bytes"
	"strconv"
)

// Steps recognises the lines by which a generated script says which of its
// items it comes to, and turns them into narration. The channel costs the
// script one built-in echo an item, and no further process or request.
type Steps struct {
	prefix   []byte
	messages []string
}

// NewSteps gives the Steps of a script that prints token followed by the
// decimal index of a message on a line of its own.
func NewSteps(token string, messages []string) *Steps {
	return &Steps{prefix: []byte(token), messages: messages}
}

// find takes a marker off the end of a line: an item that ended its output
// without a newline has the next one's marker on the same line.
func (st *Steps) find(line []byte) (printed []byte, message string, ok bool) {
	if st == nil {
		return nil, "", false
	}
	i := bytes.LastIndex(line, st.prefix)
	if i < 0 {
		return nil, "", false
	}
	n, err := strconv.Atoi(string(line[i+len(st.prefix):]))
	if err != nil || n < 0 || n >= len(st.messages) {
		return nil, "", false
	}
	return line[:i], st.messages[n], true
}
