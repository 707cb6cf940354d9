package reconcile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// Names of the kinds of the family of services.
const (
	ServiceKind = "service"
	DeviceKind  = "device"
)

// DeviceManager brings devices to what service instances want of them, and keeps
// them there; it is a [device.Manager].
type DeviceManager interface {
	Inventory(devices []device.Device)
	Plan(ctx context.Context, changes []device.Change) ([]device.DevicePlan, error)
	Preview(ctx context.Context, devices []device.Device, changes []device.Change) ([]device.DevicePlan, error)
	Apply(ctx context.Context, changes []device.Change, o device.Options) map[string]device.Result
	State(owner string) device.State
	MadeOf(owner string) string
	Devices() []device.Status
	Others(name, owner string) *tree.Node
	Owners(name, path string) ([]tree.Owned, error)
	Read(ctx context.Context, name string, owned bool) (*tree.Node, error)
	Diff(ctx context.Context, name string) (device.Difference, error)
	Sync(ctx context.Context, name string) error
}

// Handlers are the processes that serve services over the service API; they are
// a [service.Server].
type Handlers interface {
	service.Code
	Pushed(instance string, err error)
}

// ServiceConfig is what the kind of services is made of.
type ServiceConfig struct {
	Devices  DeviceManager
	Handlers Handlers // nil: no service API, as for a plan without a daemon
	Mode     device.Mode
	Publish  func(sse.Event)
	Timeout  time.Duration // of service code
	Wait     time.Duration // for devices that don't follow, before others go on
	Parallel int           // instances whose code runs at the same time
	Now      func() time.Time
}

// Services is the [Kind] of service instances. Its changes meet on the devices:
// what a batch wants of one device goes there together.
type Services struct {
	ServiceConfig
	agent *Agent
	cat   *catalogues

	mu   sync.Mutex
	made map[string]made // the latest output of each instance's code
	slow map[string]bool // instances that wait for a device, or for their handler
	// asked has the instances that handlers are at work on.
	asked map[string]*asked
	// clash has the instances that are in conflict with others that aren't applied.
	clash map[string]*clash
}

// made is what code made, and of what, so that waiting for a device runs no code.
type made struct {
	digest string
	output service.Output
}

var (
	_ Kind     = (*Services)(nil)
	_ Splitter = (*Services)(nil)
	_ Gatherer = (*Services)(nil)
	_ Renderer = (*Services)(nil)
)

// NewServices makes the kinds of the services and of the devices that they
// configure. Attach completes both.
func NewServices(c ServiceConfig) (*Services, *Devices) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Parallel <= 0 {
		c.Parallel = 8
	}
	cat := newCatalogues()
	s := &Services{ServiceConfig: c, cat: cat, made: map[string]made{}, slow: map[string]bool{}, asked: map[string]*asked{}, clash: map[string]*clash{}}
	return s, &Devices{manager: c.Devices, cat: cat, known: map[string]device.Device{}}
}

// Attach gives the kind the agent that knows what is wanted.
func (k *Services) Attach(a *Agent) { k.agent = a }

// serviceSpec is the parsed form of an instance's resource.
type serviceSpec struct {
	instance service.Instance
	cat      *catalogue
	template *service.Template // nil: a handler's
	file     string            // the template's
	policy   Policy
}

// parsedServices is what Parse keeps of a document.
type parsedServices struct {
	names  []string
	by     map[string]service.Instance
	texts  map[string][]byte // of the instances, as people read them
	faults problem.List
}

// Name implements [Kind].
func (k *Services) Name() string { return ServiceKind }

// Wants implements [Kind]: XML directly in the source, or below services/ or
// devices/.
func (k *Services) Wants(name string) bool { return path.Ext(name) == ".xml" && ofServices(name) }

// Claims implements [Kind].
func (k *Services) Claims(file File) (bool, string) { return claimsRoot(file.Data, "services") }

// Parse implements [Kind].
func (k *Services) Parse(file File) any {
	list, faults := service.ParseServices(file.Path, file.Data)
	p := parsedServices{by: make(map[string]service.Instance, len(list)), texts: make(map[string][]byte, len(list)), faults: faults}
	for _, i := range list {
		name := i.Name()
		p.names = append(p.names, name)
		p.by[name], p.texts[name] = i, []byte(i.Config.Pretty())
	}
	return p
}

