package sim

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
	"sync"

	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

// embedded are two small models with the namespaces of OpenConfig's.
//
//go:embed yang/*.yang
var embedded embed.FS

// maxModels is how many bytes a folder of models may have.
const maxModels = 64 << 20

// Models are what a device knows of its configuration. Any number of devices may
// share them.
type Models struct {
	schema   *yang.Schema
	root     *tree.Def
	prefixes map[string]string      // of modules, by name
	texts    map[string]yang.Module // of modules and submodules
	content  string                 // a digest of all of it
	hello    []string               // a capability of each module
}

// DefaultModels are openconfig-system and openconfig-interfaces as a few leaves
// that tests and trials get by with.
var DefaultModels = sync.OnceValue(func() *Models {
	dir, err := fs.Sub(embedded, "yang")
	if err != nil {
		panic(err) // of a constant
	}
	m, _, err := LoadModels(dir)
	if err != nil {
		panic(err) // what is embedded is tested
	}
	return m
})

// LoadModels compiles the files *.yang of a folder. What can't be compiled is left
// out, with a warning.
func LoadModels(dir fs.FS) (*Models, []yang.Warning, error) {
	names, err := fs.Glob(dir, "*.yang")
	if err != nil {
		return nil, nil, err
	}
	var modules []yang.Module
	total := 0
	for _, name := range names {
		text, err := read(dir, name, maxModels-total+1)
		if err != nil {
			return nil, nil, fmt.Errorf("the model %s can't be read: %w", name, err)
		}
		if total += len(text); total > maxModels {
			return nil, nil, fmt.Errorf("the models are larger than %d MiB together; take away those that nobody needs", maxModels>>20)
		}
		modules = append(modules, yang.Module{File: name, Text: string(text)})
	}
	schema, warnings := yang.Compile(modules)
	m := &Models{schema: schema, root: schema.Root(), prefixes: map[string]string{}, texts: map[string]yang.Module{}}
	if len(schema.Modules()) == 0 {
		return nil, warnings, errors.New("there is no model among the files *.yang of the folder; give one with NAME.yang files")
	}
	sum := sha256.New()
	for _, info := range schema.Modules() {
		m.prefixes[info.Name] = info.Prefix
		m.hello = append(m.hello, capability(info))
		for _, one := range append([]yang.Module{info.Module}, info.Submodules...) {
			m.texts[one.Name] = one
			fmt.Fprintf(sum, "%s %d %s", one.Name, len(one.Text), one.Text)
		}
	}
	m.content = hex.EncodeToString(sum.Sum(nil)[:16])
	return m, warnings, nil
}

// read reads at most that many bytes of a file.
func read(dir fs.FS, name string, limit int) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(limit)))
}

// capability names a module in a hello (RFC 6020 section 5.6.4).
func capability(m yang.ModuleInfo) string {
	uri := m.Namespace + "?module=" + url.QueryEscape(m.Name)
	if m.Revision != "" {
		uri += "&revision=" + m.Revision
	}
	if len(m.Features) > 0 {
		uri += "&features=" + strings.Join(m.Features, ",")
	}
	return uri
}

// instance writes a path with the names of modules, as messages for people have
// it, with their prefixes (RFC 7950 section 9.13). The text is empty where the
// path leads nowhere.
func (m *Models) instance(path string) (text string, prefixes map[string]string) {
	steps, err := tree.ParsePath(path)
	if err != nil || len(steps) == 0 {
		return "", nil
	}
	var b strings.Builder
	prefixes = map[string]string{}
	at := m.root
	for _, step := range steps {
		def := childOf(at, step)
		if def == nil {
			break
		}
		prefix := m.prefixes[def.Module]
		prefixes[prefix] = def.Name.Space
		b.WriteString("/" + prefix + ":" + def.Name.Local)
		for _, key := range step.Keys {
			name := key.Key
			if name != "." {
				name = prefix + ":" + name
			}
			quote := "'"
			if strings.Contains(key.Value, quote) {
				quote = `"`
			}
			b.WriteString("[" + name + "=" + quote + key.Value + quote + "]")
		}
		at = def
	}
	return b.String(), prefixes
}

func childOf(at *tree.Def, step tree.Step) *tree.Def {
	for _, c := range at.Children() {
		if c.Name.Local == step.Name && (step.Module == c.Module || step.Module == "" && (at.Module == c.Module || at.Module == "")) {
			return c
		}
	}
	return nil
}
