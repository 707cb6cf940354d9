package settings

import (
	"strings"
	"testing"
)

func TestAuth(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]string{
		"{ssh_key_file: /k, ssh_passphrase_file: /p, known_hosts_file: /h}": "",
		"{ssh_agent_socket: /s}":                     "",
		"{ssh_key_file: k}":                          `"k" is not an absolute path`,
		"{ssh_passphrase_file: /p}":                  "without ssh_key_file",
		"{ssh_agent_socket: /s, ssh_key_file: /k}":   "exclude each other",
		"{ssh_keyfile: /k}":                          "did you mean ssh_key_file?",
		"{ssh_key_file: /k}, dir: /x":                "exactly one",
		"{known_hosts_file: /h}, git: , dir: /srv/x": "auth belongs to a git source",
	} {
		line := "git: git@h:x, auth: " + auth
		if rest, ok := strings.CutSuffix(auth, ", git: , dir: /srv/x"); ok {
			line = "dir: /srv/x, auth: " + rest
		}
		_, faults := Load(input(t, "sources: [{"+line+"}]\n", nil))
		text := ""
		for _, f := range faults {
			text += f.Message + " " + f.Hint + "\n"
		}
		if want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", auth, text, want)
		}
	}
}
