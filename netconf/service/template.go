package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/abide-agent/abide/netconf/tree"
)

// Limits of templates.
const (
	maxTemplate = 1 << 20  // bytes of its text
	maxRendered = 16 << 20 // bytes of what it makes for one device
	maxTurns    = 1 << 20  // of all loops and calls together, for one device
)

// Template is service code that is a text/template (its language is Go's). It
// is rendered once for each instance and device, and gives the device's
// configuration as XML: one or more elements, each with its namespace. A
// rendering that is empty leaves its device alone.
//
// Whatever an action prints is escaped, and stands in text or in the value of
// an attribute: no value can become markup. It sees:
//
//	.Instance   the instance's values by name; a `-` or `.` in a name may be
//	            written `_`. What has children has its own values; what is a
//	            list, or stands there several times, is one
//	.Service    the service's name, .Key that of the instance
//	.Device     .Name, .Addr, .Groups, .Vars (by name, as above)
//	.Devices    all devices that the instance may configure
//
// A range takes one value as a list of one. A Template is safe for use by any
// number of goroutines.
type Template struct {
	file      string
	set       *template.Template
	traced    *template.Template // the same, but tells where it is
	perDevice bool               // what it makes depends on the device
}

// ParseTemplate compiles a template. The file is named in its errors, which are
// a *[TemplateError].
func ParseTemplate(file string, text []byte) (*Template, error) {
	if len(text) > maxTemplate {
		return nil, &TemplateError{File: file, Message: fmt.Sprintf("the template is larger than %d bytes", maxTemplate), Hint: "split it"}
	}
	t := &Template{file: file}
	source := prologue.ReplaceAllStringFunc(string(text), func(s string) string { return strings.Repeat(" ", len(s)) })
	for _, into := range []**template.Template{&t.set, &t.traced} {
		var err error
		if *into, err = template.New(file).Funcs(functions).Funcs((&rendering{}).functions()).Parse(source); err != nil {
			return nil, templateError(file, err)
		}
		r := rewriter{file: file, source: source, trace: into == &t.traced}
		if err = r.set(*into); err != nil {
			return nil, err
		}
		t.perDevice = r.device
	}
	return t, nil
}

// prologue is the declaration that editors put at the front of an XML file; what
// is rendered is a part of a document.
var prologue = regexp.MustCompile(`\A(?:\xEF\xBB\xBF)?<\?xml[ \t][^<>{}]*\?>`)

// Run renders the template for each device. Equal texts are parsed once and
// share their tree.
func (t *Template) Run(ctx context.Context, r Request) (Output, error) {
	out := make(Output, len(r.Devices))
	if r.Deleted || len(r.Devices) == 0 {
		return out, nil
	}
	p := pass{t: t, known: map[string]*tree.Node{}, data: data{
		Service: r.Instance.Service, Key: r.Instance.Key,
		Instance: valuesOf(r.Instance.Config, r.Schema), Devices: make([]device, len(r.Devices)),
	}}
	p.run.ctx = ctx
	for i := range r.Devices {
		p.data.Devices[i] = deviceOf(&r.Devices[i])
	}
	var err error
	if p.set, err = t.set.Clone(); err != nil {
		return nil, err
	}
	p.set.Funcs(p.run.functions())
	for i := range p.data.Devices {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		p.data.Device = &p.data.Devices[i]
		config, err := p.device(i == 0 || t.perDevice)
		if err != nil {
			return nil, t.at(&r.Instance, p.data.Device, err)
		}
		if config != nil {
			out[p.data.Device.Name] = config
		}
	}
	return out, nil
}

// pass is one run of a template for all devices of an instance.
type pass struct {
	t     *Template
	set   *template.Template // bound to run
	run   rendering
	data  data
	known map[string]*tree.Node // what a text was read as; nil for an empty one
	size  int64                 // of those texts
}

// device gives the configuration of the data's device. The text of the device
// before it is taken where it can't be another.
func (p *pass) device(render bool) (*tree.Node, error) {
	if render {
		if err := p.run.render(p.set, &p.data); err != nil {
			return nil, templateError(p.t.file, err)
		}
	}
	text := p.run.out.Bytes()
	config, ok := p.known[string(text)]
	if !ok {
		var err error
		if config, err = p.parse(text); err != nil {
			return nil, err
		}
		p.known[string(text)] = config
		if p.size += int64(len(text)); p.size > maxOutput {
			return nil, &TemplateError{Message: fmt.Sprintf("the template makes more than %d bytes for all devices together", maxOutput), Hint: "make less, or split the instance"}
		}
	}
	return config, nil
}

const (
	openConfig  = "<config>"
	closeConfig = "</config>"
)

