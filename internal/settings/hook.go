package settings

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
)

// Webhook lets a forge say that a source has changed, so that nobody has to
// wait for the next poll.
type Webhook struct {
	SecretFile string `json:"secret_file,omitempty"` // one secret, or the new and the old one on a line each; empty: no webhook
}

// Status has a forge told how the commits of a source fare.
type Status struct {
	TokenFile string `json:"token_file,omitempty"` // empty: nothing is told
	API       string `json:"api,omitempty"`        // empty: what the source's address suggests
	Context   string `json:"context,omitempty"`    // empty: abide/ and the host's name
}

// hookOptions is the table of `webhook` and `status` in one element of `sources`.
func hookOptions() []option[Source] {
	return []option[Source]{
		{key: "webhook.secret_file", flag: noFlag, add: checked(func(s *Source) *string { return &s.Webhook.SecretFile }, absolute)},
		{key: "status.token_file", flag: noFlag, add: checked(func(s *Source) *string { return &s.Status.TokenFile }, absolute)},
		{key: "status.api", flag: noFlag, add: checked(func(s *Source) *string { return &s.Status.API }, webAddress)},
		{key: "status.context", flag: noFlag, add: checked(func(s *Source) *string { return &s.Status.Context }, statusContext)},
	}
}

// webAddress refuses what is no plain URL. It repeats nothing of it, since a
// password may stand in any part.
func webAddress(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fault{"that is not a web address", "write it like https://abide.example.org, without a user, a ? or a #"}
	}
	return nil
}

// maxContext is what forges take, in bytes.
const maxContext = 255

func statusContext(v string) error {
	if len(v) > maxContext || strings.ContainsFunc(v, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return fault{"that can't be the context of a status", fmt.Sprintf("write one line of at most %d bytes, such as deploy/web-1", maxContext)}
	}
	return nil
}

// checkStatus finds a `status` that can't work.
func (s *Source) checkStatus() (faults problem.List) {
	switch st := s.Status; {
	case st == Status{}:
	case st.TokenFile == "":
		faults = append(faults, s.at.fault("status", "nobody can be told a status without a token", "name the file that holds one with token_file"))
	case s.Git == "":
		faults = append(faults, s.at.fault("status", "only the commits of a git source have a status", "remove `status`, or follow the repository with git"))
	}
	return faults
}
