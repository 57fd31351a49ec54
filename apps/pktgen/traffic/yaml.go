package traffic

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxNodes bounds what is decoded, since aliases can make much of little.
const maxNodes = 1 << 17

// layerTypes are the headers by their names in a scenario.
var layerTypes = []reflect.Type{
	reflect.TypeFor[Ethernet](), reflect.TypeFor[VLAN](), reflect.TypeFor[ARP](), reflect.TypeFor[IPv4](),
	reflect.TypeFor[IPv6](), reflect.TypeFor[UDP](), reflect.TypeFor[TCP](), reflect.TypeFor[ICMP](),
	reflect.TypeFor[ICMPv6](), reflect.TypeFor[VXLAN](), reflect.TypeFor[Raw](),
}

// kindOf returns the name of a type of header.
func kindOf(t reflect.Type) string { return reflect.Zero(t).Interface().(Layer).Kind() }

// decoder makes a scenario of YAML. What a mapping may have is said by the struct that it
// is decoded into: the tags of its fields are also what the reference text is made from.
type decoder struct {
	scenario *Scenario
	nodes    int
}

// decodeYAML reads a scenario.
func decodeYAML(data []byte, s *Scenario) error {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		e := &Error{Reason: "not YAML", Err: err}
		var syntax *yaml.LoadError
		if errors.As(err, &syntax) {
			e.Line, e.Err = syntax.Mark.Line, errors.New(syntax.Message)
		}
		return e
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return &Error{Reason: "it is empty", Remedy: "describe streams; pktgen help scenario shows how"}
	}
	d := decoder{scenario: s}
	return d.decode(document.Content[0], reflect.ValueOf(s).Elem(), reflect.StructField{}, "")
}

func (d *decoder) fail(n *yaml.Node, path, value, reason, remedy string) error {
	return &Error{Line: n.Line, Field: path, Value: value, Reason: reason, Remedy: remedy}
}

// decode decodes a node into v, which is described by the tags of f.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, f reflect.StructField, path string) error {
	if d.nodes++; d.nodes > maxNodes {
		return d.fail(n, path, "", fmt.Sprintf("more than %d values, counting those of aliases", maxNodes), "use fewer")
	}
	n = resolve(n)
	switch {
	case v.Type() == reflect.TypeFor[Layers]():
		return d.layers(n, v, path)
	case isScalar(v):
		return d.scalar(n, v, f, path)
	case v.Kind() == reflect.Slice:
		return d.list(n, v, f, path)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.decode(n, v.Elem(), f, path)
	}
	setDefaults(v)
	return d.mapping(n, v, path)
}

// resolve returns the node that an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// isScalar reports whether a value is written as one word.
func isScalar(v reflect.Value) bool {
	_, text := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch v.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Pointer:
		return text
	}
	return true
}

// describe says what a node is, for errors.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	value := []rune(n.Value)
	if len(value) > maxQuoted {
		return strconv.Quote(string(value[:maxQuoted])) + "..."
	}
	return strconv.Quote(n.Value)
}

// maxQuoted is how many characters of a value errors quote.
const maxQuoted = 40

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, f reflect.StructField, path string) error {
	if n.Kind != yaml.ScalarNode {
		return d.fail(n, path, describe(n), "not a single value", "write "+wanted(v, f))
	}
	if n.ShortTag() == "!!null" {
		return d.fail(n, path, "", "no value", "write "+wanted(v, f)+", or leave the line out")
	}
	if err := setScalar(v, f, n.Value); err != nil {
		reason, remedy, _ := strings.Cut(err.Error(), "; ")
		return d.fail(n, path, n.Value, reason, remedy)
	}
	return nil
}

