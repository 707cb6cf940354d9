package service

import (
	"fmt"
	"slices"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

// Models are the YANG models that stand beside instances: they say what an
// instance may hold. A service without a model may hold anything. Models are
// never changed, and may be used by many goroutines.
type Models struct {
	schema   *yang.Schema
	services *tree.Def
}

// NewModels compiles models. What can't be compiled is left out with a warning,
// and what it would have described is not judged. A stand-in takes the place of
// clixon-controller's own module where it is not among them.
func NewModels(modules []yang.Module) (*Models, problem.List) {
	schema, warnings := yang.Compile(modules)
	var list problem.List
	for _, w := range warnings {
		list = append(list, problem.Problem{
			Severity: problem.Warning, File: w.File, Line: w.Line, Column: w.Column, Field: w.Module, Message: w.Message, Hint: w.Hint,
		})
	}
	return &Models{schema: schema, services: schema.Root().Child(servicesName)}, list
}

// Of gives what the models say of a service's list, or nil when they say nothing.
func (m *Models) Of(service, namespace string) *tree.Def {
	if m == nil {
		return nil
	}
	return m.services.Child(tree.Name{Space: namespace, Local: service})
}

// Named gives the instance with the key that its model names, which need not be
// what stands first in it, or the problem that keeps it from being one.
func (m *Models) Named(i Instance) (Instance, *problem.Problem) {
	def := m.Of(i.Service, i.Namespace)
	if def == nil {
		return i, nil
	}
	fault := func(n *tree.Node, message, hint string) (Instance, *problem.Problem) {
		return i, &problem.Problem{Severity: problem.Error, File: i.File, Line: n.Line, Column: n.Column, Field: i.Service, Message: message, Hint: hint}
	}
	if def.Kind != tree.List || len(def.Keys) != 1 {
		return fault(i.Config, "the model of "+i.Service+" is no list with one key", "make it one: `list "+i.Service+" { key instance; … }`")
	}
	key := i.Config.Child(tree.Name{Space: i.Namespace, Local: def.Keys[0]})
	if key == nil {
		return fault(i.Config, "the instance has no <"+def.Keys[0]+">, which is its key", "put it first")
	}
	if wrong := keyFault(key.Value); wrong != "" {
		return fault(key, "the key <"+key.Name.Local+"> "+wrong, "name the instance in a few plain characters")
	}
	i.KeyLeaf, i.Key = key.Name.Local, key.Value
	return i, nil
}

// Validate judges all instances together, as what they hold may refer to each
// other, and gives the problems of each by its name. Those that can't be told
// apart are under "". Instances of services without a model have none.
func (m *Models) Validate(instances []Instance) map[string]problem.List {
	if m == nil {
		return nil
	}
	services := element("services")
	byName := make(map[string]*Instance, len(instances))
	for i := range instances {
		if it := &instances[i]; m.Of(it.Service, it.Namespace) != nil {
			services.Children = append(services.Children, it.Config)
			byName[it.Name()] = it
		}
	}
	if len(services.Children) == 0 {
		return nil
	}
	out := map[string]problem.List{}
	for _, f := range m.schema.Validate(&tree.Node{Name: configName, Children: []*tree.Node{services}}) {
		p := problem.Problem{Severity: problem.Error, Line: f.Line, Column: f.Column, Message: f.Message + " (" + f.Path + ")", Hint: f.Hint}
		name := m.owner(f, byName)
		if i := byName[name]; i != nil {
			p.File, p.Field = i.File, i.Service
		}
		out[name] = append(out[name], p)
	}
	return out
}

// owner gives the name of the instance that a fault is in, or "".
func (m *Models) owner(f yang.Fault, instances map[string]*Instance) string {
	steps, err := tree.ParsePath(f.Path)
	if err != nil || len(steps) < 2 || len(steps[1].Keys) == 0 {
		return ""
	}
	name := fmt.Sprintf("%s[%s]", steps[1].Name, steps[1].Keys[0].Value)
	if instances[name] == nil {
		return ""
	}
	return name
}

// Services names the services that have a model, sorted.
func (m *Models) Services() []string {
	if m == nil {
		return nil
	}
	var out []string
	for _, d := range m.services.Children() {
		if d.Kind == tree.List {
			out = append(out, d.Name.Local)
		}
	}
	slices.Sort(out)
	return out
}
