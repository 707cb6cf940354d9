package settings

import (
	"fmt"
	"net/url"
	"regexp"

	"github.com/abide-agent/abide/internal/problem"
)

// Auth says how a Git server is logged into and known. It names files and
// variables; of secrets only the proxy's URL may hold one. Which of them go with
// which address is the source's to say.
type Auth struct {
	Username          string   `json:"username,omitempty"`
	TokenFile         string   `json:"token_file,omitempty"`
	TokenEnv          string   `json:"token_env,omitempty"`
	PasswordFile      string   `json:"password_file,omitempty"`
	PasswordEnv       string   `json:"password_env,omitempty"`
	CAFile            string   `json:"ca_file,omitempty"`
	CertFile          string   `json:"cert_file,omitempty"`
	KeyFile           string   `json:"key_file,omitempty"`
	Proxy             Location `json:"proxy,omitempty"`
	SSHKeyFile        string   `json:"ssh_key_file,omitempty"`
	SSHPassphraseFile string   `json:"ssh_passphrase_file,omitempty"`
	SSHAgentSocket    string   `json:"ssh_agent_socket,omitempty"`
	KnownHostsFile    string   `json:"known_hosts_file,omitempty"`
}

// authOptions is the table of `auth` in one element of `sources`.
func authOptions() []option[Source] {
	variable := func(key string, field func(*Auth) *string) option[Source] {
		return option[Source]{
			key: "auth." + key, flag: noFlag,
			add: checked(func(s *Source) *string { return field(&s.Auth) }, variableName),
		}
	}
	return []option[Source]{
		{key: "auth.username", flag: noFlag, add: text(func(s *Source) *string { return &s.Auth.Username })},
		authFile("token_file", func(a *Auth) *string { return &a.TokenFile }),
		variable("token_env", func(a *Auth) *string { return &a.TokenEnv }),
		authFile("password_file", func(a *Auth) *string { return &a.PasswordFile }),
		variable("password_env", func(a *Auth) *string { return &a.PasswordEnv }),
		authFile("ca_file", func(a *Auth) *string { return &a.CAFile }),
		authFile("cert_file", func(a *Auth) *string { return &a.CertFile }),
		authFile("key_file", func(a *Auth) *string { return &a.KeyFile }),
		{key: "auth.proxy", flag: noFlag, add: checked(func(s *Source) *Location { return &s.Auth.Proxy }, proxyURL)},
		authFile("ssh_key_file", func(a *Auth) *string { return &a.SSHKeyFile }),
		authFile("ssh_passphrase_file", func(a *Auth) *string { return &a.SSHPassphraseFile }),
		authFile("ssh_agent_socket", func(a *Auth) *string { return &a.SSHAgentSocket }),
		authFile("known_hosts_file", func(a *Auth) *string { return &a.KnownHostsFile }),
	}
}

// authFile is an option that names a file, seen from no working directory.
func authFile(key string, field func(*Auth) *string) option[Source] {
	return option[Source]{
		key: "auth." + key, flag: noFlag,
		add: checked(func(s *Source) *string { return field(&s.Auth) }, absolute),
	}
}

var aVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// variableName repeats nothing of what is none: it may be the secret itself.
func variableName(v string) error {
	if !aVariable.MatchString(v) {
		return fault{"that is not the name of a variable", "write its name, such as GIT_TOKEN, never the secret itself"}
	}
	return nil
}

func proxyURL(v string) error {
	if u, err := url.Parse(v); err != nil || u.Hostname() == "" {
		return fault{"that is not the URL of a proxy", "write it like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"}
	}
	return nil
}

// check finds what does not go together.
func (a Auth) check(s *Source) (faults problem.List) {
	fault := func(message, hint string) { faults = append(faults, s.at.fault("auth", message, hint)) }
	secrets := 0
	for _, from := range []string{a.TokenFile, a.TokenEnv, a.PasswordFile, a.PasswordEnv} {
		if from != "" {
			secrets++
		}
	}
	if (a != Auth{}) && s.Git == "" {
		fault("auth belongs to a git source", "remove it, or follow the repository with git")
	}
	if secrets > 1 {
		fault(fmt.Sprintf("there are %d of token_file, token_env, password_file and password_env", secrets), "keep one of them")
	}
	if a.Username == "" && a.PasswordFile+a.PasswordEnv != "" || a.Username != "" && secrets == 0 {
		fault("username and its password are not both there", "give username with password_file, password_env, token_file or token_env")
	}
	if (a.CertFile == "") != (a.KeyFile == "") {
		fault("cert_file and key_file are not both there", "name the client certificate and its key")
	}
	if a.SSHPassphraseFile != "" && a.SSHKeyFile == "" {
		fault("ssh_passphrase_file is without ssh_key_file", "name the key that it opens")
	}
	if a.SSHAgentSocket != "" && a.SSHKeyFile != "" {
		fault("ssh_agent_socket and ssh_key_file exclude each other", "keep one of them")
	}
	return faults
}