// Split implements [Splitter].
func (k *Services) Split(_ File, parsed any) ([]string, problem.List) {
	p := parsed.(parsedServices)
	return p.names, p.faults
}

// Gather implements [Gatherer].
func (k *Services) Gather(snap *sources.Snapshot, names []string, mine []Parsed) problem.List {
	var all []service.Instance
	var hashes []string
	for _, m := range mine {
		hashes = append(hashes, m.File.Path+"\x00"+m.File.Hash)
		p := m.Parsed.(parsedServices)
		for _, name := range p.names {
			all = append(all, p.by[name])
		}
	}
	return k.cat.putCode(snap, names, all, hashes)
}

// Load implements [Kind].
func (k *Services) Load(snap *sources.Snapshot, file File, parsed any, policy Policy) Resource {
	i, text := parsed.(parsedServices).by[file.As], parsed.(parsedServices).texts[file.As]
	cat := k.cat.get(snap.Source)
	r := Resource{Kind: ServiceKind, Name: i.Name(), Text: text, Problems: cat.faults[i.Name()]}
	if by, fault := cat.models.Named(i); fault != nil {
		r.Problems = append(r.Problems[:len(r.Problems):len(r.Problems)], *fault)
	} else if by.Name() != i.Name() {
		r.Problems = append(r.Problems[:len(r.Problems):len(r.Problems)], problem.Problem{
			Severity: problem.Error, File: file.Path, Line: i.Line, Field: i.Service,
			Message: "the key <" + by.KeyLeaf + "> does not stand first (RFC 7950 section 7.8.5)", Hint: "put it first",
		})
	}
	spec := &serviceSpec{instance: i, cat: cat, policy: policy}
	h := sha256.New()
	fmt.Fprintf(h, "%d %s", len(text), text)
	if code := cat.templates[i.Service]; code != nil {
		spec.template, spec.file = code.template, code.file
		r.Problems = append(r.Problems[:len(r.Problems):len(r.Problems)], code.problems...)
		fmt.Fprintf(h, " template %s", code.hash)
	}
	fmt.Fprintf(h, " devices %s", cat.visible)
	r.Spec, r.Digest = spec, "sha256:"+hex.EncodeToString(h.Sum(nil))
	return r
}

// Lane implements [Kind]: what changes together goes to the devices together.
// What waits for a device that can't follow, or for a handler that takes its
// time, has a lane of its own.
func (k *Services) Lane(c Change) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.slow[c.Name] {
		return "services that wait"
	}
	return "services"
}

func (k *Services) setSlow(name string, slow bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if slow {
		k.slow[name] = true
	} else {
		delete(k.slow, name)
	}
}

// Describe implements [Kind]: what an instance says itself. What comes of it on
// the devices is for Render.
func (k *Services) Describe(c *Change, want *Resource, applied []byte) {
	switch {
	case want == nil:
		c.Details = append(c.Details, "what only it wants of the devices is removed")
	case len(applied) > 0 && !bytes.Equal(applied, want.Text):
		c.Diff = udiff.Unified("a/"+want.Name, "b/"+want.Name, string(applied), string(want.Text))
	case len(applied) > 0:
		c.Details = append(c.Details, "its template or the inventory changed")
	}
}

// claimsRoot says whether an XML file's first element is the one of the family
// that is asked for. It looks at the beginning only: whether the rest is sound is
// for the kind to say.
func claimsRoot(data []byte, want string) (bool, string) {
	root := rootElement(data)
	switch root {
	case want:
		return true, ""
	case "":
		return false, "it has no root element"
	}
	return false, fmt.Sprintf("its root is <%s>, neither <services> nor <devices>", root)
}

// rootElement gives the local name of the first element.
func rootElement(data []byte) string {
	text := string(data[:min(len(data), 64<<10)])
	for {
		_, after, ok := strings.Cut(text, "<")
		if !ok {
			return ""
		}
		switch {
		case strings.HasPrefix(after, "?"):
			_, text, _ = strings.Cut(after, "?>")
		case strings.HasPrefix(after, "!--"):
			_, text, _ = strings.Cut(after, "-->")
		case strings.HasPrefix(after, "!"):
			_, text, _ = strings.Cut(after, ">")
		default:
			name := after[:strings.IndexFunc(after+">", func(r rune) bool { return strings.ContainsRune(" \t\r\n/>", r) })]
			if _, local, prefixed := strings.Cut(name, ":"); prefixed {
				return local
			}
			return name
		}
	}
}