// wanted says what is to be written for a value.
func wanted(v reflect.Value, f reflect.StructField) string {
	switch {
	case v.Type() == reflect.TypeFor[Size]():
		return strings.TrimPrefix(sizeRemedy, "write ")
	case v.Type() == reflect.TypeFor[Payload]():
		return strings.TrimPrefix(payloadRemedy, "write ")
	case f.Tag.Get("oneof") != "":
		return "one of " + strings.Join(strings.Fields(f.Tag.Get("oneof")), ", ")
	case v.Type() == reflect.TypeFor[netip.Addr](), v.Type() == reflect.TypeFor[MAC]():
		return "an address like " + f.Tag.Get("default")
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanUint(), v.CanInt():
		return "a number"
	}
	return "one word"
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, f reflect.StructField, path string) error {
	if n.Kind != yaml.SequenceNode {
		return d.fail(n, path, describe(n), "not a list", "begin each item with - in a line of its own, or write [a, b]")
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		d.scenario.lines[at] = item.Line
		if err := d.decode(item, list.Index(i), reflect.StructField{Name: f.Name}, at); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) error {
	if n.Kind != yaml.MappingNode {
		return d.fail(n, path, describe(n), "not a mapping", "write its fields as name: value, each in a line; they are "+
			strings.Join(fieldsOf(v.Type()), ", "))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 { // what it takes over from another
		if n.Content[i].Value == "<<" {
			if err := d.mapping(resolve(n.Content[i+1]), v, path); err != nil {
				return err
			}
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := join(path, key.Value)
		if line, again := seen[key.Value]; again {
			return d.fail(key, name, "", fmt.Sprintf("it is there twice, first in line %d", line), "leave one out")
		}
		seen[key.Value] = key.Line
		if key.Value == "<<" {
			continue
		}
		k := fieldNamed(v.Type(), key.Value)
		if k < 0 {
			return d.fail(key, name, "", "unknown field", "use one of "+strings.Join(fieldsOf(v.Type()), ", "))
		}
		d.scenario.lines[name] = key.Line
		if err := d.decode(value, v.Field(k), v.Type().Field(k), name); err != nil {
			return err
		}
	}
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fieldNamed returns the index of a field of a mapping, -1 if there is none.
func fieldNamed(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if name != "" && t.Field(i).Tag.Get("yaml") == name {
			return i
		}
	}
	return -1
}

// fieldsOf returns the names of the fields of a mapping.
func fieldsOf(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// layers decodes the headers of a packet: each item is the name of one, or a mapping of
// the name to its fields.
func (d *decoder) layers(n *yaml.Node, v reflect.Value, path string) error {
	if n.Kind != yaml.SequenceNode {
		return d.fail(n, path, describe(n), "not a list of headers", "write [ethernet, ipv4, udp], or each in a line of its own after -")
	}
	layers := make(Layers, len(n.Content))
	for i, item := range n.Content {
		l, err := d.layer(resolve(item), fmt.Sprintf("%s[%d]", path, i))
		if err != nil {
			return err
		}
		layers[i] = l
	}
	for i := range layers[:max(len(layers)-1, 0)] {
		u, isUDP := layers[i].(UDP)
		if _, tunnel := layers[i+1].(VXLAN); isUDP && tunnel {
			layers[i] = d.tunnel(u, fmt.Sprintf("%s[%d].udp", path, i))
		}
	}
	v.Set(reflect.ValueOf(layers))
	return nil
}

// tunnel gives the UDP header in front of a VXLAN header what RFC 7348 says, unless it is
// written otherwise.
func (d *decoder) tunnel(u UDP, path string) UDP {
	if _, ok := d.scenario.lines[path+".dst"]; !ok {
		u.Dst = 4789
	}
	if _, ok := d.scenario.lines[path+".checksum"]; !ok {
		u.Checksum = ChecksumNone
	}
	return u
}

func (d *decoder) layer(n *yaml.Node, path string) (Layer, error) {
	d.scenario.lines[path] = n.Line
	name, body := n, (*yaml.Node)(nil)
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		name, body = n.Content[0], resolve(n.Content[1])
	}
	var kinds []string
	for _, t := range layerTypes {
		if kinds = append(kinds, kindOf(t)); kindOf(t) != name.Value || name.Kind != yaml.ScalarNode {
			continue
		}
		v := reflect.New(t).Elem()
		setDefaults(v)
		if body != nil && body.ShortTag() != "!!null" {
			if err := d.decode(body, v, reflect.StructField{}, path+"."+name.Value); err != nil {
				return nil, err
			}
		}
		return v.Interface().(Layer), nil
	}
	if n.Kind != yaml.ScalarNode && body == nil {
		return nil, d.fail(n, path, describe(n), "not one header", "begin each with - in a line of its own")
	}
	return nil, d.fail(name, path, describe(name), "unknown header", "use one of "+strings.Join(kinds, ", "))
}

// readAtMost reads a file of at most n bytes.
func readAtMost(r io.Reader, n int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, n+1))
	if err == nil && int64(len(data)) > n {
		err = fmt.Errorf("it has more than %d MiB", n>>20)
	}
	return data, err
}

// withoutPath returns the cause of an error of the file system, whose message names the
// file again.
func withoutPath(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
