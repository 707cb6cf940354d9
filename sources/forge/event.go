package forge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// eventHeaders name what happened.
var eventHeaders = []string{
	"X-Forgejo-Event", "X-Gitea-Event", "X-Gogs-Event", "X-Github-Event", "X-Gitlab-Event", "X-Event-Key",
}

// deliveryHeaders hold a name that no other delivery has, not even another
// attempt at the same one.
var deliveryHeaders = []string{
	"X-Forgejo-Delivery", "X-Gitea-Delivery", "X-Gogs-Delivery", "X-Github-Delivery", "Idempotency-Key", "X-Request-Uuid", "X-Request-Id",
}

// first gives the value of the first of the headers that is there.
func first(h http.Header, names []string) string {
	for _, name := range names {
		if v := h[name]; len(v) > 0 && v[0] != "" {
			return v[0]
		}
	}
	return ""
}

// meaning is what an event means to a source.
type meaning int

const (
	moves meaning = iota // a ref may have moved
	pings                // somebody tries the webhook out
	idles                // an issue, a star: nothing to look for
)

// movers are the events after which a ref may be elsewhere: of GitHub, Gitea and
// Forgejo, of GitLab, of Bitbucket Cloud and Bitbucket Server.
var movers = map[string]bool{
	"": true, "push": true, "create": true, "delete": true,
	"Push Hook": true, "Tag Push Hook": true, "System Hook": true,
	"repo:push": true, "repo:refs_changed": true, "mirror:repo_synchronized": true,
}

func meaningOf(h http.Header) meaning {
	switch event := first(h, eventHeaders); {
	case movers[event]:
		return moves
	case event == "ping", event == "diagnostics:ping":
		return pings
	}
	return idles
}

// movedRef finds the whole name of the ref that a push moved: the top-level
// `ref` of GitHub, GitLab, Gitea and Forgejo. Where it isn't found in the
// beginning of the body, or is no whole name, it is empty.
func movedRef(head []byte) string {
	d := json.NewDecoder(bytes.NewReader(head))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return ""
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return ""
		}
		if key == "ref" {
			if value, err := d.Token(); err == nil {
				ref, _ := value.(string)
				return ref
			}
			return ""
		}
		var skipped json.RawMessage
		if d.Decode(&skipped) != nil {
			return ""
		}
	}
	return ""
}

// concerns says whether a source that follows a branch or a tag has to be looked
// at because that ref moved. Who is in doubt looks.
func concerns(branch, tag, ref string) bool {
	const heads, tags = "refs/heads/", "refs/tags/"
	if !strings.HasPrefix(ref, heads) && !strings.HasPrefix(ref, tags) {
		return true
	}
	switch {
	case branch != "":
		return strings.HasPrefix(branch, "refs/") || ref == heads+branch
	case tag != "":
		return strings.HasPrefix(tag, "refs/") || ref == tags+tag
	}
	return true // it follows HEAD, which is any branch, or a commit, which any may bring
}
