package settings

import (
	"strings"
	"testing"
)

func TestAuth(t *testing.T) {
	t.Parallel()
	for auth, want := range map[string]string{
		"{ssh_key_file: /k, ssh_passphrase_file: /p, known_hosts_file: /h}": "",
		"{ssh_agent_socket: /s}":                   "",
		"{ssh_key_file: k}":                        `"k" is not an absolute path`,
		"{ssh_passphrase_file: /p}":                "without ssh_key_file",
		"{ssh_agent_socket: /s, ssh_key_file: /k}": "exclude each other",
		"{token_file: /t, ca_file: /c, cert_file: /c, key_file: /k, proxy: 'http://u:s3cret@h:1'}": "",
		"{username: joe, password_env: PW}":          "",
		"{username: joe, token_env: TOKEN}":          "",
		"{token_env: s3cret!}":                       "never the secret itself",
		"{token_env: T, token_file: /t}":             "there are 2 of",
		"{username: joe}":                            "not both there",
		"{password_file: /p}":                        "not both there",
		"{cert_file: /c}":                            "cert_file and key_file are not both there",
		"{proxy: 's3cret'}":                          "not the URL of a proxy",
		"{ssh_keyfile: /k}":                          "did you mean ssh_key_file?",
		"{ssh_key_file: /k}, dir: /x":                "exactly one",
		"{known_hosts_file: /h}, git: , dir: /srv/x": "auth belongs to a git source",
	} {
		line := "git: git@h:x, auth: " + auth
		if rest, ok := strings.CutSuffix(auth, ", git: , dir: /srv/x"); ok {
			line = "dir: /srv/x, auth: " + rest
		}
		loaded, faults := Load(input(t, "sources: [{"+line+"}]\n", nil))
		text := ""
		for _, f := range faults {
			text += f.Message + " " + f.Hint + "\n"
		}
		if strings.Contains(text+loaded.String(), "s3cret") {
			t.Errorf("%s: the secret is told: %s %s", auth, text, loaded)
		}
		if want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", auth, text, want)
		}
	}
}
