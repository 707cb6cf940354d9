package settings

import (
	"strings"
	"testing"
)

func TestHookAndStatus(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"{git: /r, webhook: {secret_file: /s}}":                                        "",
		"{dir: /d, webhook: {secret_file: /s}}":                                        "",
		"{git: /r, webhook: {secret_file: s}}":                                         `"s" is not an absolute path`,
		"{git: /r, webhook: {secret: hunter2-s3cret}}":                                 "the keys here are secret_file",
		"{git: /r, status: {token_file: /t, api: 'https://h/api/v3', context: 'a/b'}}": "",
		"{git: /r, status: {token_file: t}}":                                           `"t" is not an absolute path`,
		"{git: /r, status: {context: x}}":                                              "without a token",
		"{git: /r, status: {token_file: /t, api: 'https://u:s3cret@h/'}}":              "not a web address",
		"{git: /r, status: {token_file: /t, api: 'ftp://h/'}}":                         "not a web address",
		"{git: /r, status: {token_file: /t, context: \"a\\nb\"}}":                      "the context of a status",
		"{dir: /d, status: {token_file: /t}}":                                          "only the commits of a git source",
	} {
		_, faults := Load(input(t, "sources: ["+line+"]\n", nil))
		text := ""
		for _, f := range faults {
			text += f.Message + " " + f.Hint + "\n"
		}
		if want == "" && text != "" || !strings.Contains(text, want) || strings.Contains(text, "s3cret") {
			t.Errorf("%s: %q, want %q", line, text, want)
		}
	}
	s := load(t, input(t, "sources: [{git: /r, webhook: {secret_file: /s}, status: {token_file: /t}}]\n", nil, "external-url=https://abide.example.org"))
	if s.Sources[0].Webhook.SecretFile != "/s" || s.Sources[0].Status.TokenFile != "/t" || s.ExternalURL != "https://abide.example.org" {
		t.Errorf("settings: %s", s)
	}
	if _, faults := Load(input(t, "external_url: 'https://u:s3cret@h'\nsources: [{git: /r}]\n", nil)); faults.Err() == nil || strings.Contains(faults.Err().Error(), "s3cret") {
		t.Errorf("external_url: %v", faults)
	}
}