// parse reads a rendering; nil when it is empty.
func (p *pass) parse(text []byte) (*tree.Node, error) {
	doc := make([]byte, 0, len(text)+len(openConfig)+len(closeConfig))
	doc = append(append(append(doc, openConfig...), text...), closeConfig...)
	config, err := tree.Parse(bytes.NewReader(doc), tree.Limits{Bytes: int64(len(doc))})
	if e, ok := errors.AsType[*tree.SyntaxError](err); ok {
		return nil, &TemplateError{Message: "what is rendered is not XML: " + e.Message, Hint: e.Hint, Line: p.lineOf(text, e.Line, e.Column)}
	}
	if err != nil {
		return nil, err
	}
	if len(config.Children) == 1 && config.Children[0].Name.Local == "config" && len(config.Children[0].Attrs) == 0 {
		if space := config.Children[0].Name.Space; space == "" || space == tree.BaseSpace {
			config = &tree.Node{Name: configName, Children: config.Children[0].Children, Value: config.Children[0].Value}
		}
	}
	if len(config.Children) == 0 {
		if strings.TrimSpace(config.Value) != "" {
			return nil, &TemplateError{Message: "what is rendered is text without an element", Hint: "put it into the elements of the device's configuration"}
		}
		return nil, nil
	}
	for _, c := range config.Children {
		if c.Name.Space == "" {
			return nil, &TemplateError{Message: "<" + c.Name.Local + "> has no namespace", Hint: "give it the one of its YANG module with xmlns=", Line: p.lineOf(text, c.Line, c.Column)}
		}
	}
	if n := attributed(config); n != nil {
		return nil, &TemplateError{
			Message: "<" + n.Name.Local + "> has the attribute " + n.Attrs[0].Name.Local + ", and configuration has none",
			Hint:    "take it out; who owns what, and which edit is sent, is worked out from the configuration", Line: p.lineOf(text, n.Line, n.Column),
		}
	}
	return &tree.Node{Name: configName, Children: config.Children}, nil
}

// attributed gives the first node with an attribute.
func attributed(n *tree.Node) *tree.Node {
	if len(n.Attrs) > 0 {
		return n
	}
	for _, c := range n.Children {
		if found := attributed(c); found != nil {
			return found
		}
	}
	return nil
}

// lineOf gives the line of the template that made a place of the rendering, or
// 0. The rendering is made once more, by the template that tells where it is.
func (p *pass) lineOf(text []byte, line, column int) int {
	offset := column - 1
	if line == 1 {
		offset -= len(openConfig)
	}
	for rest := text; line > 1; line-- {
		end := bytes.IndexByte(rest, '\n') + 1
		offset += end
		rest = rest[end:]
	}
	offset = max(0, min(offset, len(text)))
	traced, err := p.t.traced.Clone()
	if err != nil {
		return 0
	}
	begin, end, found := 0, len(text), 0
	run := rendering{ctx: p.run.ctx}
	run.at = func(line int) {
		if n := run.out.Len(); n <= offset {
			begin, found = n, line
		} else {
			end = min(end, n)
		}
	}
	if run.render(traced.Funcs(run.functions()), &p.data) != nil || found == 0 {
		return 0
	}
	return found + bytes.Count(text[begin:min(offset, end)], []byte("\n"))
}

// TemplateError is what is wrong with a template or with what it makes.
type TemplateError struct {
	File         string
	Line, Column int // from 1; 0 where it isn't known
	Instance     string
	Device       string // for which it was rendered, if it was
	Message      string // a sentence without its full stop
	Hint         string
}

// Error gives `file:line:column: message, for INSTANCE on DEVICE; hint`.
func (e *TemplateError) Error() string {
	s := e.File
	if e.Line > 0 {
		s += ":" + strconv.Itoa(e.Line)
		if e.Column > 0 {
			s += ":" + strconv.Itoa(e.Column)
		}
	}
	s += ": " + e.Message
	if e.Instance != "" {
		s += " (for " + e.Instance + " on " + e.Device + ")"
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// at completes an error with what was rendered.
func (t *Template) at(i *Instance, d *device, err error) error {
	e, ok := errors.AsType[*TemplateError](err)
	if !ok {
		return err
	}
	whole := *e
	whole.File, whole.Instance, whole.Device = t.file, i.Name(), d.Name
	return &whole
}

// place takes the errors of text/template apart.
var place = regexp.MustCompile(`(?s)\Atemplate: (?:.*?):(\d+)(?::(\d+))?: (?:executing .*? at <(.*?)>: )?(.*)\z`)

// templateError puts an error of text/template into our form. What a function
// of ours says stands alone.
func templateError(file string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	m := place.FindStringSubmatch(err.Error())
	if m == nil {
		m = make([]string, 5)
		m[4] = err.Error()
	}
	e, ours := errors.AsType[*TemplateError](err)
	if !ours {
		e = &TemplateError{Message: m[4], Hint: "correct the template"}
		if m[3] != "" {
			e.Message = "{{" + m[3] + "}}: " + e.Message
		}
	}
	if e.Line == 0 && m[1] != "" {
		e.Line, _ = strconv.Atoi(m[1])
		if n, err := strconv.Atoi(m[2]); err == nil {
			e.Column = n + 1 // text/template counts them from 0
		}
	}
	e.File = file
	return e
}
