package docker

import (
	"cmp"
	"context"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/docker/docker/api/types/registry"
)

// hubKey is what Docker's config calls its own registry, whose images bear the
// domain docker.io.
const hubKey = "https://index.docker.io/v1/"

// credentials gives what Docker's own config, or a credential helper that it
// names, holds for the registry of an image: "" when that is nothing. The file
// is read each time, so that `docker login` works at once.
func (e *Executor) credentials(ctx context.Context, ref reference.Named) (string, error) {
	key := reference.Domain(ref)
	if key == "docker.io" {
		key = hubKey
	}
	auth, err := lookup(ctx, e.opts.ConfigDir, func(file *configfile.ConfigFile) (types.AuthConfig, error) {
		return file.GetAuthConfig(key)
	})
	if err != nil || auth == (types.AuthConfig{}) {
		return "", err
	}
	return registry.EncodeAuthConfig(convert(auth))
}

// allCredentials gives everything that the config holds, for a build, whose
// base images may come from anywhere.
func (e *Executor) allCredentials(ctx context.Context) (map[string]registry.AuthConfig, error) {
	all, err := lookup(ctx, e.opts.ConfigDir, (*configfile.ConfigFile).GetAllCredentials)
	out := make(map[string]registry.AuthConfig, len(all))
	for key, auth := range all {
		out[key] = convert(auth)
	}
	return out, err
}

// lookup reads the config and asks it. A credential helper is a program that
// takes its time and knows no context, so that waiting for it ends by itself.
func lookup[T any](ctx context.Context, dir string, ask func(*configfile.ConfigFile) (T, error)) (T, error) {
	type reply struct {
		got T
		err error
	}
	done := make(chan reply, 1)
	go func() {
		var r reply
		file, err := config.Load(cmp.Or(dir, config.Dir()))
		if r.err = err; err == nil {
			r.got, r.err = ask(file)
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.got, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func convert(a types.AuthConfig) registry.AuthConfig {
	return registry.AuthConfig{
		Username: a.Username, Password: a.Password, Auth: a.Auth, ServerAddress: a.ServerAddress,
		IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken,
	}
}
