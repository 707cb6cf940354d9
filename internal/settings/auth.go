package settings

import "github.com/abide-agent/abide/internal/problem"

// authFile is an option that names a file, seen from no working directory.
func authFile(key string, field func(*Auth) *string) option[Source] {
	return option[Source]{
		key: "auth." + key, flag: noFlag,
		add: checked(func(s *Source) *string { return field(&s.Auth) }, absolute),
	}
}

// check finds what does not go together.
func (a Auth) check(s *Source) (faults problem.List) {
	switch {
	case a == Auth{}:
	case s.Git == "":
		faults = append(faults, s.at.fault("auth", "auth belongs to a git source", "remove it, or follow the repository with git"))
	case a.SSHPassphraseFile != "" && a.SSHKeyFile == "":
		faults = append(faults, s.at.fault("auth", "ssh_passphrase_file is without ssh_key_file", "name the key that it opens"))
	case a.SSHAgentSocket != "" && a.SSHKeyFile != "":
		faults = append(faults, s.at.fault("auth", "ssh_agent_socket and ssh_key_file exclude each other", "keep one of them"))
	}
	return faults
}
